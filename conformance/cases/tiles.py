"""Cases of section 8: tiled files."""

import dataclasses
import zlib
from collections.abc import Iterator
from typing import Any

from tiled_samples import tile_of

from cases.alpha import classes
from cases.case import Invalid, Valid, chunk, join, rebuild, split, varint
from cases.header import parse, with_fields
from cases.layers import file, random_layer
from gaussianimage import _native
from gaussianimage.codec.format.tiles import TileGrid


@dataclasses.dataclass
class Tiled:
    """A tiled file in its parts, all of which may be changed."""

    head: bytes
    levels: int
    shift: int
    side: int
    margin: int
    gaussians: int
    entries: list[tuple[int, int]]  # length, reach
    tiles: list[bytes]
    between: list[bytes] = dataclasses.field(default_factory=list)
    first: int | None = None
    more: bytes = b""  # behind the entries

    def data(self, **changes: Any) -> bytes:
        """Return the file, with other parts."""
        new = dataclasses.replace(self, **changes)
        return join([new.head, new.index(), *new.between, *new.tiles])

    def index(self) -> bytes:
        """Return the chunk TIDX."""
        size = 22 + 6 * len(self.entries) + len(self.more)
        before = 8 + len(self.head) + len(chunk("TIDX", bytes(size)))
        first = before + sum(map(len, self.between)) if self.first is None else self.first
        parts = [
            bytes([self.levels, self.shift]),
            self.side.to_bytes(2, "little"),
            self.margin.to_bytes(2, "little"),
            self.gaussians.to_bytes(8, "little"),
            first.to_bytes(8, "little"),
            *(n.to_bytes(4, "little") + reach.to_bytes(2, "little") for n, reach in self.entries),
            self.more,
        ]
        return chunk("TIDX", b"".join(parts))


def tiled(
    height: int,
    width: int,
    levels: int = 2,
    shift: int = 1,
    side: int = 32,
    margin: int = 4,
    *,
    channels: int = 3,
    deep: bool = False,
    seed: int = 0,
    count: int = 6,
    without: tuple[int, ...] = (),
) -> Tiled:
    """Return a tiled file of random Gaussians; the tiles numbered `without` are empty."""
    grid = TileGrid(height, width, levels, shift, side, margin)
    entries, chunks = [], []
    for number, place in enumerate(grid.places()):
        data, reach = (b"", 0) if number in without else tile_of(grid, place, channels, seed, count)
        entries.append((len(data), reach))
        chunks.append(data)
    head = split(file([], channels, height=height, width=width, deep=deep))[0]
    full = sum(bool(data) for data in chunks)
    return Tiled(chunk(*head), levels, shift, side, margin, count * full, entries, chunks)


