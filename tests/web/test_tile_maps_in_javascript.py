"""Maps of alpha in tiled files in JavaScript, against the plain decoder, and on the GPU."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node_scripts import run_script
from numpy.typing import NDArray
from plain import tiles
from plain.alpha import under, with_map
from plain.dequantize import Numbers, picture
from tile_views import assert_close, native, rgba, run, samples_of, view_of
from tiled_samples import damaged, make_tiled
from webdriver import Browser

from gaussianimage import _native
from gaussianimage.codec.format.container import (
    SIGNATURE,
    Chunk,
    chunk_bytes,
    read_chunk,
    read_chunks,
    write_chunks,
)
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.format.tiles import TileGrid, TilePlace
from gaussianimage.web.bundle import MODULES

MAP_GRIDS = (
    TileGrid(height=70, width=101, levels=3, shift=1, side=32, margin=5),
    TileGrid(height=70, width=101, levels=2, shift=2, side=33, margin=33),
)
# Height and width: the nominal size, those of levels, others of the same ratio, and of another one.
MAP_SIZES = [(70, 101), (35, 51), (18, 26), (140, 202), (24, 34), (11, 15), (40, 150), (5, 60)]


def random_classes(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return areas of all classes, with single pixels of others in them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.sin(x / rng.uniform(3, 9) + seed) + np.sin(y / rng.uniform(3, 9))
    noisy = rng.uniform(size=waves.shape) < 0.01
    found = np.where(noisy, rng.integers(0, 3, waves.shape), np.digitize(waves, [-0.2, 0.2]))
    return found.astype(np.uint8)


def tile_map(grid: TileGrid, place: TilePlace) -> bytes:
    """Return a random map of alpha of the frame of a tile."""
    frame = grid.frame(place)
    return _native.encode_alpha_map(random_classes(grid.number(place), frame.height, frame.width))


def with_header(chunk: Chunk, **changes: Any) -> Chunk:
    return dataclasses.replace(Header.from_chunk(chunk), **changes).to_chunk()


def around(data: bytes, payload: bytes, gaussians: bytes | None = None) -> bytes:
    """Return a tiled file with a map of alpha in the header around its tiles.

    `gaussians` is another number of Gaussians in its index.
    """
    head, at = read_chunk(data, len(SIGNATURE))
    index, end = read_chunk(data, at)
    fields = bytes(index.payload)
    header = chunk_bytes(with_header(head, alpha_map=payload))
    first = int.from_bytes(fields[14:22], "little") + len(header) - (at - len(SIGNATURE))
    fields = fields[:6] + (gaussians or fields[6:14]) + first.to_bytes(8, "little") + fields[22:]
    return SIGNATURE + header + chunk_bytes(Chunk(b"TIDX", fields)) + data[end:]


def in_tile(chunk: bytes, **changes: Any) -> bytes:
    """Return the chunk of a tile with other fields in its header, and no layers if it has none."""
    payload = bytes(read_chunk(chunk, 0)[0].payload)
    start = payload.index(SIGNATURE)
    head, *layers = read_chunks(payload[start:])
    head = with_header(head, **changes)
    layers = [] if changes.get("layers") == 0 else layers
    return chunk_bytes(Chunk(b"TILE", payload[:start] + write_chunks([head, *layers])))


def make_mapped(
    grid: TileGrid,
    channels: int,
    usual: int,
    map_of: Callable[[TilePlace], bytes | None],
    *,
    count: int = 12,
    without: Collection[int] = (),
) -> bytes:
    """Return a tiled file with maps of alpha, of which the tiles numbered `without` are empty."""

    def change(place: TilePlace, chunk: bytes, reach: int) -> tuple[bytes, int]:
        if grid.number(place) in without:
            return b"", 0
        payload = map_of(place)
        return (in_tile(chunk, alpha_map=payload) if payload else chunk), reach

    return around(make_tiled(grid, channels, count=count, change=change), bytes([usual]))


def blurred(numbers: Numbers, across: float, down: float, scale: int) -> Numbers:
    """Return a Gaussian of a drawing at another size, from levels as coarse as `scale`."""
    (x, y), (l11, l21, l22), color = numbers
    lower = np.array([[l11 * across, 0], [l21 * down, l22 * down]])
    more = [max(0, 1 - (zoom * scale) ** 2) / 6 for zoom in (across, down)]
    found = np.linalg.cholesky(lower @ lower.T + np.diag(more))
    fade = (lower[0, 0] * lower[1, 1]) / (found[0, 0] * found[1, 1])
    cholesky = (found[0, 0], found[1, 0], found[1, 1])
    return Numbers((x * across, y * down), cholesky, [fade * c for c in color])


def drawn_classes(
    classes: NDArray[np.int64], size: tuple[int, int], reduced: int
) -> NDArray[np.int64]:
    """Return the class of each pixel of a drawing, 3 if there are several under its footprint.

    If the map is `reduced` in squares of that side, whole squares are under a footprint.
    """

    def spans(of_map: int, drawn: int) -> list[slice]:
        found = [under(i, of_map, drawn) for i in range(drawn)]
        return [
            slice(part[0] // reduced * reduced, -(-(part[-1] + 1) // reduced) * reduced)
            for part in found
        ]

    rows, columns = (spans(*both) for both in zip(classes.shape, size, strict=True))
    least = np.array([classes[part].min(axis=0) for part in rows])
    least = np.array([least[:, part].min(axis=1) for part in columns]).T
    most = np.array([classes[part].max(axis=0) for part in rows])
    most = np.array([most[:, part].max(axis=1) for part in columns]).T
    return np.where(least == most, least, 3)


plain_file = functools.lru_cache(maxsize=1)(tiles.decode)


def plain(
    data: bytes, size: tuple[int, int], *, lost: tiles.Place | None = None, reduced: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a picture as the format says that it is drawn, RGBA, and the class of each pixel.

    The tile `lost`, if there is one, is damaged. The map may be `reduced`, as in `drawn_classes`.
    """
    file = plain_file(data)
    header, index = file.header, file.index
    down, across = size[0] / header.height, size[1] / header.width
    scales = [tiles.scale(index, level) for level in range(index.levels)]
    fit = [level for level, scale in enumerate(scales) if max(down, across) * scale <= 17 / 16]
    level = fit[0] if fit else index.levels - 1
    classes = np.array(file.alpha(level))
    if lost is not None:
        kept = {place: tile for place, tile in file.tiles.items() if place != lost}
        file = dataclasses.replace(file, tiles=kept)
        if lost[0] == level:
            top, left = lost[1] * index.side, lost[2] * index.side
            classes[top : top + index.side, left : left + index.side] = 3
    found = drawn_classes(classes, size, reduced)
    numbers = [blurred(n, across, down, scales[level]) for n in file.numbers(level + 1)]
    image = picture(numbers, header.background, *size, header.q_max)
    return rgba(with_map(image, found, 255)), found


