"""Tiled files in JavaScript: in Node against the native decoder, and on pages."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from element_page import READ, WATCH
from tile_views import assert_close, native, run, samples_of, view_of
from tiled_samples import GRID, make_tiled
from webdriver import Browser

import gaussianimage
from gaussianimage.codec.format.container import (
    SIGNATURE,
    Chunk,
    chunk_bytes,
    read_chunk,
    read_chunks,
    write_chunks,
)
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.tiles import TileGrid, TilePlace

GOLDEN = Path(__file__).resolve().parents[1] / "data/v1/tiled"


def test_views_have_the_pixels_of_the_native_decoder(node: str, tmp_path: Path) -> None:
    files = {path.stem: path.read_bytes() for path in sorted(GOLDEN.glob("*.gimg"))}
    for channels in (1, 2, 3, 4):
        files[f"random{channels}"] = make_tiled(channels=channels, count=20)
    files["large"] = make_tiled(
        TileGrid(height=300, width=90, levels=4, shift=1, side=32, margin=8)
    )
    requests, expected = [], []
    for name, data in files.items():
        path = tmp_path / f"{name}.gimg"
        path.write_bytes(data)
        info = gaussianimage.info(data)
        shape = (info.height, info.width)
        views, pixels = [], []
        for by in (1, 0.5, 0.23, 0.08, 2.5):
            size = (max(1, round(by * shape[0])), max(1, round(by * shape[1])))
            crops = [(0, 0, *size)]
            if min(size) > 8:
                crops.append((size[0] // 3, size[1] // 4, size[0] // 2, size[1] // 5))
            for crop in crops:
                views.append(view_of(shape, size, crop))
                pixels.append(native(data, size, crop))
        requests.append([str(path), views])
        expected.append(pixels)
    for told, pixels, (name, data) in zip(
        run(node, requests), expected, files.items(), strict=True
    ):
        assert told["errors"] == [], name
        assert "failure" not in told, told
        assert told["bytes"] == len(data)
        for drawn, mine in zip(told["drawn"], pixels, strict=True):
            assert_close(samples_of(drawn["pixels"], mine), mine)


def test_a_view_reads_only_the_tiles_that_it_needs(node: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gimg"
    path.write_bytes(make_tiled(count=3))
    whole = view_of((150, 210), (9, 13), (0, 0, 9, 13))
    corner = view_of((150, 210), (150, 210), (0, 0, 8, 8))
    (small,) = run(node, [[str(path), [whole]]])
    (part,) = run(node, [[str(path), [corner]]])
    (both,) = run(node, [[str(path), [whole, corner]]])
    count = len([*GRID.places()])
    assert small["drawn"][0]["loaded"] < part["drawn"][0]["loaded"] < count
    assert both["drawn"][1]["loaded"] < count
    assert both["header"]["gaussians"] == 3 * count


def changed(payload: bytes, at: int, value: int) -> bytes:
    return payload[:at] + bytes([value]) + payload[at + 1 :]


def test_damaged_tiles_are_left_out_and_told(node: str, tmp_path: Path) -> None:
    bad = TilePlace(2, 1, 2)

    def inner(chunk: bytes, chunks: list[Chunk]) -> bytes:
        start = bytes(read_chunk(chunk, 0)[0].payload)[:3]
        return chunk_bytes(Chunk(b"TILE", start + write_chunks(chunks)))

    def with_payload(chunk: bytes, payload: bytes) -> bytes:
        return chunk_bytes(Chunk(b"TILE", payload))

    def tile(chunk: bytes) -> bytes:
        return bytes(read_chunk(chunk, 0)[0].payload)

    def file_of(chunk: bytes) -> list[Chunk]:
        return read_chunks(tile(chunk)[3:])

    changes = {
        "checksum": lambda c, r: (changed(c, 40, c[40] ^ 1), r),
        "another place": lambda c, r: (with_payload(c, changed(tile(c), 1, 0)), r),
        "no chunk": lambda c, r: (chunk_bytes(Chunk(b"tILE", tile(c))), r),
        "must not have": lambda c, r: (inner(c, [*file_of(c), Chunk(b"zZZZ", b"")]), r),
        "farther": lambda c, r: (c, 0),
        "not a .gimg file": lambda c, r: (with_payload(c, tile(c)[:3] + b"\0" + tile(c)[4:]), r),
        "does not fit": lambda c, r: (inner(c, other), r),
    }
    other = read_chunks((GOLDEN.parent / "rgb.gimg").read_bytes())
    other = [chunk for chunk in other if chunk.type in (b"HEAD", b"LAYR")]
    shape, requests = (150, 210), []
    crop = (0, 0, 150, 210)
    plain = make_tiled()
    empty = make_tiled(change=lambda p, c, r: (b"", 0) if p == bad else (c, r))
    for name, change in changes.items():
        path = tmp_path / f"{len(name)}{name[0]}.gimg"
        path.write_bytes(
            make_tiled(change=lambda p, c, r, f=change: f(c, r) if p == bad else (c, r))
        )
        requests.append([str(path), [view_of(shape, shape, crop)]])
    expected = native(empty, shape, crop)
    assert not np.array_equal(expected, native(plain, shape, crop))
    for name, told in zip(changes, run(node, requests), strict=True):
        (error,) = told["errors"]
        assert name in error
        found = samples_of(told["drawn"][0]["pixels"], expected)
        assert_close(found, expected)


def test_files_that_are_damaged_before_their_tiles_are_refused(node: str, tmp_path: Path) -> None:
    data = make_tiled(metadata=Metadata(exif=b"MM\0*"))
    _, at = read_chunk(data, len(SIGNATURE))
    index, end = read_chunk(data, at)
    payload = bytes(index.payload)
    before, behind = data[:at], data[end:]

    def with_index(changed_payload: bytes) -> bytes:
        return before + chunk_bytes(Chunk(b"TIDX", changed_payload)) + behind

    first = int.from_bytes(payload[14:22], "little")
    files = [data[:length] for length in (len(SIGNATURE) + 3, at - 2, at, at + 9, end, first - 1)]
    files += [changed(data, at + 12, data[at + 12] ^ 4)]
    files += [
        with_index(changed(payload, i, value)) for i, value in ((0, 0), (0, 17), (1, 0), (1, 5))
    ]
    files += [with_index(changed(payload, 3, 200)), with_index(payload[:-1]), with_index(b"")]
    files += [with_index(payload[:14] + bytes(8) + payload[22:])]
    files += [with_index(changed(payload, 14, (payload[14] + 1) % 256))]
    files += [before + chunk_bytes(Chunk(b"TILE", b"")) + data[at:]]
    full = read_chunks((GOLDEN.parent / "rgb.gimg").read_bytes())[0]
    files += [SIGNATURE + chunk_bytes(full) + data[at:]]
    requests = []
    for i, wrong in enumerate(files):
        path = tmp_path / f"{i}.gimg"
        path.write_bytes(wrong)
        requests.append([str(path), []])
    for told in run(node, requests):
        assert told["failure"][0] in ("format", "truncated", "unsupported"), told
    path.write_bytes(data)
    (told,) = run(node, [[str(path), []]])
    assert told["chunks"] == ["eXIF"]


def test_a_file_may_be_larger_than_any_other_picture(node: str, tmp_path: Path) -> None:
    grid = TileGrid(height=70_000, width=70_000, levels=3, shift=4, side=32768, margin=8)
    data = make_tiled(grid, count=3, change=lambda p, c, r: (c, r) if p.level == 0 else (b"", 0))
    path = tmp_path / "large.gimg"
    path.write_bytes(data)
    size, crop = (35, 35), (0, 0, 35, 35)
    (told,) = run(node, [[str(path), [view_of((70_000, 70_000), size, crop)]]])
    assert "failure" not in told, told
    expected = native(data, size, crop)
    assert_close(samples_of(told["drawn"][0]["pixels"], expected), expected)
    # A plain file of that size is refused, as before.
    header, _ = read_chunk(data, len(SIGNATURE))
    path.write_bytes(write_chunks([header]))
    (told,) = run(node, [[str(path), []]])
    assert told["failure"][0] == "limit"
    assert "maxPixels" in told["failure"][1]


# On a page ----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "ranges/"])
def test_the_element_reads_tiles_with_and_without_ranges(
    folder: str, browser: Browser, site: Any
) -> None:
    data = make_tiled(count=1500)
    (site.folder / "a.gimg").write_bytes(data)
    browser.show_as(800, 600)
    for size in ((15, 21), (150, 210)):
        browser.open(
            site.page(WATCH.format(f"/{folder}a.gimg", f"width: {size[1]}px; height: {size[0]}px"))
        )
        browser.wait("told.length")
        assert browser.run("return told;") == [["load", ""]]
        expected = native(data, size, (0, 0, *size))
        # These Gaussians are strong: a pixel at the edge of one may differ by more than 2.
        difference = np.abs(samples_of(browser.run(READ), expected) - expected)
        assert (difference > 1).mean() <= 0.001
        if folder and size == (15, 21):
            assert site.ranges[0] is None
            parts = [part for part in site.ranges if part]
            assert sum(end - start for start, end in parts) < len(data) / 2
    assert browser.messages() == []


def test_the_element_tells_of_damaged_tiles_and_of_servers_that_fail(
    browser: Browser, site: Any
) -> None:
    data = make_tiled(count=60)
    (site.folder / "cut.gimg").write_bytes(data[: 2 * len(data) // 3])
    (site.folder / "bad.gimg").write_bytes(changed(data, len(data) - 60, data[-60] ^ 1))
    for name, message in (("cut", "cut off"), ("bad", "checksum")):
        browser.open(site.page(WATCH.format(f"/ranges/{name}.gimg", "width: 210px; height: 150px")))
        browser.wait("told.length")
        ((kind, text),) = browser.run("return told;")
        assert kind == "error"
        assert message in text
    assert browser.messages() == []


def test_the_viewer_zooms_into_a_tiled_file(browser: Browser, site: Any) -> None:
    grid = TileGrid(height=1500, width=2100, levels=3, shift=2, side=150, margin=20)
    (site.folder / "a.gimg").write_bytes(make_tiled(grid, count=300))
    browser.show_as(400, 300)
    browser.open(f"{site.url}/gimg/viewer.html?url=/ranges/a.gimg")
    drawn = "document.querySelector('#stage').dataset.drawn"
    browser.wait(drawn)
    facts = browser.run("return document.querySelector('#facts').textContent;")
    assert f"{len([*grid.places()])} tiles" in facts
    assert "1\u202f500" in facts
    few = len(site.ranges)
    for _ in range(4):
        browser.run(
            "document.querySelector('#in').click(); await new Promise((f) => setTimeout(f, 300));"
        )
    browser.wait(drawn)
    assert len(site.ranges) > few
    browser.run("document.querySelector('[data-mode=ellipses]').click();")
    browser.wait(f"{drawn} === 'ellipses'")
    assert browser.messages() == []


def test_a_tiled_file_may_be_dropped_on_the_viewer(browser: Browser, site: Any) -> None:
    shutil.copy(GOLDEN / "rgb.gimg", site.folder)
    browser.open(f"{site.url}/gimg/viewer.html")
    browser.run(
        "const data = await (await fetch('/rgb.gimg')).arrayBuffer();"
        "const files = new DataTransfer(); files.items.add(new File([data], 'tiled.gimg'));"
        "dispatchEvent(new DragEvent('drop', { dataTransfer: files }));"
    )
    browser.wait("document.querySelector('#stage').dataset.drawn")
    assert browser.run("return document.querySelector('#facts').textContent").count("tiles") == 1
    assert browser.messages() == []
