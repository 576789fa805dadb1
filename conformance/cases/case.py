"""What a case of the suite is, and the bytes that files are made of."""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

SIGNATURE = b"\x8bGIMG\r\n\n"
END = bytes.fromhex("47454e440080f12a6e")


class Valid(NamedTuple):
    """A file that every decoder must read."""

    name: str
    data: bytes
    section: str  # of docs/format.md
    about: str


class Invalid(NamedTuple):
    """A file that every decoder must refuse, and the error that says why."""

    name: str
    data: bytes
    error: str  # format, truncated, unsupported, limit or tile
    section: str
    about: str
    also: tuple[str, ...] = ()  # further answers that pass: kinds of errors, or ok


def varint(value: int) -> bytes:
    """Return an integer as docs/format.md writes it."""
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def chunk(kind: str | bytes, payload: bytes = b"", *, length: bytes | None = None) -> bytes:
    """Return a chunk with a right checksum; `length` replaces the bytes of its length."""
    kind = kind.encode("latin-1") if isinstance(kind, str) else kind
    body = kind + (varint(len(payload)) if length is None else length) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def join(chunks: Iterable[bytes]) -> bytes:
    """Return a file of chunks, with its signature and end."""
    return SIGNATURE + b"".join(chunks) + END


def split(data: bytes) -> list[tuple[str, bytes]]:
    """Return the types and payloads of the chunks of a valid file, without the end."""
    from plain.gimg import chunks

    return chunks(data)


def rebuild(chunks: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a file of chunks with right checksums."""
    return join(chunk(kind, payload) for kind, payload in chunks)


def starts(data: bytes) -> list[int]:
    """Return the offset of each chunk of a valid file, GEND included."""
    offsets = [len(SIGNATURE)]
    for kind, payload in split(data):
        offsets.append(offsets[-1] + len(chunk(kind, payload)))
    return offsets