def assert_drawn(
    drawn: dict[str, Any], expected: NDArray[np.int64], classes: NDArray[np.int64]
) -> None:
    found = samples_of(drawn["pixels"], expected)
    assert_close(found, expected)
    np.testing.assert_array_equal(found[classes == 0], 0)
    np.testing.assert_array_equal(found[classes == 1][..., 3], 255)


def cut(pixels: NDArray[Any], crop: Sequence[int]) -> NDArray[Any]:
    top, left, height, width = crop
    return pixels[top : top + height, left : left + width]


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("grid", MAP_GRIDS, ids=["shift1", "shift2"])
def test_maps_of_alpha_of_tiles_have_the_classes_of_the_plain_decoder(
    grid: TileGrid, channels: int, node: str, tmp_path: Path
) -> None:
    shape, last = (grid.height, grid.width), grid.count - 1
    empty = {0: (), 1: (0, last - 4), 2: (last - 5,)}
    bare = {0: (last,), 1: (last - 2, last - 7), 2: ()}
    requests, expected = [], []
    for usual in (0, 1, 2):

        def map_of(place: TilePlace, usual: int = usual) -> bytes | None:
            number = grid.number(place)
            if number == last - 6:
                return b"\1"
            return None if number in bare[usual] else tile_map(grid, place)

        data = make_mapped(grid, channels, usual, map_of, without=empty[usual])
        path = tmp_path / f"{usual}.gimg"
        path.write_bytes(data)
        pixels, classes = plain(data, shape)
        assert np.abs(pixels - rgba(plain_file(data).pixels())).max() <= 1
        assert {*np.unique(classes)} == {0, 1, 2}
        views = []
        for size in MAP_SIZES:
            pixels, classes = plain(data, size)
            crops = [(0, 0, *size), (size[0] // 3, size[1] // 4, size[0] // 2, size[1] // 5)]
            for crop in crops:
                views.append(view_of(shape, size, crop))
                expected.append((cut(pixels, crop), cut(classes, crop)))
        requests.append([str(path), views])
    found = run(node, requests)
    assert all(told["errors"] == [] and "failure" not in told for told in found), found
    drawn = [one for told in found for one in told["drawn"]]
    for one, (pixels, classes) in zip(drawn, expected, strict=True):
        assert_drawn(one, pixels, classes)


def test_a_damaged_tile_has_no_map(node: str, tmp_path: Path) -> None:
    (grid, _), place = MAP_GRIDS, TilePlace(2, 1, 1)
    data = make_mapped(grid, 4, 0, lambda place: tile_map(grid, place))
    path = tmp_path / "a.gimg"
    path.write_bytes(damaged(data, place))
    sizes = [(70, 101), (60, 80), (18, 26)]
    views = [view_of((70, 101), size, (0, 0, *size)) for size in sizes]
    (told,) = run(node, [[str(path), views]])
    assert len(told["errors"]) == 1
    for one, size in zip(told["drawn"], sizes, strict=True):
        pixels, classes = plain(data, size, lost=tuple(place))
        assert (3 in classes[40:60, 40:60]) == (size[0] > 18)
        assert_drawn(one, pixels, classes)


def test_tiles_are_fetched_for_their_maps_alone(node: str, tmp_path: Path) -> None:
    grid = TileGrid(height=96, width=96, levels=1, shift=1, side=32, margin=0)
    nothing = {"gaussians": 0, "layers": 0, "work": 0}

    def change(place: TilePlace, chunk: bytes, _: int) -> tuple[bytes, int]:
        payload = b"\1" if place.row == 1 else tile_map(grid, place)
        return in_tile(chunk, alpha_map=payload, **nothing), 0

    data = around(make_tiled(grid, 2, count=1, change=change), b"\0", bytes(8))
    path = tmp_path / "a.gimg"
    path.write_bytes(data)
    size = (960, 960)
    # The first drawn pixel of the middle tile whose footprint is in it alone is 325.
    crops = [(323, 323, 314, 314), (325, 325, 310, 310), (323, 325, 80, 80), (0, 0, 960, 960)]
    views = [view_of((96, 96), size, crop) for crop in crops]
    pixels, classes = plain(data, size)
    loaded = []
    for view, crop in zip(views, crops, strict=True):
        (told,) = run(node, [[str(path), [view]]])
        (one,) = told["drawn"]
        assert_drawn(one, cut(pixels, crop), cut(classes, crop))
        loaded.append((one["loaded"], one["map"]["length"]))
    # A map of a single class has one pixel.
    assert loaded == [(9, 96 * 96), (1, 1), (2, 64 * 32), (9, 96 * 96)]


LONG = (40, 4160)


def make_long() -> bytes:
    """Return a file whose map is wider than a reader likes to keep."""
    grid = TileGrid(*LONG, levels=1, shift=1, side=64, margin=8)

    def map_of(place: TilePlace) -> bytes:
        return tile_map(grid, place) if place.column % 10 == 3 else bytes([place.column % 3])

    return make_mapped(grid, 4, 0, map_of, count=2)


def test_the_map_of_a_large_part_is_reduced(node: str, tmp_path: Path) -> None:
    data = make_long()
    path = tmp_path / "a.gimg"
    path.write_bytes(data)
    # It is not reduced where its pixels would be larger than the drawn ones.
    drawings = [
        ((5, 520), (0, 0, 5, 520), 2),
        ((20, 2080), (0, 0, 20, 2080), 2),
        ((25, 2600), (0, 0, 25, 2600), 1),
        ((5, 520), (0, 100, 5, 200), 1),
    ]
    views = [view_of(LONG, size, crop) for size, crop, _ in drawings]
    (told,) = run(node, [[str(path), views]])
    for one, (size, crop, scale) in zip(told["drawn"], drawings, strict=True):
        pixels, classes = plain(data, size, reduced=scale)
        assert_drawn(one, cut(pixels, crop), cut(classes, crop))
        assert one["map"]["scale"] == scale
        assert one["map"]["length"] == 40 * one["map"]["width"] // scale**2
        assert (one["map"]["width"] == LONG[1]) == (crop[3] == size[1])


def test_a_picture_with_a_map_may_be_larger_than_any_other(node: str, tmp_path: Path) -> None:
    side = 70_000
    grid = TileGrid(height=side, width=side, levels=3, shift=4, side=32768, margin=8)
    data = make_mapped(grid, 2, 1, lambda p: tile_map(grid, p), without=range(1, grid.count))
    path = tmp_path / "large.gimg"
    path.write_bytes(data)
    size, middle = (30, 40), (side // 2, side // 2, 20, 30)
    views = [view_of((side, side), size, (0, 0, *size))]
    views.append(view_of((side, side), (side, side), middle))
    (told,) = run(node, [[str(path), views]])
    assert "failure" not in told, told
    assert_drawn(told["drawn"][0], *plain(data, size))
    # A finer level has no tiles here, so it is opaque.
    opaque = samples_of(told["drawn"][1]["pixels"], np.zeros((20, 30, 4)))
    assert (opaque[..., 3] == 255).all()


def test_maps_of_alpha_that_a_header_must_not_have_are_refused(node: str, tmp_path: Path) -> None:
    (grid, _) = MAP_GRIDS
    data = make_tiled(grid, 4)
    payloads = [b"\3", b"\0\0", _native.encode_alpha_map(random_classes(0, 70, 101))]
    script = f"""
    import {{ readFileSync }} from 'node:fs';
    import {{ openTiled }} from '{(MODULES / "tiled.js").as_uri()}';
    for (const file of JSON.parse(readFileSync(0, 'utf8'))) {{
      await openTiled(new Uint8Array(readFileSync(file))).catch((e) => console.log(`${{e}}`));
    }}
    """
    paths = [str(tmp_path / f"{i}.gimg") for i in range(len(payloads))]
    for path, payload in zip(paths, payloads, strict=True):
        Path(path).write_bytes(around(data, payload))
    told = run_script(node, script, paths)
    assert told == ["GimgError: the header is not that of a tiled file"] * len(payloads)
    for told in run(node, [[path, []] for path in paths]):
        assert told["failure"][0] == "format"


def test_a_map_in_a_tile_of_a_file_without_one_is_refused(node: str, tmp_path: Path) -> None:
    (grid, _), bad = MAP_GRIDS, TilePlace(2, 1, 1)

    def with_one(place: TilePlace, chunk: bytes, reach: int) -> tuple[bytes, int]:
        return (in_tile(chunk, alpha_map=b"\1") if place == bad else chunk), reach

    path = tmp_path / "a.gimg"
    path.write_bytes(make_tiled(grid, 4, change=with_one))
    crop = (0, 0, 70, 101)
    (told,) = run(node, [[str(path), [view_of((70, 101), (70, 101), crop)]]])
    (error,) = told["errors"]
    assert "tile 2/1/1: its header does not fit to the file" in error
    without = make_tiled(grid, 4, change=lambda p, c, r: (b"", 0) if p == bad else (c, r))
    expected = native(without, (70, 101), crop)
    assert_close(samples_of(told["drawn"][0]["pixels"], expected), expected)


def test_all_renderers_draw_the_same_maps_of_alpha(browser: Browser, site: Any) -> None:
    (grid, _) = MAP_GRIDS
    data = make_mapped(grid, 4, 1, lambda p: tile_map(grid, p), count=150, without=(3, 13))
    (site.folder / "a.gimg").write_bytes(data)
    (site.folder / "long.gimg").write_bytes(make_long())
    browser.open(site.page("<title>Maps</title>"))
    script = """
    const { drawPicture, loadPicture } = await import('/gimg/client.js');
    const { WebGlRenderer } = await import('/gimg/webgl.js');
    const { drawPixels } = await import('/gimg/cpu.js');
    const renderer = new WebGlRenderer(document.createElement('canvas'));
    const pictures = {};
    const found = [];
    for (const [name, view] of given[0]) {
      const picture = (pictures[name] ??= await loadPicture(`/ranges/${name}.gimg`));
      await picture.tiles.load(view);
      const part = picture.tiles.compose(view);
      renderer.draw(part.picture, part.view);
      const pixels = [
        drawPixels(part.picture, part.view),
        (await drawPicture(part.picture, part.view)).data,
        renderer.readPixels(),
      ];
      const text = (data) => btoa(Array.from(data, (b) => String.fromCharCode(b)).join(''));
      found.push([part.picture.count, ...pixels.map(text)]);
    }
    renderer.close();
    return found;
    """
    shapes = [("a", size, (0, 0, *size)) for size in MAP_SIZES]
    shapes += [("a", (70, 101), (33, 31, 30, 40)), ("a", (280, 404), (129, 100, 60, 90))]
    shapes += [("long", (5, 520), (0, 0, 5, 520)), ("long", (5, 520), (1, 90, 3, 100))]
    full = {"a": (70, 101), "long": LONG}
    views = [(name, view_of(full[name], size, crop)) for name, size, crop in shapes]
    sent = 0
    for (_, _, crop), (count, *texts) in zip(shapes, browser.run(script, views), strict=True):
        like = np.zeros((*crop[2:], 4), np.int64)
        here, in_worker, on_gpu = (samples_of(text, like) for text in texts)
        np.testing.assert_array_equal(here, in_worker)
        sent += count > 2000
        premultiplied = np.rint(here[..., :3] * here[..., 3:] / 255)
        assert_close(on_gpu[..., :3], premultiplied)
        assert_close(on_gpu[..., 3:], here[..., 3:])
        for alpha in (0, 255):
            same = (on_gpu[..., 3] == alpha) == (here[..., 3] == alpha)
            assert same.mean() > 0.999
    assert sent > 3  # smaller ones are drawn on the page's own thread
    assert browser.messages() == []
