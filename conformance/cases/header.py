"""Cases of section 2: the header."""

from collections.abc import Iterator
from typing import Any

from cases.case import Invalid, Valid, rebuild, split, varint
from cases.layers import file, random_layer

# The fields of a header in their order, and how many bytes a fixed one has; 0 for a varint.
FIELDS = {
    "version": 1,
    "minimum": 1,
    "flags": 1,
    "height": 0,
    "width": 0,
    "gaussians": 0,
    "layers": 1,
    "q_max": 2,
    "work": 0,
    "color_index": 1,
    "shape_index": 1,
}


def parse(payload: bytes) -> dict[str, Any]:
    """Return the fields of a header; what is behind the last field is `rest`."""
    from plain.varint import varint as read

    fields: dict[str, Any] = {}
    position = 0
    for name, size in FIELDS.items():
        if size:
            fields[name] = int.from_bytes(payload[position : position + size], "little")
            position += size
        else:
            fields[name], position = read(payload, position)
    fields["rest"] = payload[position:]
    return fields


def build(fields: dict[str, Any]) -> bytes:
    """Return the payload of a header; a field of bytes stands for itself."""
    out = b""
    for name, size in FIELDS.items():
        value = fields[name]
        if isinstance(value, bytes):
            out += value
        else:
            out += value.to_bytes(size, "little") if size else varint(value)
    return out + bytes(fields["rest"])


def with_fields(data: bytes, **changes: Any) -> bytes:
    """Return a file with other fields in its header."""
    (kind, payload), *others = split(data)
    return rebuild([(kind, build(parse(payload) | changes)), *others])


def base(channels: int = 3) -> bytes:
    return file([random_layer(1, 9, channels)], channels)


