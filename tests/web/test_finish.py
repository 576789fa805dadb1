"""What JavaScript does to drawn pixels: grain and ICC profiles."""

import base64
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from element_page import READ
from icc_profiles import (
    DISPLAY_P3,
    PROFILES,
    SRGB,
    SRGB_CURVE,
    gamma,
    parametric,
    profile,
    rgb_profile,
)
from node_scripts import run_script
from numpy.typing import NDArray
from PIL import Image, ImageCms
from samples import sample
from webdriver import Browser

import gaussianimage
from gaussianimage.codec.encoder.grain import add_grain
from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.grain import Grain, cells
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.web.bundle import MODULES

Pixels = NDArray[np.uint8]

SCRIPT = f"""
import {{ readFileSync }} from 'node:fs';
import {{ decode }} from '{(MODULES / "gimg.js").as_uri()}';
import {{ finishPixels, readFinish }} from '{(MODULES / "finish.js").as_uri()}';
for (const [file, pixels, view] of JSON.parse(readFileSync(0, 'utf8'))) {{
  const picture = decode(readFileSync(file));
  const finish = await readFinish(picture);
  const data = new Uint8ClampedArray(Buffer.from(pixels, 'base64'));
  finishPixels(finish, data, picture, view, true);
  const text = Buffer.from(data).toString('base64');
  console.log(JSON.stringify({{ text, notice: finish.notice }}));
}}
"""


def finished(node: str, requests: Sequence[Any]) -> list[tuple[Pixels, str]]:
    """Return what JavaScript makes of pixels, and what it says of the file."""
    told = [json.loads(line) for line in run_script(node, SCRIPT, requests)]
    return [(np.frombuffer(base64.b64decode(t["text"]), np.uint8), t["notice"]) for t in told]


def as_rgba(pixels: NDArray[Any]) -> Pixels:
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    height, width, channels = pixels.shape
    color = pixels[..., : 3 if channels > 2 else 1]
    alpha = pixels[..., -1:] if channels % 2 == 0 else np.full((height, width, 1), 255, np.uint8)
    return np.concatenate([np.broadcast_to(color, (height, width, 3)), alpha], 2).astype(np.uint8)


def as_text(pixels: Pixels) -> str:
    return base64.b64encode(pixels.tobytes()).decode()


def view_of(size: tuple[int, int], drawn: tuple[int, int], crop: Sequence[int]) -> dict[str, Any]:
    """Return the view of a crop (top, left, height, width) of a drawing."""
    down, across = drawn[0] / size[0], drawn[1] / size[1]
    top, left, height, width = crop
    place = {"left": left / across, "top": top / down, "width": width, "height": height}
    return {**place, "scaleX": across, "scaleY": down}


def test_grain_is_that_of_the_native_decoder(node: str, tmp_path: Path) -> None:
    size = (37, 45)
    requests, expected = [], []
    for channels in (1, 2, 3, 4):
        for cell in (3, 5):
            rng = np.random.default_rng(10 * cell + channels)
            levels = rng.integers(0, 16, (cells(37, cell), cells(45, cell), 5)).astype(np.uint8)
            plain = sample((4, 9), channels, height=37, width=45)
            data = add_grain(plain, Grain(7 * channels, cell, (40, 70, 20), levels))
            path = tmp_path / f"{channels}{cell}.gimg"
            path.write_bytes(data)
            for drawn in (size, (61, 139), (200, 210), (36, 45)):
                for crop in ((0, 0, *drawn), (16, 8, 16, 32), (11, 3, 17, 30)):
                    smooth = gaussianimage.decode(data, size=drawn, crop=crop, grain=False)
                    noisy = gaussianimage.decode(data, size=drawn, crop=crop)
                    text = as_text(as_rgba(smooth))
                    requests.append([str(path), text, view_of(size, drawn, crop)])
                    expected.append((as_rgba(noisy), crop[0]))
    found = finished(node, requests)
    assert [notice for _, notice in found] == [""] * len(requests)
    for (pixels, _), (noisy, top) in zip(found, expected, strict=True):
        # Of blocks that the view cuts, a browser knows only what it shows.
        whole = np.s_[5:13, 5:29] if top == 11 else np.s_[:]
        assert np.array_equal(pixels.reshape(noisy.shape)[whole], noisy[whole])


def test_damaged_grain_is_left_out_and_told(node: str, tmp_path: Path) -> None:
    plain = sample((4, 9), 3, height=37, width=45)
    data = add_grain(plain, Grain(1, 3, (64, 64, 64), np.full((5, 6, 5), 9, np.uint8)))
    (grain,) = [chunk for chunk in read_chunks(data) if chunk.type == b"gRAN"]
    payload = bytes(grain.payload)
    damaged = [payload[:4], payload[:-1], payload + b"\1", bytes([1, 9]) + payload[2:], b""]
    drawn = as_rgba(gaussianimage.decode(plain))
    requests = []
    for i, changed in enumerate(damaged):
        chunks = [Chunk(c.type, changed) if c is grain else c for c in read_chunks(data)]
        chunks = [Chunk(b"gRAN", changed) if c.type == b"gRAN" else c for c in chunks]
        path = tmp_path / f"{i}.gimg"
        path.write_bytes(write_chunks(chunks))
        requests.append([str(path), as_text(drawn), view_of((37, 45), (37, 45), (0, 0, 37, 45))])
    for pixels, notice in finished(node, requests):
        assert notice == "the grain does not decode"
        assert np.array_equal(pixels.reshape(drawn.shape), drawn)


