"""Reading the start of a tiled file: header, index and metadata, but no tile."""

from gaussianimage.codec.decoder.ranges import START, ByteRanges
from gaussianimage.codec.format.container import (
    HEAD,
    SIGNATURE,
    TILE_CHUNK,
    TILE_INDEX,
    Chunk,
    check_signature,
    read_chunk,
)
from gaussianimage.codec.format.header import Header, Limits
from gaussianimage.codec.format.tiles import MAX_TILES, TileIndex
from gaussianimage.codec.format.varint import read_varint
from gaussianimage.errors import FormatError, LimitError

# A chunk's type, length and checksum at most.
_AROUND = 13
_INDEX_BYTES = 22 + 6 * MAX_TILES


def read_start(ranges: ByteRanges, limits: Limits) -> tuple[list[Chunk], TileIndex]:
    """Return the chunks of a tiled file before its tiles, and its index.

    Parameters
    ----------
    ranges : ByteRanges
        The file.
    limits : Limits
        Limits above which a file is refused; only `max_metadata` applies.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError
        The start is damaged, ends early, or needs a newer reader.
    LimitError
        There is more metadata than ``max_metadata`` allows.
    OSError
        The file can't be read.
    """
    data = ranges.read(0, START)
    check_signature(data[: len(SIGNATURE)])
    head, position = read_chunk(memoryview(data), len(SIGNATURE))
    if head.type != HEAD:
        raise FormatError(f"chunk HEAD must come first; found {head.name}", head.offset)
    header = Header.from_chunk(head)
    data = _with_chunk(ranges, data, position)
    chunk, position = read_chunk(memoryview(data), position)
    if chunk.type != TILE_INDEX:
        raise FormatError(f"expected chunk TIDX, found {chunk.name}", chunk.offset)
    index = TileIndex.from_chunk(chunk, header.height, header.width)
    if index.first < position:
        raise FormatError("the tiles start inside the index", chunk.payload_offset)
    most = 6 * (limits.max_metadata + _AROUND)
    if index.first - position > most:
        raise LimitError(
            f"{index.first - position} bytes are before the tiles, above six times the limit "
            f"max_metadata={limits.max_metadata}"
        )
    if index.first > len(data):
        data += ranges.read(len(data), index.first - len(data))
    chunks = [head, chunk]
    while position < index.first:
        chunk, position = read_chunk(memoryview(data)[: index.first], position)
        if chunk.type in (HEAD, TILE_INDEX, TILE_CHUNK):
            raise FormatError(f"chunk {chunk.name} in a wrong place", chunk.offset)
        chunks.append(chunk)
    return chunks, index


def _with_chunk(ranges: ByteRanges, data: bytes, position: int) -> bytes:
    """Return the data, lengthened to the end of the index that starts at a position."""
    try:
        length, start = read_varint(data, position + 4)
    except FormatError:
        return data  # the error is raised where the chunk is read
    end = start + min(length, _INDEX_BYTES) + 4
    return data + ranges.read(len(data), end - len(data)) if end > len(data) else data
