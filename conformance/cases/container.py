"""Cases of section 1: the signature, the chunks and their checksums."""

from collections.abc import Iterator

from cases.case import END, SIGNATURE, Invalid, Valid, chunk, join, rebuild, split, starts
from cases.layers import file, random_layer


def base() -> bytes:
    """Return a file of two layers."""
    return file([random_layer(i, 9, 3) for i in range(2)], 3)


def valid() -> Iterator[Valid]:
    chunks = split(base())
    for place in range(1, 4):
        yield Valid(
            f"container-unknown-at-{place}",
            rebuild([*chunks[:place], ("zZZZ", b"later"), *chunks[place:]]),
            "1",
            "an unknown ancillary chunk",
        )
    for name, others in (
        ("empty", [("aNY0", b"")]),
        ("twice", [("aNY0", b"one"), ("aNY0", b"two")]),
        ("of-digits", [("x123", b"digits")]),
        ("like-critical", [("lAYR", b"no layer"), ("hEAD", b""), ("gEND", b"")]),
        ("127-bytes", [("aNY0", bytes(127))]),
        ("128-bytes", [("aNY0", bytes(128))]),
        ("16384-bytes", [("aNY0", bytes(16384))]),
    ):
        yield Valid(
            f"container-unknown-{name}",
            rebuild([chunks[0], *others, *chunks[1:]]),
            "1",
            f"unknown ancillary chunks: {name}",
        )


def invalid() -> Iterator[Invalid]:
    data = base()
    yield Invalid("container-nothing", b"", "truncated", "1", "no bytes")
    for length in (1, 4, 7):
        yield Invalid(
            f"container-signature-of-{length}",
            data[:length],
            "truncated",
            "1",
            f"{length} bytes of the signature",
        )
    for name, signature in (
        ("seven-bits", bytes(byte & 127 for byte in SIGNATURE)),
        ("cr-lf-to-lf", SIGNATURE.replace(b"\r\n", b"\n")),
        ("lf-to-cr-lf", SIGNATURE.replace(b"\n", b"\r\n")),
        ("of-png", b"\x89PNG\r\n\x1a\n"),
        ("small-letters", SIGNATURE.lower()),
    ):
        yield Invalid(
            f"container-signature-{name}",
            signature + data[8:],
            "format",
            "1",
            f"the signature is another one: {name}",
        )
    head, first, second, end = starts(data)
    for name, at in (
        ("behind-signature", 8),
        ("in-type", head + 2),
        ("in-length", head + 4),
        ("in-head", head + 9),
        ("in-head-crc", first - 2),
        ("behind-head", first),
        ("in-layer", first + 20),
        ("between-layers", second),
        ("before-end", end),
        ("in-end", end + 3),
        ("in-end-crc", end + 8),
    ):
        yield Invalid(f"container-cut-{name}", data[:at], "truncated", "1", f"the file ends {name}")
    for name, more in (("byte", b"\0"), ("chunk", chunk("aNY0")), ("end", END), ("file", data)):
        yield Invalid(
            f"container-{name}-behind", data + more, "format", "1", f"a {name} behind GEND"
        )
    flipped = [("head", head + 7), ("layer", first + 30), ("head-crc", first - 1)]
    for name, at in [*flipped, ("layer-crc", second - 3), ("end-crc", len(data) - 1)]:
        changed = bytearray(data)
        changed[at] ^= 16
        yield Invalid(
            f"container-flipped-{name}",
            bytes(changed),
            "format",
            "1",
            f"a bit of the {name} is wrong, which the checksum tells",
        )
    chunks = split(data)
    unknown = bytearray(rebuild([*chunks, ("zZZZ", b"later")]))
    unknown[-16] ^= 1
    yield Invalid(
        "container-flipped-unknown",
        bytes(unknown),
        "format",
        "1",
        "a wrong checksum of an unknown ancillary chunk",
    )
    for name, kind in (
        ("small-second", b"LaYR"),
        ("small-last", b"LAYr"),
        ("digit-first", b"1AYR"),
        ("space", b"LAY "),
        ("zero", b"\0AYR"),
        ("high", b"\xccAYR"),
        ("bracket", b"[AYR"),
        ("at", b"LA@R"),
    ):
        parts = [chunk(*chunks[0]), chunk(kind, b"later"), *(chunk(*pair) for pair in chunks[1:])]
        yield Invalid(
            f"container-type-{name}", join(parts), "format", "1", f"a chunk of type {kind!r}"
        )
    for name, kind in (("unknown", "ZZZZ"), ("digits", "A000")):
        yield Invalid(
            f"container-critical-{name}",
            rebuild([*chunks, (kind, b"later")]),
            "unsupported",
            "1",
            f"a critical chunk of type {kind}",
        )
    parts = [chunk(*pair) for pair in chunks]
    for name, length in (
        ("long", b"\x85\x00"),
        ("above-2-31", b"\x80\x80\x80\x80\x08"),
        ("of-11-bytes", b"\x80" * 10 + b"\x01"),
        ("above-2-64", b"\xff" * 9 + b"\x02"),
    ):
        odd = chunk("aNY0", b"later", length=length)
        yield Invalid(
            f"container-length-{name}",
            join([*parts, odd]),
            "format",
            "1",
            f"the length of a chunk: {name}",
        )
    yield Invalid(
        "container-length-beyond",
        join([*parts, chunk("aNY0", b"later", length=b"\x7f")]),
        "truncated",
        "1",
        "a chunk that is longer than the file",
    )
    yield Invalid("container-no-head", rebuild(chunks[1:]), "format", "1", "no HEAD")
    yield Invalid(
        "container-head-second",
        rebuild([chunks[1], chunks[0], chunks[2]]),
        "format",
        "1",
        "HEAD is not the first chunk",
    )
    yield Invalid(
        "container-two-heads", rebuild([chunks[0], *chunks]), "format", "1", "two HEAD chunks"
    )
    yield Invalid("container-end-alone", SIGNATURE + END, "format", "1", "GEND alone")
    full = SIGNATURE + b"".join(parts) + chunk("GEND", b"x")
    yield Invalid("container-end-of-a-byte", full, "format", "1", "GEND is not empty")
