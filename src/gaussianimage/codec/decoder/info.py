"""The properties of a file that are known before its Gaussians are decoded."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gaussianimage.codec.decoder.file import (
    DEFAULT_LIMITS,
    LayerContent,
    ParsedFile,
    TiledContent,
    parse_file,
)
from gaussianimage.codec.decoder.ranges import ByteRanges
from gaussianimage.codec.decoder.source import Source, reading
from gaussianimage.codec.format.grain import TYPE as GRAIN
from gaussianimage.codec.format.grain import Grain
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.tiles import TileIndex


@dataclass(frozen=True)
class ChunkInfo:
    """A chunk: its type, its offset in the file, and the size of its payload, in bytes."""

    type: str
    offset: int
    size: int


@dataclass(frozen=True)
class PaperInfo:
    """The quantizers and the stream of a file of the paper's profile.

    Attributes
    ----------
    stream : str
        Coding of the Gaussians: "plain", "entropy", "bits-back", "entropy-bits-back",
        "interleaved" or "entropy-interleaved".
    shape : str
        Parameters of the shape: "cholesky" or "scale-rotation".
    shape_bits : int
        Bits of each of the three indices of a shape.
    color : str
        Quantizer of the color: "vector" for residual vector quantization, "uniform" for an index
        per channel.
    color_bits : tuple of int
        Bits of each index of a color.
    formula_bits : int
        Bits of the file by the paper's count: every index at its full width, and the quantizers'
        parameters.
    """

    stream: str
    shape: str
    shape_bits: int
    color: str
    color_bits: tuple[int, ...]
    formula_bits: int


@dataclass(frozen=True)
class TilesInfo:
    """The levels and tiles of a tiled file.

    Attributes
    ----------
    levels : tuple of (int, int)
        Height and width of each level in its pixels, the coarsest first.
    scale : int
        Pixels of a level in one of the next coarser level, a side.
    side : int
        Height and width of a tile in pixels of its level.
    margin : int
        By how much tiles overlap their neighbors, in pixels of their level.
    tiles : int
        Number of tiles that have Gaussians.
    level_bytes : tuple of int
        Bytes of the tiles of each level.
    """

    levels: tuple[tuple[int, int], ...]
    scale: int
    side: int
    margin: int
    tiles: int
    level_bytes: tuple[int, ...]


@dataclass(frozen=True)
class FileInfo:
    """The properties of a file.

    Attributes
    ----------
    version : int
        Version of the format.
    height, width : int
        Nominal size in pixels.
    channels : int
        1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha.
    bit_depth : int
        Bits per sample of the source, 8 or 16.
    gaussians, layers : int
        Number of Gaussians and of layers, or of levels in a tiled file.
    q_max : float
        Cut-off exponent of the Gaussians.
    bytes : int
        Size of the file.
    bpp : float
        Bits per pixel at the nominal size.
    color_step, shape_step : float or None
        Steps of the quantizer; None for a file of the paper's profile.
    background : tuple of float
        The constant part of the picture, per channel, 0 to 1.
    work : int
        Bound on the blocks of 8 pixels that the Gaussians touch; 0 for a tiled file.
    icc, exif, xmp : int or None
        Size of each in bytes; None if the file has none.
    alpha_map : int or None
        Size in bytes of the map of fully transparent and fully opaque pixels; None if the file has
        none. In a tiled file with such maps it is 1, because those of tiles are not read.
    grain : int or None
        Size in bytes of the description of the grain; None if the file has none.
    chunks : tuple of ChunkInfo
        All whole chunks in the order of the file, without the closing one; those before the tiles
        in a tiled file.
    complete : bool
        False for a file that is cut off or damaged behind its header.
    paper : PaperInfo or None
        The quantizers of a file of the paper's profile; None for other files.
    tiles : TilesInfo or None
        Levels and tiles of a tiled file; None for other files.
    """

    version: int
    height: int
    width: int
    channels: int
    bit_depth: int
    gaussians: int
    layers: int
    q_max: float
    bytes: int
    bpp: float
    color_step: float | None
    shape_step: float | None
    background: tuple[float, ...]
    work: int
    icc: int | None
    exif: int | None
    xmp: int | None
    alpha_map: int | None
    grain: int | None
    chunks: tuple[ChunkInfo, ...]
    complete: bool
    paper: PaperInfo | None
    tiles: TilesInfo | None

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a dict that JSON can hold."""
        return asdict(self)


