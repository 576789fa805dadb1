"""Opening a file with Pillow: the head at once, the pixels when they are asked for."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import ceil, floor
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.file import enough_layers, parse_file
from gaussianimage.codec.decoder.head import FileHead, read_head
from gaussianimage.codec.format.container import SIGNATURE, read_chunks
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.errors import GaussianImageError, TruncatedError
from gaussianimage.pillow_plugin.options import DEFAULT_OPTIONS, PluginOptions

# By the number of channels, for 8 bits. Pillow has 16 bits for gray alone.
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_GRAY_16 = "I;16"
_EXIF_PREFIX = b"Exif\0\0"

# More pixels than any file has: Pillow checks their number in its own way.
_ANY_PIXELS = 2**48


class GimgImageFile(ImageFile.ImageFile):
    """A ``.gimg`` file that is open in Pillow.

    Parameters
    ----------
    fp : path-like or binary file
    filename : str, optional
        The file's name, where `fp` is a stream.
    options : PluginOptions, optional

    Raises
    ------
    SyntaxError
        The file is of another format.
    OSError
        The file can't be read, its header is damaged, or it needs a newer reader.

    Notes
    -----
    The mode is L, LA, RGB or RGBA; of a gray picture of 16 bits, I;16. Colors of 16 bits become 8
    bits, as Pillow has no such mode. The pixels are upright.
    """

    format = "GIMG"
    format_description = "Picture of 2D Gaussians"

    _options = DEFAULT_OPTIONS

    def __init__(
        self,
        fp: "str | os.PathLike[str] | bytes | os.PathLike[bytes] | IO[bytes]",
        filename: str | bytes | None = None,
        *,
        options: PluginOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._options = options
        super().__init__(fp, filename)

    def _open(self) -> None:
        assert self.fp is not None
        if self.fp.read(len(SIGNATURE)) != SIGNATURE:
            raise SyntaxError("not a .gimg file")
        with _pillow_errors():
            head = read_head(cast("io.BufferedReader", self.fp), limits=self._options.limits)
            self.info.update(_information(head))
        header = head.header
        self._size = header.width, header.height
        gray_16 = header.channels == 1 and header.bit_depth == 16
        self._mode = _GRAY_16 if gray_16 else _MODES[header.channels]
        self._drafted = False
        self._ask_for_pixels()

    def _ask_for_pixels(self) -> None:
        # Pillow takes an image with a tile for one whose pixels are not loaded yet.
        self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, self.mode)]

    def load_seek(self, pos: int) -> None:
        """Do nothing; the method tells ``ImageFile.Parser`` that the format has its own `load`."""

    def draft(
        self,
        mode: str | None,  # noqa: ARG002 - Pillow's own argument
        size: tuple[int, int] | None,
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Ask for a smaller picture, before the pixels are loaded.

        Parameters
        ----------
        mode : str or None
            Ignored.
        size : (int, int) or None
            Width and height that the picture shall have at least. It becomes the smallest of its
            shape that has them.

        Returns
        -------
        (str, (int, int, float, float)) or None
            The mode and the part of the new picture that has content, all of it; None if nothing
            changes.
        """
        if size is None or not self.tile or min(size) < 1:
            return None
        width, height = self.size
        scale = min(width / size[0], height / size[1])
        if scale <= 1:
            return None
        self._draw_at((ceil(width / scale - 1e-9), ceil(height / scale - 1e-9)))
        return self.mode, (0, 0, float(self.size[0]), float(self.size[1]))

    def thumbnail(
        self,
        size: tuple[float, float],
        resample: Image.Resampling = Image.Resampling.BICUBIC,
        reducing_gap: float | None = 2.0,
    ) -> None:
        """Make the picture smaller in place, as ``PIL.Image.Image.thumbnail`` does.

        Unless the pixels are loaded already, they are drawn at the final size from the layers that
        suffice for it, and nothing is resampled.

        Parameters
        ----------
        size : (float, float)
            Most width and height in pixels. The shape is kept.
        resample : Resampling
            For pixels that are loaded already.
        reducing_gap : float or None
            None loads the whole picture and resamples it.
        """
        most = floor(size[0]), floor(size[1])
        if not self.tile or self._drafted or reducing_gap is None or min(most) < 1:
            super().thumbnail(size, resample, reducing_gap)
            return
        final = thumbnail_size(self.size, most)
        if final is None:
            return
        self._draw_at(final)
        self.load()

    def _draw_at(self, size: tuple[int, int]) -> None:
        self._size = size
        self._drafted = True
        self._ask_for_pixels()

    def load(self) -> Any:
        """Decode the pixels, unless that is done.

        Raises
        ------
        OSError
            The file is damaged, or asks for more than the limits allow. A file that is cut off is
            accepted if ``PIL.ImageFile.LOAD_TRUNCATED_IMAGES`` is set.
        ValueError
            The file was closed before.
        """
        if self.tile:
            if self.fp is None:
                raise ValueError("the file is closed, and its pixels were not loaded")
            pixels = self._decoded()
            self.load_prepare()
            self.frombytes(pixels.view(np.uint8).data)
            self.tile = []
            self.readonly = 0
            if self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return super().load()

    def verify(self) -> None:
        """Check every checksum of the file, without decoding it.

        The file has to be opened again after that.

        Raises
        ------
        OSError
            The file is damaged.
        """
        if self.fp is not None:
            with _pillow_errors():
                read_chunks(self._whole_file())
        super().verify()

    def _decoded(self) -> NDArray[Any]:
        """Return the pixels, little-endian if they have 16 bits."""
        data = self._whole_file()
        width, height = self.size
        partial = ImageFile.LOAD_TRUNCATED_IMAGES
        limits = replace(self._options.limits, max_pixels=_ANY_PIXELS, warn_pixels=_ANY_PIXELS)
        layers = None
        with _pillow_errors():
            if self._drafted:
                file = parse_file(data, limits=limits, partial=partial)
                layers = enough_layers(file, height * width)
            pixels = decode(
                data,
                size=(height, width) if self._drafted else None,
                dtype=np.uint16 if self.mode == _GRAY_16 else np.uint8,
                threads=self._options.threads,
                layers=layers,
                partial=partial,
                limits=limits,
            )
        channels = len(self.getbands())
        if pixels.shape != ((height, width) if channels == 1 else (height, width, channels)):
            raise OSError("the file has changed since it was opened")
        return pixels.astype("<u2", copy=False) if pixels.dtype == np.uint16 else pixels

    def _whole_file(self) -> bytes:
        assert self.fp is not None
        own = self._exclusive_fp and isinstance(self.fp, io.BufferedReader)
        if own and hasattr(os, "pread"):
            # Processes that were forked after the file was opened share its position.
            return _read_at(self.fp.fileno())
        self.fp.seek(0)
        return self.fp.read()


