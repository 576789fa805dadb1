"""Cases of section 7: the profile of the paper."""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from paper_samples import paper_record

from cases.case import Invalid, Valid, chunk, join, rebuild, split, varint
from cases.header import build, parse
from cases.layers import file
from cases.metadata import packed
from gaussianimage.codec.paper_profile.file import STREAMS, encode_record


def paper(
    count: int = 20, seed: int = 0, *, stream: str = "plain", deep: bool = False, **options: Any
) -> bytes:
    """Return a file of random Gaussians."""
    record = paper_record(count, seed, **options)
    return encode_record(record, stream=stream, bit_depth=16 if deep else 8)


def valid() -> Iterator[Valid]:
    for stream in STREAMS:
        yield Valid(
            f"paper-{stream}", paper(stream=stream, repeats=True), "7.3", f"a stream: {stream}"
        )
        yield Valid(
            f"paper-{stream}-one", paper(1, stream=stream), "7.3", f"one Gaussian: {stream}"
        )
    kinds: dict[str, dict[str, Any]] = {
        "gray": {"channels": 1},
        "gray-alpha": {"channels": 2},
        "alpha": {"channels": 4, "stages": 1},
        "alpha-16": {"channels": 4, "deep": True},
        "gray-16": {"channels": 1, "deep": True},
        "rotation": {"rotation": True},
        "angle": {"rotation": True, "angle": True},
        "no-offset": {"offset": False},
        "half-pixel": {"half_pixel": True},
        "uniform": {"color": "uniform", "color_bits": 6},
        "widest": {"color": "uniform", "color_bits": 12, "shape_bits": 12, "stream": "interleaved"},
        "narrowest": {"color_bits": 1, "shape_bits": 1, "stages": 1, "stream": "entropy"},
        "eight-codebooks": {"stages": 8, "color_bits": 2},
        "codebook-of-256": {"stages": 1, "color_bits": 8, "channels": 1},
        "one-pixel": {"height": 1, "width": 1},
        "wide": {"height": 3, "width": 150},
    }
    for name, options in kinds.items():
        yield Valid(f"paper-{name}", paper(seed=len(name), **options), "7.2", name)
    yield Valid("paper-nothing", paper(0), "7.1", "no Gaussians")
    head, quan, gaus = split(paper(seed=5))
    yield Valid(
        "paper-metadata",
        rebuild([head, ("aNY0", b"later"), quan, ("iCCP", packed(b"a profile")), gaus]),
        "7.1",
        "metadata and an unknown chunk around the quantizers",
    )
    yield Valid(
        "paper-grain",
        rebuild([head, ("gRAN", b"no grain here"), quan, gaus]),
        "4.10",
        "a chunk gRAN, which means nothing here",
    )