# Profiles -----------------------------------------------------------------------------------


def with_profile(path: Path, icc: bytes, channels: int = 3) -> str:
    path.write_bytes(sample((4, 9), channels, height=24, width=32, metadata=Metadata(icc=icc)))
    return str(path)


def some_pixels(gray: bool = False) -> Pixels:
    pixels = np.random.default_rng(5).integers(0, 256, (24, 32, 4)).astype(np.uint8)
    pixels[0, :, :3] = np.linspace(0, 255, 32).astype(np.uint8)[:, None]
    pixels[1:9] = pixels[1:9] // 4 * 2 + 60  # colors that are in every space
    if gray:
        pixels[..., :3] = pixels[..., :1]
    return pixels


VIEW = view_of((24, 32), (24, 32), (0, 0, 24, 32))


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_of_a_matrix_give_the_colors_of_littlecms(
    name: str, node: str, tmp_path: Path
) -> None:
    path = with_profile(tmp_path / "a.gimg", PROFILES[name])
    pixels = some_pixels()
    ((found, notice),) = finished(node, [[path, as_text(pixels), VIEW]])
    assert notice == ""
    found = found.reshape(pixels.shape)
    assert np.array_equal(found[..., 3], pixels[..., 3])
    expected = ImageCms.profileToProfile(
        Image.fromarray(pixels[..., :3].copy()),
        ImageCms.ImageCmsProfile(io.BytesIO(PROFILES[name])),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    difference = np.abs(found[..., :3].astype(int) - np.asarray(expected, int))
    assert difference.max() <= 2
    assert (difference > 1).mean() < 0.01
    assert (found[..., :3] != pixels[..., :3]).mean() > 0.2


def test_gray_profiles_are_applied_and_srgb_changes_nothing(node: str, tmp_path: Path) -> None:
    dark = profile(b"GRAY", {b"kTRC": gamma(1.0)})
    icc = {
        "gray": dark,
        "srgb": rgb_profile(SRGB, SRGB_CURVE),
        "pillow": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    pixels = some_pixels(gray=True)
    requests = [
        [with_profile(tmp_path / name, data, 1 if name == "gray" else 3), as_text(pixels), VIEW]
        for name, data in icc.items()
    ]
    found = finished(node, requests)
    assert [notice for _, notice in found] == [""] * 3
    linear = pixels[..., 0] / 255
    gray = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(found[0][0].reshape(pixels.shape)[..., 0] - 255 * gray).max() < 1
    for same, _ in found[1:]:
        assert np.array_equal(same.reshape(pixels.shape), pixels)


def test_other_and_damaged_profiles_change_nothing_and_are_told(node: str, tmp_path: Path) -> None:
    whole = PROFILES["p3"]
    others = [
        b"no profile at all",
        profile(b"CMYK", {b"A2B0": b"mft2" + bytes(40)}),
        profile(b"RGB ", {b"A2B0": b"mft2" + bytes(40)}),
        rgb_profile(DISPLAY_P3, b"none" + bytes(8)),
        rgb_profile(DISPLAY_P3, parametric(9, [1.0])),
        rgb_profile(DISPLAY_P3, parametric(1, [-3.0, 0.0, 0.0])),
        *(whole[:length] for length in range(0, len(whole), 29) if length),
    ]
    pixels = some_pixels()
    requests = [
        [with_profile(tmp_path / f"{i}.gimg", data), as_text(pixels), VIEW]
        for i, data in enumerate(others)
    ]
    for found, notice in finished(node, requests):
        assert "is not applied" in notice
        assert np.array_equal(found.reshape(pixels.shape), pixels)


# On a page ----------------------------------------------------------------------------------

PAGE = """
<script type="module" src="/gimg/element.js"></script>
<gimg-image id="a" src="{}"></gimg-image>
"""


@pytest.mark.parametrize("renderer", ["cpu", "webgl2"])
def test_the_element_shows_grain_unless_it_is_told_not_to(
    renderer: str, browser: Browser, site: Any
) -> None:
    source = Path(__file__).resolve().parents[1] / "data/v1/grain.gimg"
    shutil.copy(source, site.folder)
    browser.show_as(800, 600)
    browser.open(site.page("<title>Grain</title>"))
    browser.run(
        "const { chooseRenderer } = await import('/gimg/renderer.js'); chooseRenderer(given[0]);"
        "await import('/gimg/element.js');"
        "document.body.innerHTML = '<gimg-image id=a src=/grain.gimg></gimg-image>';",
        renderer,
    )
    for attribute, grain in (("removeAttribute('nograin')", True), ("noGrain = true", False)):
        browser.wait("document.querySelector('#a').complete")
        browser.run(f"document.querySelector('#a').{attribute};")
        browser.run("await new Promise((done) => setTimeout(done, 300));")
        expected = as_rgba(gaussianimage.decode(source, grain=grain)).astype(int)
        text = browser.run(READ)
        found = np.frombuffer(base64.b64decode(text), np.uint8).reshape(expected.shape)
        # The noise depends on the smooth pixel, which may be a level off.
        assert np.abs(found - expected).mean() < 0.2
        assert np.quantile(np.abs(found - expected), 0.99) <= 1
    assert browser.messages() == []
