"""The head of a file: its header and metadata, read from a stream without the Gaussians."""

import os
from dataclasses import dataclass
from typing import BinaryIO

from gaussianimage.codec.decoder.file import DEFAULT_LIMITS
from gaussianimage.codec.format.container import END, HEAD, SIGNATURE, read_whole_chunks
from gaussianimage.codec.format.header import Header, Limits
from gaussianimage.codec.format.metadata import TYPES, Metadata
from gaussianimage.codec.format.varint import read_varint
from gaussianimage.errors import FormatError, LimitError

# Most chunks to read; a file of 255 layers has fewer. A hostile file may have millions of empty
# chunks, and each costs a seek.
MOST_CHUNKS = 1024

# Bytes of the shortest chunk: type, a length of 0, checksum. A length takes at most 5 bytes.
_LEAST_CHUNK = 9


@dataclass(frozen=True)
class FileHead:
    """The header and the metadata of a file.

    Attributes
    ----------
    header : Header
        The header.
    metadata : Metadata
        The kinds whose chunks come before the first damage.
    size : int
        Size of the whole file in bytes.
    """

    header: Header
    metadata: Metadata
    size: int


def read_head(stream: BinaryIO, *, limits: Limits = DEFAULT_LIMITS) -> FileHead:
    """Read the header and the metadata of a file, and skip every other chunk.

    Parameters
    ----------
    stream : BinaryIO
        A seekable stream with the file at its start. Its position is changed.
    limits : Limits, optional
        Limits above which a file is refused; only `max_metadata` applies.

    Returns
    -------
    FileHead

    Raises
    ------
    FormatError
        The header is damaged, or metadata with a valid checksum is invalid. `TruncatedError` if
        the file ends inside the header.
    UnsupportedError
        The file needs a newer reader.
    LimitError
        Metadata is larger than ``max_metadata`` allows.
    OSError
        The stream can't be read.
    """
    stream.seek(0, os.SEEK_END)  # some streams do not return the position here
    size = stream.tell()
    stream.seek(0)
    chunks, _ = read_whole_chunks(_without_content(stream, size, limits))
    header = Header.from_chunk(chunks[0])
    return FileHead(header, Metadata.from_chunks(chunks, limits), size)


def _without_content(stream: BinaryIO, size: int, limits: Limits) -> bytes:
    """Return the bytes of the file without the chunks that hold Gaussians."""
    kept = bytearray(stream.read(len(SIGNATURE)))
    position = len(SIGNATURE)
    if kept != SIGNATURE:
        return bytes(kept)
    for index in range(MOST_CHUNKS):
        stream.seek(position)
        start = stream.read(_LEAST_CHUNK)
        kind = start[:4]
        try:
            length, payload_start = read_varint(start, 4)
        except FormatError:
            return bytes(kept + start)
        end = position + payload_start + length + 4
        if index == 0 or kind in TYPES.values():
            if kind != HEAD and length > 2 * limits.max_metadata:
                raise LimitError(
                    f"the chunk at byte {position} has {length} bytes, above twice the limit "
                    f"max_metadata={limits.max_metadata}"
                )
            kept += start + stream.read(max(0, min(end, size) - position - len(start)))
        if kind == END or end > size:
            break
        position = end
    return bytes(kept)