def invalid() -> Iterator[Invalid]:
    head, quan, gaus = split(paper())

    def bad(name: str, section: str, about: str, chunks: Any, error: str = "format") -> Invalid:
        return Invalid(f"paper-{name}", rebuild(chunks), error, section, about)

    def quantizers(name: str, about: str, change: Any) -> Invalid:
        payload = change(bytearray(quan[1]))
        return bad(name, "7.2", about, [head, ("QUAN", bytes(payload)), gaus])

    def at(place: int, value: int) -> Any:
        return lambda payload: payload[:place] + bytes([value]) + payload[place + 1 :]

    def number(place: int, value: float) -> Any:
        packed = struct.pack("<f", value)
        return lambda payload: payload[:place] + packed + payload[place + 4 :]

    yield quantizers("stream-6", "stream 6", at(0, 6))
    yield quantizers("flags-16", "an unknown flag", at(1, 16))
    yield quantizers("angle-alone", "an angle without a rotation", at(1, 8))
    yield quantizers("shape-bits-0", "shapes of 0 bits", at(2, 0))
    yield quantizers("shape-bits-13", "shapes of 13 bits", at(2, 13))
    yield quantizers("color-bits-0", "colors of 0 bits", at(3, 0))
    yield quantizers("color-bits-9", "codebooks of 512 entries", at(3, 9))
    yield quantizers("codebooks-9", "9 codebooks", at(4, 9))
    yield quantizers("quantizers-short", "a number less", lambda payload: payload[:-4])
    yield quantizers("quantizers-long", "a byte more", lambda payload: payload + b"\0")
    yield quantizers("quantizers-of-4", "4 bytes", lambda payload: payload[:4])
    for name, value in (("nan", np.nan), ("infinity", np.inf), ("minus-infinity", -np.inf)):
        yield quantizers(f"scale-{name}", f"a scale of {name}", number(5, value))
        yield quantizers(f"color-{name}", f"a color of {name}", number(29, value))
    yield bad("no-quantizers", "7.1", "no QUAN", [head, gaus])
    yield bad("no-gaussians", "7.1", "no GAUS", [head, quan])
    yield bad("gaussians-first", "7.1", "GAUS before QUAN", [head, gaus, quan])
    yield bad("two-quantizers", "7.1", "two QUAN", [head, quan, quan, gaus])
    yield bad("two-gaussians", "7.1", "two GAUS", [head, quan, gaus, gaus])
    layer = split(file([], 3))
    yield bad("with-layer", "7.1", "a LAYR", [head, quan, gaus, ("LAYR", b"\0\0\0\0")])
    yield bad("in-layers-quantizers", "7.1", "QUAN in a file of layers", [layer[0], quan])
    yield bad("in-layers-gaussians", "7.1", "GAUS in a file of layers", [layer[0], gaus])
    yield bad(
        "critical",
        "1",
        "an unknown critical chunk",
        [head, quan, gaus, ("ZZZZ", b"")],
        "unsupported",
    )
    empty = split(paper(0))
    yield bad("gaussians-of-none", "7.1", "GAUS in a file of no Gaussians", [*empty, gaus])
    fields = header(head[1])
    for name, about, changes in (
        ("layers-2", "two layers", {"layers": 2}),
        ("layers-0", "no layers", {"layers": 0}),
        ("flag-3", "a map of alpha", {"flags": fields["flags"] | 8}),
        ("work", "half of the work that the Gaussians take", {"work": fields["work"] // 2}),
    ):
        section = "2" if name == "work" else "7.1"
        yield bad(name, section, about, [("HEAD", short(fields | changes)), quan, gaus])
    yield from streams()
    yield Invalid(
        "paper-cut",
        join([chunk(*head), chunk(*quan)])[:-9],
        "truncated",
        "1",
        "the file ends behind the quantizers",
    )


def header(payload: bytes) -> dict[str, Any]:
    """Return the fields of a header of the profile."""
    return parse(payload + bytes([0, 128]))


def short(fields: dict[str, Any]) -> bytes:
    """Return the payload of a header that ends behind its work."""
    return build(fields | {"color_index": 0, "shape_index": 128})[:-2]


def streams() -> Iterator[Invalid]:
    """Yield files whose Gaussians do not decode."""

    def bad(stream: str, name: str, about: str, change: Any, **options: Any) -> Invalid:
        head, quan, gaus = split(paper(stream=stream, **options))
        changed = [head, quan, ("GAUS", change(gaus[1]))]
        return Invalid(f"paper-{stream}-{name}", rebuild(changed), "format", "7.3", about)

    yield bad("plain", "short", "a byte less", lambda p: p[:-1])
    yield bad("plain", "long", "a byte more", lambda p: p + b"\0")
    yield bad(
        "plain",
        "last-bits",
        "a bit behind the last Gaussian",
        lambda p: p[:-1] + bytes([p[-1] | 128]),
        shape_bits=5,
        stages=1,
        count=1,
    )
    yield bad("plain", "nan", "a position that is NaN", lambda p: b"\xff\x7f" + p[2:])
    infinite = lambda p: b"\x01\xfc" + p[2:]  # noqa: E731
    yield bad("plain", "minus-nan", "a position that is NaN", infinite)
    for stream in STREAMS[1:]:
        tables = (3 * 64 + 2 * 8) // 2 if "entropy" in stream else 0
        first = tables + (0 if stream == "entropy" else 1)
        yield bad(
            stream,
            "state",
            "a state below 2^48",
            lambda p, first=first: p[:first] + bytes(8) + p[first + 8 :],
        )
        yield bad(stream, "odd", "half a word", lambda p: p + b"\0")
        yield bad(stream, "surplus", "a word more", lambda p: p + b"\0\0")
        yield bad(stream, "cut", "too few words", lambda p: p[:-8])
        if tables:
            yield bad(stream, "no-tables", "tables that are cut", lambda p: p[:50])
            yield bad(stream, "zeros", "a table of zeros", lambda p: bytes(32) + p[32:])
        if stream != "entropy":
            yield bad(
                stream,
                "first",
                "more first Gaussians than there are",
                lambda p, at=tables: p[:at] + varint(21) + p[at + 1 :],
            )
    head, quan, gaus = split(paper(stream="bits-back"))
    many = header(head[1]) | {"gaussians": len(gaus[1]) + 1}
    yield Invalid(
        "paper-too-many",
        rebuild([("HEAD", short(many)), quan, gaus]),
        "format",
        "7.3",
        "more Gaussians than bytes",
    )