def valid() -> Iterator[Valid]:
    for name, about, made in (
        ("one", "one tile", tiled(20, 25, 1)),
        ("one-margin-0", "no margin", tiled(40, 40, 1, margin=0)),
        ("margin-of-a-tile", "a margin as wide as a tile", tiled(40, 70, 2, margin=32)),
        ("shift-1", "levels of half the size", tiled(40, 50, 3, 1)),
        ("shift-2", "levels of a quarter of the size", tiled(40, 50, 2, 2)),
        ("shift-3", "levels of an eighth of the size", tiled(40, 50, 2, 3)),
        ("shift-4", "levels of a sixteenth of the size", tiled(40, 50, 2, 4)),
        ("levels-16", "16 levels, most of them of one pixel", tiled(3, 5, 16, 4, count=1)),
        ("side-33", "an odd side, an odd margin", tiled(35, 67, 2, 1, 33, 5)),
        ("side-32768", "the largest side", tiled(9, 9, 1, 1, 32768, 32768)),
        ("gray", "1 channel", tiled(33, 33, channels=1)),
        ("gray-alpha", "2 channels", tiled(33, 33, channels=2)),
        ("alpha", "4 channels", tiled(33, 33, channels=4)),
        ("gray-16", "1 channel, 16 bits", tiled(33, 33, channels=1, deep=True)),
        ("alpha-16", "4 channels, 16 bits", tiled(33, 33, channels=4, deep=True)),
        ("without-first", "the coarsest level is empty", tiled(40, 50, 2, without=(0,))),
        ("without-some", "some tiles are empty", tiled(40, 50, 2, without=(2, 3))),
        ("without-all", "all tiles are empty", tiled(40, 50, 1, without=(0, 1, 2, 3))),
        ("one-pixel", "a picture of one pixel", tiled(1, 1, 1, count=2)),
    ):
        yield Valid(f"tiles-{name}", made.data(), "8", about)
    made = tiled(40, 50, 2)
    packed = varint(9) + zlib.compress(b"a profile")
    between = [chunk("iCCP", packed), chunk("aNY0", b"later"), chunk("eXIF", packed)]
    yield Valid(
        "tiles-metadata",
        made.data(between=between),
        "8.1",
        "metadata and an unknown chunk between the index and the tiles",
    )
    head = with_fields(file([], 3, height=40, width=50), color_index=255, shape_index=64)
    yield Valid(
        "tiles-other-steps",
        made.data(head=chunk(*split(head)[0])),
        "8.1",
        "a header with other steps, which mean nothing",
    )
    changed = inner(made, 1, flags=4 | 2)
    yield Valid("tiles-of-another-depth", changed.data(), "8.4", "a tile whose header says 16 bits")
    changed = inner(made, 1, rest=b"\xff\xff\x00\x80\x34\x12")
    yield Valid("tiles-background", changed.data(), "8.4", "a tile with a background")
    grain = chunk("gRAN", b"no grain here")
    yield Valid(
        "tiles-grain", made.data(between=[grain]), "4.10", "a chunk gRAN, which means nothing here"
    )
    yield Valid(
        "tiles-tile-of-none",
        nothing_in(made, 1).data(gaussians=made.gaussians - 6),
        "8.4",
        "a tile whose file has no Gaussians",
    )
    for name, about, changed in (
        ("map", "a map of alpha in every tile", with_maps(4)),
        ("map-gray", "maps of alpha, 2 channels", with_maps(2)),
        ("map-16", "maps of alpha, 16 bits", with_maps(4, deep=True)),
        ("map-opaque", "tiles without a chunk or a map are opaque", with_maps(4, 1, (1, 4), (2,))),
        ("map-between", "tiles without a chunk or a map are neither", with_maps(4, 2, (3,), (1,))),
        ("map-in-header", "a map in the header alone", with_maps(4, 1, maps=False)),
    ):
        yield Valid(f"tiles-{name}", changed.data(), "8.6", about)
    wide = [(length, 65535) for length, _ in made.entries]
    yield Valid("tiles-reach", made.data(entries=wide), "8.3", "the largest reaches")


def with_maps(
    channels: int,
    around: int = 0,
    without: tuple[int, ...] = (),
    bare: tuple[int, ...] = (),
    *,
    deep: bool = False,
    maps: bool = True,
) -> Tiled:
    """Return a tiled file of five tiles, with maps of alpha.

    The class `around` is that of the tiles `without` a chunk, and of those that are `bare` of a
    map. All tiles are bare without `maps`.
    """
    height, width = 40, 61
    grid = TileGrid(height, width, 2, 1, 32, 4)
    made = tiled(height, width, channels=channels, deep=deep, without=without)
    background = (0,) * channels
    head = file([], channels, height=height, width=width, deep=deep, background=background)
    made.head = chunk(*split(with_map(head, bytes([around])))[0])
    for number, place in enumerate(grid.places()):
        if maps and number not in without + bare:
            frame = grid.frame(place)
            payload = _native.encode_alpha_map(classes(number, frame.height, frame.width))
            made = with_inner(made, number, lambda data, payload=payload: with_map(data, payload))
    return made


def with_map(data: bytes, payload: bytes) -> bytes:
    """Return a file of layers with a map of alpha in its header."""
    fields = parse(split(data)[0][1])
    return with_fields(data, flags=fields["flags"] | 8, rest=fields["rest"] + payload)


def inner(made: Tiled, number: int, **fields: Any) -> Tiled:
    """Return a tiled file with other fields in the header of the file in a tile."""
    return with_inner(made, number, lambda data: with_fields(data, **fields))


def with_inner(made: Tiled, number: int, change: Any) -> Tiled:
    """Return a tiled file with another file in a tile."""
    place, data = open_tile(made, number)
    return with_tile(made, number, chunk("TILE", place + change(data)))


def nothing_in(made: Tiled, number: int) -> Tiled:
    """Return a tiled file with a tile of no Gaussians."""
    fields = parse(split(open_tile(made, number)[1])[0][1])
    size = {"height": fields["height"], "width": fields["width"]}
    return with_inner(made, number, lambda _: file([], fields["flags"] % 4 + 1, **size))


def with_tile(made: Tiled, number: int, data: bytes) -> Tiled:
    """Return a tiled file with another chunk in place of a tile's."""
    tiles, entries = list(made.tiles), list(made.entries)
    tiles[number], entries[number] = data, (len(data), entries[number][1])
    return dataclasses.replace(made, tiles=tiles, entries=entries)