def info(source: Source, *, partial: bool = False, limits: Limits = DEFAULT_LIMITS) -> FileInfo:
    """Return the properties of a ``.gimg`` file.

    Parameters
    ----------
    source : path-like, bytes-like or binary stream
        The file, as for `decode`.
    partial : bool, default False
        Accept a file that is cut off or damaged behind its header.
    limits : Limits, optional
        Limits above which a file is refused.

    Returns
    -------
    FileInfo

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError, OSError, TypeError
        As for `decode`.
    """
    with reading(source) as data:
        file = parse_file(data, limits=limits, partial=partial)
        size = data.size if isinstance(data, ByteRanges) else memoryview(data).nbytes
        return _describe(file, size)


def _describe(file: ParsedFile, size: int) -> FileInfo:
    header, metadata, content = file.header, file.metadata, file.content
    parameters = content.parameters if isinstance(content, LayerContent | TiledContent) else None
    tiled = content.index if isinstance(content, TiledContent) else None
    return FileInfo(
        version=header.version,
        height=header.height,
        width=header.width,
        channels=header.channels,
        bit_depth=header.bit_depth,
        gaussians=file.gaussians,
        layers=file.steps,
        q_max=header.q_max,
        bytes=size,
        bpp=8 * size / (header.height * header.width),
        color_step=parameters.color_step if parameters else None,
        shape_step=parameters.shape_step if parameters else None,
        background=(
            tuple(float(level) for level in parameters.background_color)
            if parameters
            else (0.0,) * header.channels
        ),
        work=header.work,
        icc=_size(metadata.icc),
        exif=_size(metadata.exif),
        xmp=_size(metadata.xmp),
        alpha_map=len(header.alpha_map) or None,
        grain=_grain(file),
        chunks=tuple(
            ChunkInfo(chunk.name, chunk.offset, len(chunk.payload)) for chunk in file.chunks
        ),
        complete=file.damage is None,
        paper=_paper(file),
        tiles=None if tiled is None else _tiles(tiled),
    )


def _tiles(index: TileIndex) -> TilesInfo:
    grid = index.grid
    ends = np.cumsum([rows * columns for rows, columns in grid.shapes])[:-1]
    return TilesInfo(
        levels=grid.sizes,
        scale=2**grid.shift,
        side=grid.side,
        margin=grid.margin,
        tiles=int(np.count_nonzero(index.lengths)),
        level_bytes=tuple(int(part.sum()) for part in np.split(index.lengths, ends)),
    )


def _grain(file: ParsedFile) -> int | None:
    Grain.from_chunks(file.chunks, file.header.height, file.header.width)  # checks the chunk
    sizes = [len(chunk.payload) for chunk in file.chunks if chunk.type == GRAIN]
    return sizes[0] if sizes else None


def _paper(file: ParsedFile) -> PaperInfo | None:
    content = file.content
    if isinstance(content, LayerContent | TiledContent):
        return None
    return PaperInfo(
        stream=content.stream,
        shape="scale-rotation" if content.rotation else "cholesky",
        shape_bits=content.shape_quantizer.bits,
        color="vector" if content.color_stages else "uniform",
        color_bits=content.color_quantizer.widths,
        formula_bits=content.formula_bits(file.header),
    )


def _size(data: bytes | None) -> int | None:
    return None if data is None else len(data)
