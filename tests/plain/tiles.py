"""A plain decoder of tiled files, as section 8 of docs/format.md describes them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from plain import gimg
from plain.alpha import Map, class_at, with_map
from plain.dequantize import Numbers, picture, samples
from plain.varint import InvalidError, varint

Place = tuple[int, int, int]  # level, row, column
MAPS = b"", b"\0", b"\1", b"\2"  # of alpha, in the header around the tiles


class Entry(NamedTuple):
    length: int
    reach: int


@dataclass
class Index:
    levels: int
    shift: int
    side: int
    margin: int
    gaussians: int
    first: int
    entries: dict[Place, Entry]  # in order


@dataclass
class TiledFile:
    header: gimg.Header
    metadata: dict[str, bytes]
    index: Index
    tiles: dict[Place, gimg.File]

    def numbers(self, levels: int | None = None) -> list[Numbers]:
        """Return the Gaussians of the first levels in pixels of the nominal picture."""
        result = []
        for (level, row, column), tile in self.tiles.items():
            if levels is not None and level >= levels:
                continue
            s = scale(self.index, level)
            top, left, _, _ = frame(self.header, self.index, (level, row, column))
            for (x, y), (l11, l21, l22), color in tile.numbers:
                mean = (x + left) * s, (y + top) * s
                result.append(Numbers(mean, (l11 * s, l21 * s, l22 * s), color))
        return result

    def pixels(self, levels: int | None = None) -> NDArray[np.int64]:
        """Return the picture as samples of the source's depth, (height, width, C)."""
        h = self.header
        image = picture(self.numbers(levels), h.background, h.height, h.width, h.q_max)
        white = 65535 if h.deep else 255
        if not h.alpha_map:
            return samples(image, white)
        level = self.index.levels if levels is None else levels
        found = self.alpha(max(level - 1, 0))
        size = h.height, h.width
        classes = [[class_at(found, x, y, *size) for x in range(h.width)] for y in range(h.height)]
        return with_map(image, classes, white)

    def alpha(self, level: int) -> Map:
        """Return the class of each pixel of a level."""
        h, side = self.header, self.index.side
        s = scale(self.index, level)
        classes = [[h.alpha_map[0]] * -(-h.width // s) for _ in range(-(-h.height // s))]
        for place, tile in self.tiles.items():
            if place[0] != level or tile.alpha is None:
                continue
            top, left, _, _ = frame(h, self.index, place)
            for y in range(place[1] * side, min((place[1] + 1) * side, len(classes))):
                for x in range(place[2] * side, min((place[2] + 1) * side, len(classes[0]))):
                    classes[y][x] = tile.alpha[y - top][x - left]
        return classes


def scale(index: Index, level: int) -> int:
    """Return the pixels of the nominal size in a pixel of a level, a side."""
    return 1 << (index.shift * (index.levels - 1 - level))


def frame(header: gimg.Header, index: Index, place: Place) -> tuple[int, int, int, int]:
    """Return top, left, bottom and right of a tile with its margin."""
    level, row, column = place
    s = scale(index, level)
    return (
        max(0, row * index.side - index.margin),
        max(0, column * index.side - index.margin),
        min(-(-header.height // s), (row + 1) * index.side + index.margin),
        min(-(-header.width // s), (column + 1) * index.side + index.margin),
    )


def decode(data: bytes) -> TiledFile:
    """Decode a tiled file as a whole, or raise `InvalidError`."""
    found = gimg.chunks(data)
    header = gimg.read_header(found[0][1])
    if header.gaussians or header.layers or header.work or header.alpha_map not in MAPS:
        raise InvalidError("a header that is not of a tiled file")
    if len(found) < 2 or found[1][0] != "TIDX":
        raise InvalidError("no index behind the header")
    index = read_index(found[1][1], header)
    metadata: dict[str, bytes] = {}
    payloads = []
    for kind, payload in found[2:]:
        if kind == "TILE":
            payloads.append(payload)
        elif payloads:
            raise InvalidError("a chunk between the tiles and the end")
        elif kind in metadata:
            raise InvalidError(f"two chunks {kind}")
        elif kind in gimg.METADATA:
            metadata[kind] = gimg.decompress(payload)
        elif kind[0].isupper():
            raise InvalidError(f"a critical chunk {kind} in a tiled file")
    places = [place for place, entry in index.entries.items() if entry.length]
    if len(places) != len(payloads):
        raise InvalidError("a wrong number of tiles")
    offset = index.first
    tiles = {}
    for place, payload in zip(places, payloads, strict=True):
        chunk = data[offset : offset + index.entries[place].length]
        if chunk[:4] != b"TILE" or chunk[-len(payload) - 4 : -4] != payload:
            raise InvalidError("a tile that is not where the index says")
        offset += len(chunk)
        tiles[place] = read_tile(payload, place, header, index)
    if offset + 9 != len(data):
        raise InvalidError("a file that does not end behind its tiles")
    if sum(tile.header.gaussians for tile in tiles.values()) != index.gaussians:
        raise InvalidError("a wrong number of Gaussians in the index")
    return TiledFile(header, metadata, index, tiles)


def read_index(payload: bytes, header: gimg.Header) -> Index:
    """Return the numbers in a TIDX chunk."""
    if len(payload) < 22:
        raise InvalidError("a short index")
    levels, shift = payload[0], payload[1]
    side, margin = (int.from_bytes(payload[i : i + 2], "little") for i in (2, 4))
    if not (1 <= levels <= 16 and 1 <= shift <= 4 and 32 <= side <= 32768 and margin <= side):
        raise InvalidError("an index with numbers out of range")
    index = Index(
        levels,
        shift,
        side,
        margin,
        int.from_bytes(payload[6:14], "little"),
        int.from_bytes(payload[14:22], "little"),
        {},
    )
    position = 22
    for level in range(levels):
        s = scale(index, level)
        sides = (-(-n // s) for n in (header.height, header.width))
        rows, columns = (-(-n // side) for n in sides)
        for row in range(rows):
            for column in range(columns):
                if position + 6 > len(payload):
                    raise InvalidError("an index of a wrong length")
                length = int.from_bytes(payload[position : position + 4], "little")
                reach = int.from_bytes(payload[position + 4 : position + 6], "little")
                index.entries[level, row, column] = Entry(length, reach)
                position += 6
    if position != len(payload):
        raise InvalidError("an index of a wrong length")
    return index


def read_tile(payload: bytes, place: Place, header: gimg.Header, index: Index) -> gimg.File:
    """Return the file in a TILE chunk."""
    row, position = varint(payload, 1)
    column, position = varint(payload, position)
    if (payload[0], row, column) != place:
        raise InvalidError("a tile of another place")
    inner = payload[position:]
    if any(kind not in ("HEAD", "LAYR") for kind, _ in gimg.chunks(inner)):
        raise InvalidError("a tile with more than layers")
    file = gimg.decode(inner)
    top, left, bottom, right = frame(header, index, place)
    h = file.header
    if (h.height, h.width) != (bottom - top, right - left):
        raise InvalidError("a tile of another size")
    if h.alpha_map and not header.alpha_map:
        raise InvalidError("a map of alpha in a tile of a file without one")
    if (h.channels, h.q_max) != (header.channels, header.q_max):
        raise InvalidError("a tile of other channels or another cut-off")
    if beyond(file, place, index, top, left) > index.entries[place].reach + 0.001:
        raise InvalidError("a tile that reaches too far")
    return file


def beyond(file: gimg.File, place: Place, index: Index, top: int, left: int) -> float:
    """Return how far the Gaussians of a tile reach beyond it."""
    _, row, column = place
    k = (2 * file.header.q_max) ** 0.5
    most = 0.0
    for (x, y), (l11, l21, l22), _ in file.numbers:
        x, y = x + left - column * index.side, y + top - row * index.side
        across, down = k * l11, k * (l21 * l21 + l22 * l22) ** 0.5
        most = max(most, across - x, x + across - index.side, down - y, y + down - index.side)
    return most
