"""The tiles of one `.gimg` file, drawn when they are asked for."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage import Decoder, Limits, write
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS, ParsedFile, parse_file
from gaussianimage.codec.decoder.source import opening
from gaussianimage.deepzoom.pyramid import OVERLAP, TILE, Pyramid

MEDIA_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
"""The formats of tiles by extension, and their media types."""


class PictureTiles:
    """Draws the tiles of a file, tiled or not; several threads may use it.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    extension : str
        Format of the tiles: "jpg", "png" or "webp".
    quality : int, optional
        Quality of JPEG and WebP, 1 to 100.
    tile, overlap : int
        See `Pyramid`.
    threads : int, optional
        Threads to draw a tile with; all CPUs by default.
    limits : Limits, optional
        Limits above which a file is refused.
    partial : bool
        Leave out what is damaged.

    Raises
    ------
    FormatError, UnsupportedError, LimitError, OSError
        As for `gaussianimage.decode`.
    ValueError
        The format is another one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        extension: str = "jpg",
        quality: int | None = None,
        tile: int = TILE,
        overlap: int = OVERLAP,
        threads: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        partial: bool = False,
    ) -> None:
        if extension not in MEDIA_TYPES:
            raise ValueError(f"extension: expected one of {', '.join(MEDIA_TYPES)}")
        self.path = Path(path)
        self.extension = extension
        self._options: dict[str, Any] = {} if quality is None else {"quality": quality}
        self._limits = limits
        self._partial = partial
        self._decoder = Decoder(threads=threads, limits=limits)
        file = self._parse()
        header = file.header
        self.pyramid = Pyramid(header.height, header.width, tile, overlap)
        self._icc = file.metadata.icc if extension != "webp" or header.channels > 2 else None

    @property
    def media_type(self) -> str:
        """The media type of the tiles."""
        return MEDIA_TYPES[self.extension]

    def tile(self, level: int, column: int, row: int) -> bytes:
        """Return a tile as the bytes of a picture file.

        Raises
        ------
        KeyError
            There is no such tile.
        TileError, FormatError, LimitError, OSError
            The file, or the tile in it that is needed, can't be read.
        """
        return self.encode(self.draw(level, self.pyramid.box(level, column, row)))

    def draw(self, level: int, box: tuple[int, int, int, int]) -> NDArray[Any]:
        """Draw a rectangle (top, left, height, width) of a level."""
        size = self.pyramid.size(level)
        nominal = self.pyramid.height, self.pyramid.width
        return self._decoder.decode(
            self.path,
            size=None if size == nominal else size,
            crop=box,
            dtype=np.uint8,
            partial=self._partial,
        )

    def encode(self, pixels: NDArray[Any]) -> bytes:
        """Return pixels as the bytes of a picture file."""
        data = io.BytesIO()
        write(data, pixels, format=f".{self.extension}", icc=self._icc, **self._options)
        return data.getvalue()

    def _parse(self) -> ParsedFile:
        with opening(self.path) as (data, _):
            return parse_file(data, limits=self._limits, partial=self._partial)
