"""Parsing a file: its header, metadata and chunks are checked, its Gaussians not yet decoded."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gaussianimage._util.arguments import MAX_PICTURE_SIDE, integer
from gaussianimage.codec.decoder.ranges import ByteRanges, MemoryRanges, is_tiled
from gaussianimage.codec.decoder.tiled_start import read_start
from gaussianimage.codec.format.alpha import BETWEEN, OPAQUE, TRANSPARENT
from gaussianimage.codec.format.container import (
    END,
    GAUSSIANS,
    LAYER,
    QUANTIZERS,
    TILE_CHUNK,
    TILE_INDEX,
    Chunk,
    chunk_bytes,
    read_chunks,
    read_whole_chunks,
    require_known,
)
from gaussianimage.codec.format.grain import TYPE as GRAIN
from gaussianimage.codec.format.header import Header, Limits
from gaussianimage.codec.format.metadata import TYPES, Metadata
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.codec.format.tiles import TileIndex
from gaussianimage.codec.format.varint import Buffer, read_varint
from gaussianimage.errors import FormatError, TruncatedError, UnsupportedError

if TYPE_CHECKING:
    from gaussianimage.codec.paper_profile.chunks import PaperContent

_KNOWN = (b"HEAD", LAYER, QUANTIZERS, GAUSSIANS, GRAIN, *TYPES.values())
_KNOWN_TILED = (b"HEAD", TILE_INDEX, TILE_CHUNK, *TYPES.values())

# In the header around the tiles: none, or the class of pixels in tiles without a map.
_MAPS_OF_TILED = (b"", *(bytes([one]) for one in (TRANSPARENT, OPAQUE, BETWEEN)))

END_BYTES = chunk_bytes(Chunk(END, b""))

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class LayerContent:
    """The content of a file of layers.

    Attributes
    ----------
    parameters : QuantizerParameters
        Parameters of the quantizer of all layers.
    chunks : tuple of Chunk
        The layers, the most important one first.
    """

    parameters: QuantizerParameters
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class TiledContent:
    """The content of a tiled file, of which the tiles are not read yet.

    Attributes
    ----------
    parameters : QuantizerParameters
        Parameters of the quantizer in the file's header, of which the background is drawn.
    index : TileIndex
        Levels and tiles, and where they are in the file.
    ranges : ByteRanges
        Where the tiles are read from.
    alpha_class : int or None
        The class of alpha of pixels in tiles without a map; None if no tile may have one.
    """

    parameters: QuantizerParameters
    index: TileIndex
    ranges: ByteRanges
    alpha_class: int | None


@dataclass(frozen=True)
class ParsedFile:
    """A file that has been checked but whose Gaussians have not been decoded.

    Attributes
    ----------
    header : Header
        The header.
    metadata : Metadata
        ICC profile, EXIF and XMP.
    content : LayerContent, TiledContent or PaperContent
        The layers, the tiles, or the quantizers and Gaussians of a file of the paper's profile.
    chunks : list of Chunk
        All whole chunks, without the closing one; in a tiled file those before the tiles.
    damage : FormatError or None
        The error behind the whole chunks, if the file was parsed with `partial`; else None.
    """

    header: Header
    metadata: Metadata
    content: "LayerContent | TiledContent | PaperContent"
    chunks: list[Chunk]
    damage: FormatError | None

    @property
    def layers(self) -> LayerContent:
        """The content of a file that is known to have layers.

        Raises
        ------
        FormatError
            The file is tiled or of the paper's profile.
        """
        if not isinstance(self.content, LayerContent):
            kind = "tiled" if isinstance(self.content, TiledContent) else "of the paper's profile"
            raise FormatError(f"the file is {kind}: it has no layers", 0)
        return self.content

    @property
    def gaussians(self) -> int:
        """The number of Gaussians of all layers or tiles together."""
        if isinstance(self.content, TiledContent):
            return self.content.index.gaussians
        return self.header.gaussians

    @property
    def gaussians_left(self) -> int:
        """The number of Gaussians of the layers before the damage; without damage, of all."""
        if self.damage is None or isinstance(self.content, TiledContent):
            return self.gaussians
        if isinstance(self.content, LayerContent):
            return sum(_gaussians_in(chunk) for chunk in self.content.chunks)
        return self.gaussians if self.content.gaussians else 0

    @property
    def steps(self) -> int:
        """The number of steps from nothing to the whole picture: layers, or levels of tiles."""
        if isinstance(self.content, TiledContent):
            return self.content.index.grid.levels
        return self.header.layers


def parse_file(
    data: Buffer | ByteRanges, *, limits: Limits = DEFAULT_LIMITS, partial: bool = False
) -> ParsedFile:
    """Check the checksums and the header of a file, and that the file stays within the limits.

    Of a tiled file only the start is read, and the limits apply to what is drawn later.

    Parameters
    ----------
    data : bytes-like or ByteRanges
        The whole file, or the ranges of a tiled one.
    limits : Limits, optional
        Limits above which a file is refused.
    partial : bool, default False
        Accept a file that is cut off or damaged behind its header.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As `gaussianimage.decode`.
    """
    Limits.checked(limits)
    if isinstance(data, ByteRanges):
        return _parse_tiled(data, limits, partial)
    if is_tiled(data):
        return _parse_tiled(MemoryRanges(data), limits, partial)
    damage = None
    if partial:
        chunks, damage = read_whole_chunks(data)
    else:
        chunks = read_chunks(data)
    header = Header.from_chunk(chunks[0])
    _refuse(chunks, (TILE_INDEX, TILE_CHUNK), "in a file that is not tiled")
    require_known(chunks, _KNOWN)
    header.check(limits)
    if max(header.height, header.width) > MAX_PICTURE_SIDE:
        raise UnsupportedError(
            f"the file's picture is {header.height} x {header.width} pixels (height x width); "
            f"this version draws {MAX_PICTURE_SIDE} a side at most"
        )
    metadata = Metadata.from_chunks(chunks, limits)
    content: LayerContent | PaperContent
    if header.parameters:
        content = _layer_content(header, chunks, damage)
    else:
        from gaussianimage.codec.paper_profile.chunks import read_content

        content = read_content(header, chunks, damage)
    return ParsedFile(header, metadata, content, chunks, damage)


def _parse_tiled(ranges: ByteRanges, limits: Limits, partial: bool) -> ParsedFile:
    """Parse the start of a tiled file."""
    chunks, index = read_start(ranges, limits)
    _refuse(chunks, (LAYER, QUANTIZERS, GAUSSIANS), "in a tiled file")
    require_known(chunks, _KNOWN_TILED)
    head = chunks[0]
    header = Header.from_chunk(head)
    if header.gaussians or header.alpha_map not in _MAPS_OF_TILED or not header.parameters:
        raise FormatError("the header is not one of a tiled file", head.payload_offset)
    parameters = QuantizerParameters.from_bytes(
        header.parameters, header.channels, offset=_parameters_offset(head, header)
    )
    damage = None
    whole = index.end + len(END_BYTES)
    if ranges.size < whole:
        damage = TruncatedError(
            f"the file is cut off: it has {ranges.size} bytes, {whole} expected", ranges.size
        )
        if not partial:
            raise damage
    if ranges.size > whole:
        raise FormatError(f"{ranges.size - whole} bytes follow the end of the file", whole)
    metadata = Metadata.from_chunks(chunks, limits)
    alpha_class = header.alpha_map[0] if header.alpha_map else None
    content = TiledContent(parameters, index, ranges, alpha_class)
    return ParsedFile(header, metadata, content, chunks, damage)


def _layer_content(header: Header, chunks: list[Chunk], damage: FormatError | None) -> LayerContent:
    head = chunks[0]
    parameters = QuantizerParameters.from_bytes(
        header.parameters, header.channels, offset=_parameters_offset(head, header)
    )
    _refuse(chunks, (QUANTIZERS, GAUSSIANS), "in a file of layers")
    layers = tuple(chunk for chunk in chunks if chunk.type == LAYER)
    if len(layers) > header.layers or (damage is None and len(layers) < header.layers):
        raise FormatError(
            f"the header announces {header.layers} layers, found {len(layers)}",
            head.payload_offset,
        )
    return LayerContent(parameters, layers)


def _refuse(chunks: list[Chunk], types: Collection[bytes], where: str) -> None:
    """Raise a FormatError if there is a chunk of a type that the file must not have."""
    for chunk in chunks:
        if chunk.type in types:
            raise FormatError(f"chunk {chunk.name} {where}", chunk.offset)


def layer_chunks(file: ParsedFile, layers: int | None) -> list[Chunk]:
    """Return the chunks of the first layers, or of all layers if None."""
    return list(file.layers.chunks[: layer_count(file, layers)])


def layer_count(file: ParsedFile, layers: int | None) -> int:
    """Check a number of layers and return it; None becomes the number of all layers.

    Raises
    ------
    ValueError
        `layers` is negative or above the file's number of layers.
    """
    if layers is None:
        return file.steps
    if not 0 <= integer("layers", layers) <= file.steps:
        raise ValueError(f"layers: expected 0 to {file.steps}, got {layers}")
    return layers


def enough_layers(file: ParsedFile, gaussians: int) -> int | None:
    """Return how many first layers hold at least `gaussians` Gaussians; None for all layers."""
    if not isinstance(file.content, LayerContent):
        return None
    count = 0
    for index, chunk in enumerate(file.content.chunks):
        count += _gaussians_in(chunk)
        if count >= gaussians:
            return index + 1
    return None


def _gaussians_in(layer: Chunk) -> int:
    """Return the number of Gaussians that a layer announces."""
    data, offset = layer.payload, layer.payload_offset
    if len(data) < 2:
        raise FormatError("a layer does not decode", offset)
    classes = int.from_bytes(data[:2], "little").bit_count()
    total, position = 0, 2
    for _ in range(classes):
        count, position = read_varint(data, position, offset=offset)
        total += count
    return total


def bad_alpha_map(file: ParsedFile) -> FormatError:
    """Return the error of a file whose map of alpha does not decode."""
    head = file.chunks[0]
    end = head.payload_offset + len(head.payload)
    return FormatError("the map of alpha does not decode", end - len(file.header.alpha_map))


def check_layers(file: ParsedFile, chunks: list[Chunk], whole: int, found: int) -> None:
    """Raise an error if the decoded layers do not match the header.

    Parameters
    ----------
    file : ParsedFile
        The file of the layers.
    chunks : list of Chunk
        The layers that were given to the decoder.
    whole : int
        Number of layers that the decoder decoded.
    found : int
        Number of Gaussians in the decoded layers.

    Raises
    ------
    FormatError
        A layer does not decode, or the number of Gaussians in all layers is not the header's.
    """
    header = file.header
    if whole < len(chunks):
        raise FormatError("a layer does not decode", chunks[whole].payload_offset)
    if len(chunks) == header.layers and found != header.gaussians:
        raise FormatError(
            f"the header announces {header.gaussians} Gaussians, found {found}",
            file.chunks[0].payload_offset,
        )


def too_much_work(file: ParsedFile) -> FormatError:
    """Return the error of a file that needs more work than its header announces."""
    announced = f"the header announces work of {file.header.work} blocks, found more"
    return FormatError(announced, file.chunks[0].payload_offset)


def _parameters_offset(head: Chunk, header: Header) -> int:
    """Return the offset in bytes of the quantizer parameters in the file."""
    end = head.payload_offset + len(head.payload)
    return end - len(header.alpha_map) - len(header.parameters)
