"""Chunks of arrays, to the bytes of a file and back."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage._util.arguments import MAX_PICTURE_SIDE
from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.encoder.effort import DEFAULT_EFFORT, effort_level
from gaussianimage.codec.encoder.targets import Target
from gaussianimage.codec.format.varint import Buffer

NAME = "gaussianimage"

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16))

# Both packages work on several chunks at a time.
_THREADS = 1


@dataclass(frozen=True, kw_only=True)
class ChunkOptions:
    """How chunks are encoded; `gaussianimage.encode` documents the values and errors.

    Attributes
    ----------
    quality, bpp, size, psnr, ssim : number or None
        The target of each chunk; one of them at most.
    effort : int
    """

    quality: float | None = None
    bpp: float | None = None
    size: int | None = None
    psnr: float | None = None
    ssim: float | None = None
    effort: int = DEFAULT_EFFORT

    def __post_init__(self) -> None:
        self._target()
        effort_level(self.effort)

    def _target(self) -> Target:
        return Target.parse(
            quality=self.quality, bpp=self.bpp, size=self.size, psnr=self.psnr, ssim=self.ssim
        )

    def given(self) -> dict[str, float]:
        """Return the target that is given and the effort, as JSON can hold them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def picture_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the picture that a chunk of this shape holds.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (H, W, C) with C = 1 to 4. There may be axes of length 1 before these.

    Returns
    -------
    tuple of int
        (H, W) or (H, W, C).

    Raises
    ------
    ValueError
        It is no picture's shape.
    """
    picture = tuple(shape)
    while len(picture) > 3 or (len(picture) == 3 and picture[2] > 4):
        if picture[0] != 1:
            break
        picture = picture[1:]
    if (
        len(picture) not in (2, 3)
        or not all(1 <= side <= MAX_PICTURE_SIDE for side in picture[:2])
        or not 1 <= (*picture, 1)[2] <= 4
    ):
        raise ValueError(
            "chunk: expected the shape of a picture, (H, W) or (H, W, C) with C = 1 to 4, axes of "
            f"length 1 before it allowed, got {shape}"
        )
    return picture


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse a type that a file does not hold.

    Raises
    ------
    TypeError
        It is another type than uint8 and uint16 of this machine's byte order.
    """
    if dtype not in DTYPES or not dtype.isnative:
        raise TypeError(f"chunk: expected dtype uint8 or uint16, got {dtype.str}")


def encode_chunk(chunk: NDArray[Any], options: ChunkOptions) -> bytes:
    """Encode a chunk as a ``.gimg`` file.

    Parameters
    ----------
    chunk : ndarray, uint8 or uint16
        Of a shape that `picture_shape` takes. The last of 2 or 4 channels is alpha.
    options : ChunkOptions

    Raises
    ------
    TypeError, ValueError
        The type or the shape is another.
    """
    from gaussianimage.codec.encoder.encode import encode  # which decoding does not need
    from gaussianimage.picture.pixels import from_array
    from gaussianimage.picture.warn import ignore

    check_dtype(chunk.dtype)
    pixels = chunk.reshape(picture_shape(chunk.shape))
    # A warning of dark pixels is for people who choose a file.
    picture = from_array(pixels, warn=ignore)
    # An error in data counts alike at every pixel, and a chunk is read as a whole.
    return encode(
        picture,
        **options.given(),  # type: ignore[arg-type]
        progressive=False,
        tune="psnr",
        threads=_THREADS,
    )


def decode_chunk(data: Buffer) -> NDArray[Any]:
    """Decode a chunk.

    Parameters
    ----------
    data : bytes-like
        What `encode_chunk` returned.

    Returns
    -------
    ndarray, (H, W) or (H, W, C)
        uint8 or uint16, as the chunk was.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As for `gaussianimage.decode`.
    """
    bit_depth = parse_file(data).header.bit_depth
    dtype = np.uint16 if bit_depth == 16 else np.uint8
    return decode(data, dtype=dtype, threads=_THREADS)
