"""The chunks that carry a picture's ICC profile, EXIF and XMP, compressed."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, fields

from gaussianimage.codec.format.container import Chunk
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.varint import read_varint, write_varint
from gaussianimage.errors import FormatError

TYPES = {"icc": b"iCCP", "exif": b"eXIF", "xmp": b"xXMP"}

# DEFLATE turns 258 bytes into 2 bits at best.
_MAX_RATIO = 1032


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The ICC profile, EXIF and XMP that a file carries; none of them is interpreted.

    Attributes
    ----------
    icc, exif, xmp : bytes or None
        Data of each kind: None or not empty.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    def to_chunks(self) -> list[Chunk]:
        """Return a chunk for each kind of metadata that is present."""
        chunks = []
        for item in fields(self):
            data = getattr(self, item.name)
            if data:
                payload = write_varint(len(data)) + zlib.compress(data, 9)
                chunks.append(Chunk(TYPES[item.name], payload))
        return chunks

    @classmethod
    def from_chunks(cls, chunks: Iterable[Chunk], limits: Limits) -> "Metadata":
        """Return the metadata among a file's chunks.

        Raises
        ------
        FormatError
            A chunk of metadata is invalid or occurs twice.
        LimitError
            A chunk is larger than ``max_metadata`` allows.
        """
        names = {kind: name for name, kind in TYPES.items()}
        found: dict[str, bytes] = {}
        for chunk in chunks:
            name = names.get(chunk.type)
            if name is None:
                continue
            if name in found:
                raise FormatError(f"chunk {chunk.name} occurs twice", chunk.offset)
            found[name] = _decompress(chunk, limits)
        return cls(**found)


def _decompress(chunk: Chunk, limits: Limits) -> bytes:
    offset = chunk.payload_offset
    size, position = read_varint(chunk.payload, 0, offset=offset)
    compressed = chunk.payload[position:]
    if not 0 < size <= _MAX_RATIO * len(compressed):
        raise FormatError(f"chunk {chunk.name} cannot hold {size} bytes", offset)
    limits.require("max_metadata", size, f"the size of chunk {chunk.name} in bytes")
    stream = zlib.decompressobj()
    try:
        # The output is limited to the declared size, so a bomb costs no more than it declares.
        data = stream.decompress(compressed, size)
        surplus = stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise FormatError(f"chunk {chunk.name} does not decompress: {error}", offset) from None
    if len(data) != size or surplus or not stream.eof or stream.unused_data:
        raise FormatError(f"chunk {chunk.name} does not hold {size} bytes as declared", offset)
    return data
