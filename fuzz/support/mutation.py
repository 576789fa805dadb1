"""Changes of bytes that a fuzzer tries, of any bytes and of the chunks of a `.gimg` file."""

import random
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SIGNATURE = b"\x8bGIMG\r\n\n"

_EDGES = [0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 192, 254, 255]
_WIDE_EDGES = [0, 1, 2**15, 2**16 - 1, 2**16, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1, 2**63]


def read_dictionary(path: Path) -> list[bytes]:
    """Return the words of a dictionary of libFuzzer."""
    found = re.findall(r'^(?:\w+=)?"(.*)"$', path.read_text(encoding="ascii"), re.MULTILINE)
    return [word.encode("ascii").decode("unicode_escape").encode("latin-1") for word in found]


WORDS = read_dictionary(Path(__file__).parents[1] / "gimg.dict")


def mutate_bytes(data: bytes, rng: random.Random, words: Sequence[bytes] = WORDS) -> bytes:
    """Return bytes with one to a few changes, each of a kind that libFuzzer makes too."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        _change(out, rng, words)
    return bytes(out)


def _change(out: bytearray, rng: random.Random, words: Sequence[bytes]) -> None:
    place = rng.randrange(len(out) + 1)
    length = min(len(out) - place, 1 + int(rng.expovariate(0.2)))
    kind = rng.randrange(9)
    if kind == 0 and out:
        out[place % len(out)] ^= 1 << rng.randrange(8)
    elif kind == 1 and out:
        out[place % len(out)] = rng.choice(_EDGES)
    elif kind == 2 and out:
        at = place % len(out)
        out[at] = (out[at] + rng.randint(-4, 4)) % 256
    elif kind == 3:
        del out[place : place + length]
    elif kind == 4:
        out[place:place] = rng.randbytes(length)
    elif kind == 5:
        source = rng.randrange(len(out) + 1)
        out[place : place + length] = out[source : source + length]
    elif kind == 6:
        width = rng.choice([1, 2, 4, 8])
        value = rng.choice(_WIDE_EDGES) % 256**width
        out[place : place + width] = value.to_bytes(width, rng.choice(["little", "big"]))
    elif kind == 7 and words:
        word = rng.choice(words)
        out[place : place + rng.choice([0, len(word)])] = word
    else:
        out[place:place] = bytes([rng.choice(_EDGES)]) * rng.choice([1, 2, 16, 64])


class RawChunk(NamedTuple):
    """A chunk that nothing has checked.

    Attributes
    ----------
    type, payload : bytes
    """

    type: bytes
    payload: bytes


def read_raw(data: bytes) -> list[RawChunk]:
    """Return the chunks of any bytes but for ``GEND``; checksums are not looked at."""
    chunks, position = [], len(SIGNATURE)
    while position + 4 < len(data):
        kind, length, shift, position = data[position : position + 4], 0, 0, position + 4
        while position < len(data) and shift < 64:
            length |= (data[position] & 127) << shift
            shift += 7
            position += 1
            if data[position - 1] < 128:
                break
        if kind != b"GEND":
            chunks.append(RawChunk(kind, data[position : position + length]))
        position += length + 4
    return chunks


def varint(value: int) -> bytes:
    """Return an integer in groups of seven bits, the lowest first."""
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def write_chunk(chunk: RawChunk) -> bytes:
    """Return the bytes of a chunk; its length and checksum are right."""
    body = chunk.type + varint(len(chunk.payload)) + chunk.payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def write_raw(chunks: Sequence[RawChunk]) -> bytes:
    """Return a file of these chunks and ``GEND``."""
    return SIGNATURE + b"".join(map(write_chunk, [*chunks, RawChunk(b"GEND", b"")]))


def mutate_file(data: bytes, rng: random.Random) -> bytes:
    """Return a `.gimg` file with changes in its chunks; nearly always its checksums are right."""
    chunks = read_raw(data)
    if not chunks or rng.random() < 0.03:
        return mutate_bytes(data, rng)
    which = rng.randrange(len(chunks))
    kind = rng.randrange(16)
    if kind == 0:
        chunks.insert(which, rng.choice(chunks))
    elif kind == 1:
        del chunks[which]
    elif kind == 2:
        chunks.append(chunks.pop(which))
    elif kind == 3:
        name = rng.choice([b"LAYR", b"gRAN", b"iCCP", b"eXIF", b"xXMP", b"QUAN", b"abcd", b"TIDX"])
        chunks[which] = RawChunk(name, chunks[which].payload)
    elif kind == 4:  # the header alone decides what is accepted at all
        chunks[0] = RawChunk(chunks[0].type, mutate_bytes(chunks[0].payload, rng))
    else:
        chunks[which] = RawChunk(chunks[which].type, mutate_bytes(chunks[which].payload, rng))
    whole = write_raw(chunks)
    return whole[: rng.randrange(len(whole))] if rng.random() < 0.03 else whole
