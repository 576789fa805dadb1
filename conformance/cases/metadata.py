"""Cases of section 3: ICC profile, EXIF and XMP."""

import zlib
from collections.abc import Iterator

from cases.case import Invalid, Valid, rebuild, split, varint
from cases.layers import file, random_layer

KINDS = ("iCCP", "eXIF", "xXMP")
TEXT = b"some metadata, which no reader looks into; " * 5


def packed(data: bytes, level: int = 9) -> bytes:
    """Return the payload of a chunk of metadata."""
    return varint(len(data)) + zlib.compress(data, level)


def base() -> list[tuple[str, bytes]]:
    return split(file([random_layer(8, 6, 3)], 3))


def valid() -> Iterator[Valid]:
    head, layer = base()
    for kind in KINDS:
        yield Valid(f"metadata-{kind}", rebuild([head, (kind, packed(TEXT)), layer]), "3", kind)
    everything = [(kind, packed(kind.encode() * 9)) for kind in KINDS]
    for name, chunks in (
        ("all", [head, *everything, layer]),
        ("behind-layers", [head, layer, *reversed(everything)]),
        ("one-byte", [head, ("eXIF", packed(b"x")), layer]),
        ("stored", [head, ("iCCP", packed(TEXT, 0)), layer]),
        ("high-ratio", [head, ("xXMP", packed(bytes(100_000))), layer]),
    ):
        yield Valid(f"metadata-{name}", rebuild(chunks), "3", name)
    flushed = zlib.compressobj(9, wbits=9)
    pieces = b"".join(flushed.compress(TEXT) + flushed.flush(zlib.Z_FULL_FLUSH) for _ in range(3))
    payload = varint(3 * len(TEXT)) + pieces + flushed.flush()
    yield Valid(
        "metadata-small-window",
        rebuild([head, ("iCCP", payload), layer]),
        "3",
        "several blocks, a window of 512 bytes",
    )


def invalid() -> Iterator[Invalid]:
    head, layer = base()
    good = packed(TEXT)
    size, stream = varint(len(TEXT)), zlib.compress(TEXT, 9)
    preset = zlib.compressobj(zdict=b"metadata")
    for name, about, payload in (
        ("empty", "no bytes", b""),
        ("size-0", "a size of 0", varint(0) + zlib.compress(b"")),
        ("size-alone", "a size and no stream", size),
        (
            "size-above",
            "a size above 1032 times the stream",
            varint(1032 * len(stream) + 1) + stream,
        ),
        ("one-more", "a byte more than announced", varint(len(TEXT) - 1) + stream),
        ("one-less", "a byte less than announced", varint(len(TEXT) + 1) + stream),
        (
            "long-size",
            "a size in more bytes than it needs",
            bytes([size[0], size[1] | 128, 0]) + stream,
        ),
        ("surplus", "a byte behind the stream", good + b"\0"),
        ("cut", "a stream that is cut", good[:-5]),
        ("no-checksum", "a stream without its checksum", good[:-4]),
        ("bad-checksum", "a wrong checksum", good[:-1] + bytes([good[-1] ^ 1])),
        ("no-zlib", "no zlib stream", size + TEXT),
        ("raw-deflate", "DEFLATE without zlib's header", size + stream[2:-4]),
        ("dictionary", "a preset dictionary", size + preset.compress(TEXT) + preset.flush()),
        ("two-streams", "two streams", varint(2 * len(TEXT)) + stream + stream),
    ):
        data = rebuild([head, ("iCCP", payload), layer])
        yield Invalid(f"metadata-{name}", data, "format", "3", about)
    for kind in KINDS:
        data = rebuild([head, (kind, good), layer, (kind, good)])
        yield Invalid(f"metadata-two-{kind}", data, "format", "3", f"two chunks {kind}")
    huge = varint(2**24 + 1) + zlib.compress(bytes(2**24 + 1), 9)
    yield Invalid(
        "metadata-limit",
        rebuild([head, ("xXMP", huge), layer]),
        "limit",
        "3",
        "metadata of 2^24 + 1 bytes, which the reference implementation refuses",
    )
