"""The container of a `.gimg` file: a signature, then chunks that each carry a checksum.

docs/format.md specifies the container. Other modules read and write the payloads of the chunks.
"""

import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from gaussianimage.codec.format.varint import Buffer, read_varint, write_varint
from gaussianimage.errors import FormatError, TruncatedError, UnsupportedError

# A byte above 127 reveals a transfer that drops the top bit; CR LF and LF reveal a transfer that
# changes line ends.
SIGNATURE = b"\x8bGIMG\r\n\n"
EXTENSION = ".gimg"
MIME_TYPE = "image/x-gaussianimage"
HEAD = b"HEAD"
LAYER = b"LAYR"
QUANTIZERS = b"QUAN"
GAUSSIANS = b"GAUS"
TILE_INDEX = b"TIDX"
TILE_CHUNK = b"TILE"
END = b"GEND"
MAX_PAYLOAD = 2**31 - 1

_TYPE = re.compile(rb"[A-Za-z][A-Z0-9]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file.

    Attributes
    ----------
    type : bytes
        Four ASCII characters: a letter, then capitals or digits. A chunk whose first letter is a
        capital is critical: a reader must understand it. A reader may skip any other chunk.
    payload : bytes or memoryview
        Content of the chunk; in a chunk that was read, a view into the file's bytes.
    offset : int
        Offset of the chunk in the file, in bytes; 0 for a chunk to be written.
    """

    type: bytes
    payload: bytes | memoryview
    offset: int = 0

    @property
    def name(self) -> str:
        """The chunk's type as text."""
        return self.type.decode("ascii")

    @property
    def critical(self) -> bool:
        """Whether a reader must understand the chunk."""
        return self.type[:1].isupper()

    @property
    def payload_offset(self) -> int:
        """Offset of the payload in the file, in bytes."""
        return self.offset + len(self.type) + len(write_varint(len(self.payload)))


def write_chunks(chunks: Iterable[Chunk]) -> bytes:
    """Return the bytes of a file that holds the chunks in their order.

    Parameters
    ----------
    chunks : iterable of Chunk
        The first chunk must have the type ``HEAD``, and no other. The closing ``GEND`` is added.

    Raises
    ------
    ValueError
        A type or a length is invalid, or the first chunk is not the only ``HEAD``.
    """
    chunks = [*chunks]
    if any(chunk.type == END for chunk in chunks):
        raise ValueError("GEND is added by write_chunks")
    out = bytearray(SIGNATURE)
    for i, chunk in enumerate([*chunks, Chunk(END, b"")]):
        if not _TYPE.fullmatch(chunk.type):
            raise ValueError(f"chunk type must be like b'LAYR' or b'iCCP', got {chunk.type!r}")
        if (chunk.type == HEAD) != (i == 0):
            raise ValueError("the first chunk, and no other, must be HEAD")
        if len(chunk.payload) > MAX_PAYLOAD:
            raise ValueError(f"chunk {chunk.name} is longer than {MAX_PAYLOAD} bytes")
        out += chunk_bytes(chunk)
    return bytes(out)


def chunk_bytes(chunk: Chunk) -> bytes:
    """Return the bytes of one chunk: type, length, payload, checksum."""
    body = chunk.type + write_varint(len(chunk.payload)) + chunk.payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def read_chunks(data: Buffer) -> list[Chunk]:
    """Return the chunks of a whole file, without the closing ``GEND``.

    Raises
    ------
    TruncatedError
        The file ends before its ``GEND``.
    FormatError
        The data is not a `.gimg` file, or is damaged.
    """
    return list(iterate_chunks(data))


def read_whole_chunks(data: Buffer) -> tuple[list[Chunk], FormatError | None]:
    """Return the chunks before the first damage, and the error, which is None for a whole file.

    Raises
    ------
    FormatError
        The ``HEAD`` chunk is damaged.
    """
    chunks: list[Chunk] = []
    try:
        for chunk in iterate_chunks(data):
            chunks.append(chunk)  # noqa: PERF402  (the chunks before an error are kept)
    except FormatError as error:
        if not chunks:
            raise
        return chunks, error
    return chunks, None


def require_known(chunks: Iterable[Chunk], known: Collection[bytes]) -> None:
    """Refuse a file that has a critical chunk of an unknown type.

    Raises
    ------
    UnsupportedError
        The file has a critical chunk of an unknown type and needs a newer reader.
    """
    for chunk in chunks:
        if chunk.critical and chunk.type not in known:
            raise UnsupportedError(
                f"chunk {chunk.name} at byte {chunk.offset} is needed to decode this file, "
                "and this version does not know it"
            )


def iterate_chunks(data: Buffer) -> Iterator[Chunk]:
    """Yield the chunks of a file and check each one; the errors are those of `read_chunks`."""
    view = _view(data)
    check_signature(bytes(view[: len(SIGNATURE)]))
    position = len(SIGNATURE)
    chunk = None
    while chunk is None or chunk.type != END:
        first = chunk is None
        chunk, position = read_chunk(view, position)
        if (chunk.type == HEAD) != first:
            message = "chunk HEAD must come first, and only once"
            raise FormatError(f"{message}; found {chunk.name}", chunk.offset)
        if chunk.type != END:
            yield chunk
    if len(chunk.payload) > 0:
        raise FormatError("chunk GEND must be empty", chunk.offset)
    if position != len(view):
        raise FormatError(f"{len(view) - position} bytes follow the end of the file", position)


def _view(data: Buffer) -> memoryview:
    try:
        return memoryview(data).cast("B").toreadonly()
    except TypeError:
        kind = type(data).__name__
        raise TypeError(f"data: expected the bytes of a file, in one piece, got {kind}") from None


def read_chunk(view: memoryview, start: int) -> tuple[Chunk, int]:
    """Return the chunk at an offset, checked, and the offset behind it.

    Raises
    ------
    TruncatedError
        The view ends before the chunk does.
    FormatError
        The chunk is damaged.
    """
    kind = bytes(view[start : start + 4])
    if len(kind) < 4:
        raise TruncatedError(
            "the file is cut off: it ends where a chunk should start", start + len(kind)
        )
    if not _TYPE.fullmatch(kind):
        raise FormatError(f"expected a chunk type, found {kind.hex(' ')}", start)
    try:
        length, payload_start = read_varint(view, start + 4)
    except TruncatedError:
        raise TruncatedError(
            "the file is cut off inside the length of a chunk", len(view)
        ) from None
    name = kind.decode("ascii")
    if length > MAX_PAYLOAD:
        raise FormatError(f"chunk {name} claims {length} bytes, {MAX_PAYLOAD} at most", start)
    payload_end = payload_start + length
    if payload_end + 4 > len(view):
        raise TruncatedError(
            f"the file is cut off: chunk {name} needs {payload_end + 4 - start} bytes, "
            f"{len(view) - start} are left",
            start,
        )
    stored = int.from_bytes(view[payload_end : payload_end + 4], "little")
    found = zlib.crc32(view[start:payload_end])
    if stored != found:
        raise FormatError(
            f"chunk {name} is damaged: its CRC-32 is {found:08x}, {stored:08x} expected", start
        )
    return Chunk(kind, view[payload_start:payload_end], start), payload_end + 4


def check_signature(start: bytes) -> None:
    """Refuse bytes that are not the signature; the errors are those of `read_chunks`."""
    if start == SIGNATURE:
        return
    if not start:
        raise TruncatedError("the file is empty", 0)
    if SIGNATURE.startswith(start):
        raise TruncatedError(
            f"the file is cut off: it has {len(start)} bytes, less than the signature of a .gimg "
            "file",
            len(start),
        )
    if start[1:5] == SIGNATURE[1:5] or start.startswith(b"\xc2\x8bGIMG"):
        raise FormatError(
            "the file was damaged in transfer as text (its first bytes are "
            f"{start.hex(' ')}, not {SIGNATURE.hex(' ')})",
            0,
        )
    raise FormatError(
        f"not a .gimg file: it starts with {start.hex(' ')}, not {SIGNATURE.hex(' ')}", 0
    )