def valid() -> Iterator[Valid]:
    for version, minimum in ((2, 1), (255, 1)):
        yield Valid(
            f"header-version-{version}",
            with_fields(base(), version=version, minimum=minimum),
            "2",
            f"version {version}, of which readers of version 1 can read the file",
        )
    for channels in (1, 2, 3, 4):
        for deep in (False, True):
            yield Valid(
                f"header-nothing-{channels}-{16 if deep else 8}",
                file([], channels, height=3, width=5, deep=deep),
                "2",
                f"no Gaussians, {channels} channels, {16 if deep else 8} bits",
            )
            yield Valid(
                f"header-channels-{channels}-{16 if deep else 8}",
                file([random_layer(20 + channels, 30, channels)], channels, deep=deep),
                "2",
                f"{channels} channels, {16 if deep else 8} bits",
            )
    for level in (0, 1, 32767, 65535):
        yield Valid(
            f"header-background-{level}",
            file([], 3, height=2, width=2, background=(level, 65535 - level, level)),
            "2",
            f"a background of {level} / 65535",
        )
    for q_max in (1, 2047, 2048, 7168, 9216, 65535):
        yield Valid(
            f"header-q-max-{q_max}",
            with_fields(
                file([random_layer(4, 12, 3, largest=2)], 3, q_max=q_max / 2048),
            ),
            "2",
            f"a cut-off of {q_max} / 2048",
        )
    full = parse(split(base())[0][1])
    most = full["gaussians"] * (64 + -(-full["width"] // 8) * (16 + full["height"]))
    yield Valid(
        "header-most-work", with_fields(base(), work=most), "2", "the largest work that is allowed"
    )
    for height, width in (
        *((1, 1), (1, 2), (2, 1), (1, 7), (7, 1), (8, 8), (9, 8), (8, 9), (16, 17), (17, 16)),
        *((1, 70), (70, 1), (3, 200), (200, 3), (31, 33), (64, 64)),
    ):
        channels = 1 + (height + width) % 4
        count = min(40, 3 + height * width // 4)
        yield Valid(
            f"header-size-{height}x{width}",
            file(
                [random_layer(height * 1000 + width, count, channels, height=height, width=width)],
                channels,
                height=height,
                width=width,
            ),
            "2",
            f"a picture of {height} by {width} pixels",
        )
    for height, width in ((1, 65536), (65536, 1), (1, 2049), (2048, 1)):
        yield Valid(
            f"header-size-{height}x{width}",
            file(
                [random_layer(7, 20, 1, height=height, width=width, classes=(3, 16))],
                1,
                height=height,
                width=width,
            ),
            "2",
            f"a picture of {height} by {width} pixels",
        )


def invalid() -> Iterator[Invalid]:
    def case(name: str, about: str, error: str = "format", **changes: Any) -> Invalid:
        return Invalid(f"header-{name}", with_fields(base(), **changes), error, "2", about)

    yield case("version-0", "version 0", version=0)
    yield case("minimum-0", "a minimum reader of 0", minimum=0)
    yield case("minimum-2", "a file for readers of version 2", "unsupported", version=2, minimum=2)
    yield case(
        "minimum-255", "a file for readers of version 255", "unsupported", version=255, minimum=255
    )
    fields = parse(split(base())[0][1])
    for bit in range(4, 8):
        flags = fields["flags"] | 1 << bit
        yield case(f"flag-{bit}", f"flag {bit} is set, which is reserved", flags=flags)
    flags = fields["flags"]
    yield case(
        "map-of-rgb",
        "a map of alpha in a picture of three channels",
        flags=flags | 8,
        rest=fields["rest"] + b"\x01",
    )
    yield Invalid(
        "header-map-of-gray",
        with_fields(base(1), flags=8, rest=parse(split(base(1))[0][1])["rest"] + b"\x01"),
        "format",
        "2",
        "a map of alpha in a picture of one channel",
    )
    four = parse(split(base(4))[0][1])
    yield Invalid(
        "header-no-map",
        with_fields(base(4), flags=four["flags"] | 8),
        "format",
        "2",
        "flag 3 is set and there is no map",
    )
    yield Invalid(
        "header-map-without-flag",
        with_fields(base(4), rest=four["rest"] + b"\x01"),
        "format",
        "2",
        "a byte behind the background, and flag 3 is not set",
    )
    for side in ("height", "width"):
        yield case(f"{side}-0", f"a {side} of 0", **{side: 0})
        yield case(f"{side}-above-2-24", f"a {side} of 2^24 + 1", **{side: 2**24 + 1})
        yield case(
            f"{side}-long-integer", f"a {side} in more bytes than it needs", **{side: b"\x8c\x00"}
        )
    yield case("gaussians-above-2-28", "2^28 + 1 Gaussians", gaussians=2**28 + 1)
    yield case("more-gaussians", "a Gaussian more than the layers have", gaussians=10)
    yield case("fewer-gaussians", "a Gaussian less than the layers have", gaussians=8)
    yield case("layers-0", "9 Gaussians in 0 layers", layers=0)
    yield case("layers-10", "10 layers of 9 Gaussians", layers=10)
    yield case("layers-2", "2 layers announced, 1 in the file", layers=2)
    yield Invalid(
        "header-nothing-in-a-layer",
        with_fields(file([], 3), layers=1),
        "format",
        "2",
        "0 Gaussians in 1 layer",
    )
    yield case("q-max-0", "a cut-off of 0", q_max=0)
    most = 9 * (64 + -(-fields["width"] // 8) * (16 + fields["height"]))
    yield case("work-above", "more work than any file of this size takes", work=most + 1)
    yield case("work-below", "half of the work that the Gaussians take", work=fields["work"] // 2)
    yield case("work-64-per-gaussian", "work for Gaussians, none for blocks", work=9 * 64)
    yield case("work-10-bytes", "a work of more than 64 bits", work=b"\xff" * 9 + b"\x02")
    yield case("shape-index-63", "a shape index of 63", shape_index=63)
    yield case("shape-index-193", "a shape index of 193", shape_index=193)
    yield case("surplus", "a byte behind the background", rest=fields["rest"] + b"\x00")
    payload = split(base())[0][1]
    for length in (0, 2, 3, 5, 7, 9, len(payload) - 7, len(payload) - 1):
        (kind, _), *others = split(base())
        yield Invalid(
            f"header-of-{length}-bytes",
            rebuild([(kind, payload[:length]), *others]),
            "format",
            "2",
            f"a header of {length} bytes",
        )
    for name, about, changes in (
        ("pixels", "2^48 pixels", {"height": 2**24, "width": 2**24, "work": 64 * 9}),
        ("side", "a side of 2^24 pixels", {"height": 1, "width": 2**24, "work": 64 * 9}),
        ("gaussians", "2^28 Gaussians", {"gaussians": 2**28}),
    ):
        yield case(f"limit-{name}", about, "limit", **changes)