def open_tile(made: Tiled, number: int) -> tuple[bytes, bytes]:
    """Return the place of a tile and the file in it, as bytes."""
    from plain.varint import varint as read

    data = made.tiles[number]
    _, start = read(data, 4)
    _, position = read(data, start + 1)
    _, position = read(data, position)
    return data[start:position], data[position:-4]


def invalid() -> Iterator[Invalid]:
    made = tiled(40, 50, 2)

    def bad(
        name: str,
        section: str,
        about: str,
        data: bytes,
        error: str = "format",
        also: tuple[str, ...] = (),
    ) -> Invalid:
        return Invalid(f"tiles-{name}", data, error, section, about, also)

    def index(name: str, about: str, **changes: Any) -> Invalid:
        return bad(name, "8.3", about, made.data(**changes))

    yield index("levels-0", "no levels", levels=0)
    yield index("levels-17", "17 levels", levels=17)
    yield index("shift-0", "a shift of 0", shift=0)
    yield index("shift-5", "a shift of 5", shift=5)
    yield index("side-31", "a side of 31", side=31)
    yield index("side-32769", "a side of 32769", side=32769)
    yield index("margin-above", "a margin wider than a tile", margin=33)
    yield index("index-short", "an entry less", entries=made.entries[:-1])
    yield index("index-long", "an entry more", entries=[*made.entries, (0, 0)])
    yield index("index-surplus", "a byte behind the entries", more=b"\0")
    yield index("first-in-index", "the first tile begins in the index", first=60)
    yield index("first-at-0", "the first tile begins at the signature", first=0)
    parts = [made.head, chunk("TIDX", bytes(21)), *made.tiles]
    yield bad("index-of-21-bytes", "8.3", "an index of 21 bytes", join(parts))
    whole = made.data()
    # A reader need not read what is behind the tiles that it draws.
    for name, cut, also in (
        ("in-last", 30, ("format", "tile")),
        ("before-end", 9, ("ok",)),
        ("in-end", 2, ("ok",)),
    ):
        about = f"the file is cut {name}"
        yield bad(f"cut-{name}", "1", about, whole[:-cut], "truncated", also)
    yield bad("byte-behind", "1", "a byte behind the end", whole + b"\0", also=("ok",))
    for name, fields in (
        ("gaussians", {"gaussians": 1, "layers": 1}),
        ("layers", {"layers": 1}),
        ("work", {"work": 1}),
    ):
        head = chunk(*split(with_fields(file([], 3, height=40, width=50), **fields))[0])
        yield bad(f"head-{name}", "8.1", f"a header with {name}", made.data(head=head))
    alpha = tiled(40, 50, 2, channels=4)
    for name, about, payload in (
        (
            "head-map",
            "a map of many bytes in the header",
            _native.encode_alpha_map(classes(0, 40, 50)),
        ),
        ("head-map-3", "a map of an unknown class in the header", b"\x03"),
    ):
        head = file([], 4, height=40, width=50, alpha_map=payload)
        yield bad(name, "8.6", about, alpha.data(head=chunk(*split(head)[0])))
    # A part of a decoder that reads one kind of file may not know the chunks of another.
    misplaced = ("unsupported",)
    layer = split(file([], 3, height=40, width=50))
    yield bad(
        "no-index",
        "8.1",
        "TILE chunks without an index",
        join([chunk(*layer[0]), *made.tiles]),
        also=misplaced,
    )
    yield bad(
        "index-behind-layers",
        "8.1",
        "an index behind a layer",
        join([chunk(*pair) for pair in split(file([random_layer(1, 9, 3)], 3))] + [made.index()]),
        also=misplaced,
    )
    yield bad(
        "index-third",
        "8.1",
        "the index is not the second chunk",
        join([made.head, chunk("aNY0"), made.index(), *made.tiles]),
        also=misplaced,
    )
    yield bad(
        "two-indexes", "8.1", "two indexes", made.data(between=[made.index()]), also=misplaced
    )
    for kind in ("LAYR", "QUAN", "GAUS"):
        yield bad(
            f"with-{kind}",
            "8.1",
            f"a chunk {kind} in a tiled file",
            made.data(between=[chunk(kind, b"\0\0")]),
            also=misplaced,
        )
    yield bad(
        "with-critical",
        "1",
        "an unknown critical chunk",
        made.data(between=[chunk("ZZZZ", b"later")]),
        "unsupported",
    )
    packed = varint(9) + zlib.compress(b"a profile")
    yield bad(
        "two-profiles", "3", "two chunks iCCP", made.data(between=[chunk("iCCP", packed)] * 2)
    )
    yield from bad_tiles(made, alpha)


