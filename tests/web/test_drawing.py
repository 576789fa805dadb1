"""Pixels of both renderers against the native decoder."""

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node_scripts import run_script
from numpy.typing import NDArray
from webdriver import Browser

import gaussianimage
from gaussianimage.web.bundle import MODULES

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "v1"
KINDS = ["gray", "gray_alpha", "rgb", "rgba", "cut_out", "layers", "constant", "sixteen_bit"]
# Height and width: the nominal size, smaller ones and larger ones, not all of the same ratio.
SIZES = [(64, 96), (19, 29), (40, 30), (160, 240), (64, 250)]

Pixels = NDArray[np.int64]


def native(name: str, size: tuple[int, int]) -> Pixels:
    """Return RGBA samples of the native decoder."""
    data = (GOLDEN / f"{name}.gimg").read_bytes()
    pixels = gaussianimage.decode(data, size=size).astype(np.int64)
    pixels = pixels.reshape(*size, -1)
    channels = pixels.shape[2]
    color, alpha = pixels[..., : channels - (channels % 2 == 0)], pixels[..., -1:]
    if channels % 2:
        alpha = np.full_like(alpha, 255)
    return np.concatenate([np.broadcast_to(color, (*size, 3)), alpha], axis=2)


def assert_close(found: Pixels, expected: Pixels) -> None:
    difference = np.abs(found - expected)
    assert difference.max() <= 2
    assert (difference > 1).mean() <= 0.001


def test_the_cpu_draws_what_the_native_decoder_draws(node: str) -> None:
    script = f"""
import {{ readFileSync }} from 'node:fs';
import {{ decode }} from '{(MODULES / "gimg.js").as_uri()}';
import {{ drawPixels }} from '{(MODULES / "cpu.js").as_uri()}';
import {{ wholeView }} from '{(MODULES / "view.js").as_uri()}';
for (const [file, height, width] of JSON.parse(readFileSync(0, 'utf8'))) {{
  const picture = decode(readFileSync(file));
  const pixels = drawPixels(picture, wholeView(picture, width, height));
  console.log(Buffer.from(pixels).toString('base64'));
}}
"""
    cases = [(name, size) for name in KINDS for size in (*SIZES, (5, 7))]
    requests = [[str(GOLDEN / f"{name}.gimg"), *size] for name, size in cases]
    for (name, size), line in zip(cases, run_script(node, script, requests), strict=True):
        found = np.frombuffer(base64.b64decode(line), np.uint8).reshape(*size, 4)
        assert_close(found.astype(np.int64), native(name, size))


def test_a_drawing_that_would_take_minutes_is_refused(node: str) -> None:
    script = f"""
import {{ readFileSync }} from 'node:fs';
import {{ decode }} from '{(MODULES / "gimg.js").as_uri()}';
import {{ drawPixels }} from '{(MODULES / "cpu.js").as_uri()}';
import {{ wholeView }} from '{(MODULES / "view.js").as_uri()}';
const picture = decode(readFileSync('{GOLDEN / "layers.gimg"}'));
picture.cholesky.fill(1e6);  // every Gaussian is in every pixel
try {{
  drawPixels(picture, wholeView(picture, 6000, 4000));
}} catch (error) {{
  console.log(error.kind, error.message);
}}
"""
    command = [node, "--input-type=module", "-e", script]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told == "limit the picture takes too long to draw at this size\n"


SCRIPT = """
const { decode } = await import('/gimg/gimg.js');
const { WebGlRenderer } = await import('/gimg/webgl.js');
const { wholeView } = await import('/gimg/view.js');
const [name, height, width, crop] = given;
const data = new Uint8Array(await (await fetch(`/${name}.gimg`)).arrayBuffer());
const picture = decode(data);
const view = wholeView(picture, width, height);
if (crop) {
  view.left = crop[1] / view.scaleX;
  view.top = crop[0] / view.scaleY;
  view.height = crop[2];
  view.width = crop[3];
}
globalThis.renderer ??= new WebGlRenderer(document.createElement('canvas'));
renderer.draw(picture, view);
return btoa(Array.from(renderer.readPixels(), (b) => String.fromCharCode(b)).join(''));
"""


def drawn(browser: Browser, name: str, size: tuple[int, int], crop: Any = None) -> Pixels:
    """Return RGBA of the GPU, with colors multiplied by alpha."""
    text = browser.run(SCRIPT, name, *size, crop)
    height, width = crop[2:] if crop else size
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).astype(np.int64)
    return pixels.reshape(height, width, 4)


def premultiplied(pixels: Pixels) -> Pixels:
    color = np.rint(pixels[..., :3] * pixels[..., 3:] / 255).astype(np.int64)
    return np.concatenate([color, pixels[..., 3:]], axis=2)


@pytest.mark.parametrize("name", KINDS)
def test_webgl_draws_what_the_native_decoder_draws(name: str, browser: Browser, site: Any) -> None:
    shutil.copy(GOLDEN / f"{name}.gimg", site.folder)
    browser.open(site.page("<title>Pixels</title>"))
    for size in SIZES:
        expected = native(name, size)
        assert_close(drawn(browser, name, size), premultiplied(expected))
        crop = (size[0] // 4, size[1] // 3, size[0] // 2, size[1] // 2)
        part = expected[crop[0] : crop[0] + crop[2], crop[1] : crop[1] + crop[3]]
        assert_close(drawn(browser, name, size, crop), premultiplied(part))
    assert browser.messages() == []


def test_a_gpu_that_is_a_cpu_is_not_taken(browser: Browser, site: Any) -> None:
    browser.open(site.page("<title>Names</title>"))
    names = browser.run(
        "const { chooseRenderer, rendererName } = await import('/gimg/renderer.js');"
        "const found = [rendererName()];"
        "for (const name of ['webgl2', 'cpu', null]) {"
        "  chooseRenderer(name); found.push(rendererName()); }"
        "return found;"
    )
    assert names == ["cpu", "webgl2", "cpu", "cpu"]
