"""`prepare` turns the source and its options into the picture to fit, alpha map and metadata."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import number
from gaussianimage.codec.encoder.alpha_map import encode_map, map_within, weighted
from gaussianimage.codec.encoder.eye_weights import first_weights, on_channels
from gaussianimage.codec.encoder.gray_in_rgb import as_gray, is_gray_in_rgb
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.encoder.stretch import Stretch
from gaussianimage.codec.encoder.targets import FEW_PIXELS, Target, Tune
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import SHAPE_STEP_ONE, QuantizerParameters
from gaussianimage.errors import LimitError
from gaussianimage.fitting.clamped_ends import with_ends
from gaussianimage.picture import WHITE, Color, Kept, Picture, flatten, rgb

CRC_BYTES = 4

# How far the Gaussians of a file may exceed the ends of the range, in the colors of the fit. More
# saves no more bytes, and smaller sizes of dithered pictures suffer.
ROOM = 0.25


@dataclass(frozen=True)
class AlphaOptions:
    """Options for the alpha of a picture; `encode` documents the arguments and errors."""

    keep: bool = True
    quality: float | None = None
    background: Color | None = None

    def __post_init__(self) -> None:
        if self.background is not None:
            rgb(self.background)
        if self.quality is not None:
            number("alpha_quality", self.quality, 0, 100)

    def apply(self, picture: Picture) -> Picture:
        """Return the picture to encode."""
        if self.keep and self.background is None:
            return picture
        return flatten(picture, WHITE if self.background is None else self.background)

    def make_map(self, picture: Picture, most_bytes: float | None) -> bytes | None:
        """Return the encoded map of alpha, or None if the file has none.

        Parameters
        ----------
        picture : Picture
        most_bytes : float or None
            Bytes that the target leaves for all but metadata; None for a target without a size.
            The map takes only a share of them.
        """
        if self.quality is None and most_bytes is not None:
            return map_within(picture, most_bytes)
        return encode_map(picture, 100 if self.quality is None else self.quality)


@dataclass(frozen=True)
class PreparedPicture:
    """A picture to encode, and the parts of its file that are not Gaussians.

    Attributes
    ----------
    picture : Picture
        The source. Its alpha is flattened if the file has none; it has the weights of its map of
        alpha, and only the metadata that the file keeps. It is gray if it is in RGB without color.
    stretch : Stretch
        The map from the colors of `picture` to those of `fitted`.
    fitted : Picture
        The picture that Gaussians are fitted to.
    weights : ndarray, (H, W), float32, or None
        The weights of the error at each pixel with which an encoder for the eye starts, which are
        in those of `fitted`; None for an encoder for PSNR.
    seen : ndarray, (H, W, C), float32, or None
        What a person sees, if `picture` is only what other Gaussians lack of it.
    alpha_map : bytes or None
        The encoded map of alpha.
    metadata : Metadata
        ICC profile, EXIF and XMP of the file.
    most_bytes : float or None
        Bytes that the target leaves for all but metadata; None for a target without a size.
    in_rgb : bool
        Whether the file is in RGB although the picture is gray.
    """

    picture: Picture
    stretch: Stretch
    fitted: Picture
    weights: NDArray[np.float32] | None = None
    seen: NDArray[np.float32] | None = None
    alpha_map: bytes | None = None
    metadata: Metadata = field(default_factory=Metadata)
    most_bytes: float | None = None
    in_rgb: bool = False

    @classmethod
    def plain(cls, picture: Picture) -> "PreparedPicture":
        """Return a prepared picture without stretch and without a map of alpha."""
        stretch = Stretch.none(picture.channels)
        return cls(picture, stretch, picture, metadata=parse_metadata(picture))

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.picture.height * self.picture.width


def prepare(
    picture: Picture,
    target: Target,
    alpha: AlphaOptions,
    kept: Kept,
    *,
    q_max: float,
    tune: Tune = "psnr",
    threads: int | None = None,
) -> PreparedPicture:
    """Prepare a picture for the encoder.

    Parameters
    ----------
    picture : Picture
        The source.
    target : Target
        The target. A size or bpp bounds the map of alpha and must exceed the metadata.
    alpha : AlphaOptions
    kept : str or collection of str
        Which metadata the file keeps; see `encode`.
    q_max : float
        Cut-off q of the file's Gaussians.
    tune : {"eye", "psnr"}
        What the encoder optimizes. A picture of few pixels is always encoded for PSNR.
    threads : int, optional
        Threads to use; all CPUs of this process by default.

    Returns
    -------
    PreparedPicture

    Raises
    ------
    LimitError
        The metadata leaves too little of the size or bpp for the picture.
    """
    picture = alpha.apply(picture).keeping(kept)
    metadata = parse_metadata(picture)
    most_bytes = _most_bytes(picture, metadata, target, q_max)
    in_rgb = is_gray_in_rgb(picture)
    if in_rgb:
        picture = as_gray(picture)
    stretch = Stretch.for_picture(picture)
    alpha_map = alpha.make_map(picture, most_bytes)
    if alpha_map is not None:
        classes = _native.decode_alpha_map(alpha_map, picture.height, picture.width)
        picture = weighted(picture, classes)
    fitted = stretch.apply(with_ends(picture, ROOM))
    weights = None
    if tune == "eye" and picture.height * picture.width > FEW_PIXELS:
        weights = first_weights(fitted.pixels, threads=threads)
        fitted = replace(fitted, weights=on_channels(weights, picture))
    return PreparedPicture(
        picture=picture,
        stretch=stretch,
        fitted=fitted,
        weights=weights,
        alpha_map=alpha_map,
        metadata=metadata,
        most_bytes=most_bytes,
        in_rgb=in_rgb,
    )


def parse_metadata(picture: Picture) -> Metadata:
    """Convert a picture's metadata to a file's."""
    return Metadata(icc=picture.icc, exif=picture.exif, xmp=picture.xmp)


def metadata_size(metadata: Metadata) -> int:
    """Return the number of bytes that metadata takes in a file."""
    chunks = metadata.to_chunks()
    return sum(chunk.payload_offset + len(chunk.payload) + CRC_BYTES for chunk in chunks)


def _most_bytes(picture: Picture, metadata: Metadata, target: Target, q_max: float) -> float | None:
    """Return the bytes that a size or bpp leaves beside metadata; None for other targets."""
    most = target.file_bytes(picture.height * picture.width)
    if most is None:
        return None
    taken = metadata_size(metadata)
    if taken and taken + _smallest_file(picture, q_max) > most:
        raise LimitError(
            f"{target.kind}: ICC profile, EXIF and XMP take {taken} bytes, which leaves too "
            f"few of {int(most)} for the picture; metadata='none' (--strip) leaves them out"
        )
    return max(most - taken, 1.0)


def _smallest_file(picture: Picture, q_max: float) -> int:
    """Return the size in bytes of a picture's file without Gaussians and metadata."""
    empty = serialize(
        [],
        QuantizerParameters(0, SHAPE_STEP_ONE, (0,) * picture.channels),
        Metadata(),
        height=picture.height,
        width=picture.width,
        bit_depth=picture.bit_depth,
        q_max=q_max,
    )
    return len(empty)