def bad_tiles(made: Tiled, alpha: Tiled) -> Iterator[Invalid]:
    """Yield files with one tile that does not decode or is another one."""

    def bad(name: str, section: str, about: str, changed: Tiled) -> Invalid:
        return Invalid(f"tiles-{name}", changed.data(), "tile", section, about)

    place, data = open_tile(made, 1)
    damaged = bytearray(made.tiles[1])
    damaged[40] ^= 4
    yield bad("crc", "1", "a tile with a wrong checksum", with_tile(made, 1, bytes(damaged)))
    inside = bytearray(data)
    inside[50] ^= 4
    yield bad(
        "inner-crc",
        "8.4",
        "a wrong checksum in the file of a tile",
        with_inner(made, 1, lambda _: bytes(inside)),
    )
    for name, other in (
        ("level", bytes([place[0] + 1]) + place[1:]),
        ("row", place[:1] + bytes([place[1] + 1]) + place[2:]),
        ("column", place[:2] + bytes([place[2] + 1])),
        ("long-row", place[:1] + bytes([place[1] | 128, 0]) + place[2:]),
    ):
        yield bad(
            f"place-{name}",
            "8.4",
            f"a tile of another place: {name}",
            with_tile(made, 1, chunk("TILE", other + data)),
        )
    tiles = [made.tiles[0], made.tiles[2], made.tiles[1], *made.tiles[3:]]
    entries = [(len(tile), reach) for tile, (_, reach) in zip(tiles, made.entries, strict=True)]
    yield bad(
        "swapped",
        "8.1",
        "two tiles in the other order",
        dataclasses.replace(made, tiles=tiles, entries=entries),
    )
    yield bad(
        "type",
        "8.1",
        "another chunk where a tile should be",
        with_tile(made, 1, chunk("aNY0", place + data)),
    )
    yield bad("empty", "8.4", "a tile of no bytes", with_tile(made, 1, chunk("TILE")))
    yield bad("no-file", "8.4", "a tile without a file", with_tile(made, 1, chunk("TILE", place)))
    yield bad("height", "8.4", "a tile of another height", inner(made, 1, height=33))
    yield bad("width", "8.4", "a tile of another width", inner(made, 1, width=40))
    yield bad("q-max", "8.4", "a tile with another cut-off", inner(made, 1, q_max=9215))
    yield bad("work", "2", "a tile of more work than it announces", inner(made, 1, work=64))
    other = alpha.tiles[1]
    yield bad("channels", "8.4", "a tile of other channels", with_tile(made, 1, other))
    yield bad("newer", "2", "a tile for readers of version 2", inner(made, 1, version=2, minimum=2))
    for name, more in (
        ("metadata", ("iCCP", varint(9) + zlib.compress(b"a profile"))),
        ("unknown", ("aNY0", b"later")),
        ("critical", ("ZZZZ", b"later")),
        ("grain", ("gRAN", b"later")),
    ):
        yield bad(
            f"inner-{name}",
            "8.4",
            f"a tile with more than layers: {name}",
            with_inner(made, 1, lambda data, more=more: rebuild([*split(data), more])),
        )
    yield bad(
        "inner-map",
        "8.6",
        "a map of alpha in a tile of a file without one",
        with_inner(alpha, 1, lambda data: with_map(data, b"\x01")),
    )
    mapped = with_maps(4, bare=(1,))
    for name, about, payload in (
        ("inner-map-3", "a map of an unknown class in a tile", b"\x03"),
        ("inner-map-cut", "a map of alpha that is cut in a tile", b"\x01\x02\x03"),
    ):
        changed = with_inner(mapped, 1, lambda data, payload=payload: with_map(data, payload))
        yield bad(name, "8.6", about, changed)
    yield bad(
        "inner-cut", "8.4", "the file in a tile is cut", with_inner(made, 1, lambda data: data[:-9])
    )
    yield bad(
        "inner-tiled",
        "8.4",
        "a tiled file in a tile",
        with_inner(made, 1, lambda _: tiled(32, 50, 1, margin=0).data()),
    )
    far = max(range(len(made.entries)), key=lambda i: made.entries[i][1])
    entries = list(made.entries)
    entries[far] = (entries[far][0], max(entries[far][1] - 2, 0))
    yield bad(
        "reach",
        "8.3",
        "a Gaussian that reaches farther than the index says",
        dataclasses.replace(made, entries=entries),
    )
    shorter = list(made.entries)
    shorter[1] = (shorter[1][0] + 1, shorter[1][1])
    shorter[2] = (shorter[2][0] - 1, shorter[2][1])
    yield bad(
        "length",
        "8.3",
        "a length in the index that is one too large",
        dataclasses.replace(made, entries=shorter),
    )