def thumbnail_size(size: tuple[int, int], most: tuple[int, int]) -> tuple[int, int] | None:
    """Return the size that Pillow gives a thumbnail.

    Parameters
    ----------
    size : (int, int)
        Width and height of the picture, in pixels.
    most : (int, int)
        Most width and height of the thumbnail.

    Returns
    -------
    (int, int) or None
        None if the picture is no larger than that.
    """
    width, height = most
    if width >= size[0] and height >= size[1]:
        return None
    shape = size[0] / size[1]
    if width / height >= shape:
        near = height * shape
        width = min(floor(near), ceil(near), key=lambda n: abs(shape - n / height))
    else:
        near = width / shape
        height = min(floor(near), ceil(near), key=lambda n: abs(shape - width / n) if n else 0.0)
    return max(width, 1), max(height, 1)


def _information(head: FileHead) -> dict[str, Any]:
    """Return what `Image.info` holds: Pillow's own keys first."""
    header, metadata = head.header, head.metadata
    found: dict[str, Any] = {}
    if metadata.icc:
        found["icc_profile"] = metadata.icc
    if metadata.exif:
        found["exif"] = _EXIF_PREFIX + metadata.exif
    if metadata.xmp:
        found["xmp"] = metadata.xmp
    found |= {
        "gaussians": header.gaussians,
        "layers": header.layers,
        "bit_depth": header.bit_depth,
        "bytes": head.size,
        "bpp": 8 * head.size / (header.height * header.width),
        "q_max": header.q_max,
        "format_version": header.version,
    }
    if header.parameters:  # a file of layers, not of the paper's profile
        parameters = QuantizerParameters.from_bytes(header.parameters, header.channels)
        found["color_step"] = parameters.color_step
        found["shape_step"] = parameters.shape_step
    return found


def _read_at(descriptor: int) -> bytes:
    """Return the whole file of a descriptor, whose position stays as it is."""
    parts: list[bytes] = []
    position = 0
    size = os.fstat(descriptor).st_size
    while part := os.pread(descriptor, max(size - position, 1 << 16), position):
        parts.append(part)
        position += len(part)
    return b"".join(parts)


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Turn the package's errors into the OSError that Pillow's users expect."""
    try:
        yield
    except TruncatedError as error:
        raise OSError(f"image file is truncated: {error}") from error
    except GaussianImageError as error:
        raise OSError(str(error)) from error
