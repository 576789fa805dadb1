"""The decoder, the drawing, the element and the pages in Firefox."""

import base64
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from element_page import READ, WATCH
from firefox import Firefox
from numpy.typing import NDArray
from tiled_samples import make_tiled

import gaussianimage
from gaussianimage.web.page import PictureFile, picture_page

GOLDEN = Path(__file__).resolve().parents[1] / "data/v1"

DRAW = """
const { decode } = await import('/gimg/gimg.js');
const { wholeView } = await import('/gimg/view.js');
const [name, height, width, gpu] = given;
const data = new Uint8Array(await (await fetch(`/${name}.gimg`)).arrayBuffer());
const picture = decode(data);
const view = wholeView(picture, width, height);
let pixels;
if (gpu) {
  const { WebGlRenderer } = await import('/gimg/webgl.js');
  globalThis.renderer ??= new WebGlRenderer(document.createElement('canvas'));
  renderer.draw(picture, view);
  pixels = renderer.readPixels();
} else {
  const { drawPixels } = await import('/gimg/cpu.js');
  pixels = drawPixels(picture, view);
}
return btoa(Array.from(pixels, (b) => String.fromCharCode(b)).join(''));
"""
HAS_WEBGL = "document.createElement('canvas').getContext('webgl2') !== null"


def samples(text: str, size: tuple[int, int]) -> NDArray[np.int64]:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(*size, 4).astype(np.int64)


@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "webgl2"])
def test_both_renderers_draw_what_the_native_decoder_draws(
    gpu: bool, firefox: Firefox, site: Any
) -> None:
    firefox.open(site.page("<title>Pixels</title>"))
    if gpu and not firefox.run(f"return {HAS_WEBGL};"):
        pytest.skip("Firefox has no WebGL here")
    for name in ("rgb", "layers", "constant", "sixteen_bit"):
        data = (GOLDEN / f"{name}.gimg").read_bytes()
        (site.folder / f"{name}.gimg").write_bytes(data)
        for size in ((64, 96), (19, 29), (160, 240)):
            expected = gaussianimage.decode(data, size=size).astype(np.int64)
            found = samples(firefox.run(DRAW, name, *size, gpu), size)[..., :3]
            difference = np.abs(found - expected)
            assert difference.max() <= 2
            assert (difference > 1).mean() <= 0.001


@pytest.mark.parametrize("name", ["layers", "grain", "tiled"])
def test_the_element_shows_files_of_all_kinds(name: str, firefox: Firefox, site: Any) -> None:
    data = make_tiled(count=30) if name == "tiled" else (GOLDEN / f"{name}.gimg").read_bytes()
    (site.folder / "a.gimg").write_bytes(data)
    firefox.open(site.page(WATCH.format("/ranges/a.gimg", "")))
    firefox.wait("told.length")
    assert firefox.run("return told;") == [["load", ""]]
    info = gaussianimage.info(data)
    size = (info.height, info.width)
    canvas = "document.querySelector('gimg-image').shadowRoot.querySelector('canvas')"
    firefox.wait(f"{canvas}.width === {info.width}")  # 300 until it is drawn first
    ratio = firefox.run("return devicePixelRatio;")
    assert ratio == 1
    difference = np.abs(samples(firefox.run(READ), size)[..., :3] - gaussianimage.decode(data))
    assert (difference > 1).mean() <= 0.002


def test_the_element_tells_of_damaged_missing_and_foreign_files(
    firefox: Firefox, site: Any
) -> None:
    data = (GOLDEN / "layers.gimg").read_bytes()
    (site.folder / "cut.gimg").write_bytes(data[:-40])
    (site.folder / "foreign.gimg").write_bytes(b"\xff\xd8\xff\xe0 a JPEG")
    for name, message in (("cut", "cut off"), ("foreign", "not a .gimg"), ("none", "404")):
        firefox.open(site.page(WATCH.format(f"/{name}.gimg", "")))
        firefox.wait("told.length")
        ((kind, text),) = firefox.run("return told;")
        assert kind == "error"
        assert message in text


def test_the_viewer_and_a_page_of_one_file_draw(
    firefox: Firefox, site: Any, tmp_path: Path
) -> None:
    shutil.copy(GOLDEN / "layers.gimg", site.folder)
    drawn = "document.querySelector('#stage').dataset.drawn"
    firefox.open(f"{site.url}/gimg/viewer.html?url=/layers.gimg")
    assert firefox.wait(drawn) in ("cpu", "webgl2")
    firefox.run("document.querySelector('[data-mode=ellipses]').click();")
    firefox.wait(f"{drawn} === 'ellipses'")
    page = tmp_path / "offline.html"
    page.write_text(picture_page(PictureFile("a.gimg", (GOLDEN / "layers.gimg").read_bytes())))
    firefox.open(page.as_uri())
    assert firefox.wait(drawn) in ("cpu", "webgl2")
    assert firefox.run("return document.querySelector('#message').hidden;")
