"""The element <gimg-image>: it behaves as <img> does."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from webdriver import Browser

import gaussianimage

DATA = Path(__file__).resolve().parents[1] / "data"
GOLDEN = DATA / "v1"
MODULE = "<script type=module src=/gimg/element.js></script>"
# Counts the element's events from the start on.
COUNT = """<script>
for (const type of ['load', 'error', 'progress'])
  document.addEventListener(type, (e) => {
    if (e.target.localName !== 'gimg-image') return;
    (e.target.told ??= []).push(type === 'error' ? e.message : type);
  }, true);
</script>"""


@pytest.fixture(autouse=True)
def _desktop(browser: Browser) -> None:
    browser.show_as(800, 600)


def canvas(browser: Browser, selector: str = "gimg-image") -> NDArray[np.int64]:
    """Return the pixels of an element's canvas, RGBA, once they are drawn at its size."""
    browser.wait(
        f"((e) => e.renderer && e.shadowRoot.querySelector('canvas').width === "
        f"Math.round(e.width * devicePixelRatio))(document.querySelector('{selector}'))"
    )
    url = browser.run(
        "return document.querySelector(given[0]).shadowRoot.querySelector('canvas').toDataURL()",
        selector,
    )
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
        return np.asarray(image.convert("RGBA")).astype(np.int64)


def open_element(browser: Browser, site: Any, element: str) -> None:
    browser.open(site.page(COUNT + MODULE + element))


def wait_for(browser: Browser, event: str) -> None:
    browser.wait(f"(document.querySelector('gimg-image').told ?? []).includes('{event}')")


@pytest.mark.parametrize("renderer", ["cpu", "webgl2"])
def test_it_shows_the_pixels_of_the_native_decoder(
    renderer: str, browser: Browser, files: Any
) -> None:
    choose = "import { chooseRenderer } from '/gimg/renderer.js';"
    choose = f"<script type=module>{choose} chooseRenderer('{renderer}');</script>"
    open_element(browser, files, choose + "<gimg-image src=layers.gimg></gimg-image>")
    wait_for(browser, "load")
    expected = gaussianimage.decode(files.folder / "layers.gimg").astype(np.int64)
    found = canvas(browser)
    assert found.shape == (64, 96, 4)
    assert np.abs(found[..., :3] - expected).max() <= 1
    state = browser.run(
        "const e = document.querySelector('gimg-image');"
        "return [e.naturalWidth, e.naturalHeight, e.complete, e.renderer, e.width, e.height]"
    )
    assert state == [96, 64, True, renderer, 96, 64]
    assert browser.messages() == []


@pytest.mark.parametrize(
    ("style", "size", "box"),
    [
        ("", (64, 96), (0, 0, 64, 96)),
        ("width: 192px", (128, 192), (0, 0, 128, 192)),
        ("width: 100px; height: 100px", (100, 100), (0, 0, 100, 100)),
        ("width: 96px; height: 100px; object-fit: contain", (100, 96), (18, 0, 64, 96)),
        ("width: 96px; height: 100px; object-fit: none", (100, 96), (18, 0, 64, 96)),
        (
            "width: 96px; height: 100px; object-fit: contain; object-position: 0 100%",
            (100, 96),
            (36, 0, 64, 96),
        ),
    ],
)
def test_its_size_and_fit_are_those_of_an_img(
    style: str,
    size: tuple[int, int],
    box: tuple[int, int, int, int],
    browser: Browser,
    files: Any,
) -> None:
    element = f"<gimg-image src=layers.gimg style='{style}'></gimg-image>"
    open_element(browser, files, f"{element}<img src=bikes.png style='{style}'>")
    wait_for(browser, "load")
    browser.wait("document.querySelector('img').complete")
    boxes = browser.run(
        "return ['gimg-image', 'img'].map((name) => {"
        "const { width, height } = document.querySelector(name).getBoundingClientRect();"
        "return [width, height]; });"
    )
    assert boxes[0] == boxes[1] == [size[1], size[0]]
    top, left, height, width = box
    found = canvas(browser)
    assert found.shape == (*size, 4)
    path = files.folder / "layers.gimg"
    expected = gaussianimage.decode(path, size=(height, width)).astype(np.int64)
    inside = found[top : top + height, left : left + width]
    assert np.abs(inside[..., :3] - expected).max() <= 1
    assert (inside[..., 3] == 255).all()
    assert found[..., 3].sum() == 255 * height * width


def test_it_is_sharp_on_screens_of_many_pixels(browser: Browser, files: Any) -> None:
    browser.show_as(800, 600, ratio=2)
    open_element(browser, files, "<gimg-image src=layers.gimg></gimg-image>")
    wait_for(browser, "load")
    found = canvas(browser)
    expected = gaussianimage.decode(files.folder / "layers.gimg", size=(128, 192))
    assert np.abs(found[..., :3] - expected).max() <= 1


def test_attributes_give_the_size_before_the_file_has_come(browser: Browser, files: Any) -> None:
    open_element(
        browser,
        files,
        "<gimg-image src=/slow/layers.gimg width=300 height=200 alt='Two bikes'></gimg-image>",
    )
    browser.wait("!!customElements.get('gimg-image')")
    state = browser.run(
        "const e = document.querySelector('gimg-image');"
        "return [e.width, e.height, e.complete, e.alt, e.loading, e.src]"
    )
    assert state == [300, 200, False, "Two bikes", "eager", f"{files.url}/slow/layers.gimg"]
    tree = browser.cdp("Accessibility.getFullAXTree")["nodes"]
    found = [node for node in tree if node.get("name", {}).get("value") == "Two bikes"]
    assert [node["role"]["value"] for node in found] == ["image"]


def test_the_first_layers_show_while_the_others_arrive(browser: Browser, files: Any) -> None:
    open_element(browser, files, "<gimg-image src=/slow/layers.gimg></gimg-image>")
    browser.wait("document.querySelector('gimg-image').picture?.layers.length")
    browser.wait("document.querySelector('gimg-image').renderer")
    layers = browser.run("return document.querySelector('gimg-image').picture.layers.length")
    assert 1 <= layers < 3
    first = gaussianimage.decode(files.folder / "layers.gimg", layers=layers).astype(np.int64)
    assert np.abs(canvas(browser)[..., :3] - first).max() <= 1
    files.server.go_on.set()
    wait_for(browser, "load")
    told = browser.run("return document.querySelector('gimg-image').told")
    assert told[-1] == "load"
    assert told.count("progress") >= 2


def test_a_lazy_one_loads_when_it_comes_into_sight(browser: Browser, files: Any) -> None:
    open_element(
        browser,
        files,
        "<div style='height: 5000px'></div>"
        "<gimg-image loading=lazy width=96 height=64 src=layers.gimg></gimg-image>",
    )
    browser.wait("!!customElements.get('gimg-image')")
    browser.run("await new Promise((done) => setTimeout(done, 200));")
    assert "/layers.gimg" not in files.requests
    browser.run("scrollTo(0, 5000)")
    wait_for(browser, "load")
    assert "/layers.gimg" in files.requests


def test_a_placeholder_shows_at_once_and_an_img_inside_covers_it(
    browser: Browser, files: Any
) -> None:
    url = gaussianimage.data_url(files.folder / "layers.gimg")
    open_element(
        browser,
        files,
        f"<gimg-image placeholder='{url}' src=/slow/rgb.gimg width=96 height=64></gimg-image>",
    )
    browser.wait("document.querySelector('gimg-image').renderer")
    for name in ("layers", "rgb"):  # the half of the file that has come has no layer
        expected = gaussianimage.decode(files.folder / f"{name}.gimg").astype(np.int64)
        assert np.abs(canvas(browser)[..., :3] - expected).max() <= 1
        files.server.go_on.set()
        wait_for(browser, "load")
    element = f"<gimg-image placeholder='{url}' width=96 height=64><img src=bikes.png></gimg-image>"
    open_element(browser, files, element)
    browser.wait("document.querySelector('gimg-image').hasAttribute('data-shown')")
    browser.wait("getComputedStyle(document.querySelector('img')).opacity === '1'")


def test_a_page_that_forbids_workers_decodes_by_itself(browser: Browser, files: Any) -> None:
    policy = "worker-src 'none'"
    rule = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    browser.open(files.page(rule + COUNT + MODULE + "<gimg-image src=layers.gimg></gimg-image>"))
    wait_for(browser, "load")
    expected = gaussianimage.decode(files.folder / "layers.gimg").astype(np.int64)
    assert np.abs(canvas(browser)[..., :3] - expected).max() <= 1
    told = browser.run("return document.querySelector('gimg-image').told")
    assert [event for event in told if event not in ("progress", "load")] == []


# Bad input ----------------------------------------------------------------------------------


def prepare_bad_files(folder: Path) -> None:
    data = (folder / "layers.gimg").read_bytes()
    damaged = bytearray(data)
    damaged[30] ^= 255
    (folder / "damaged.gimg").write_bytes(damaged)
    huge = bytearray(data)
    (folder / "huge.gimg").write_bytes(huge[:8] + b"LAYR\xff\xff\xff\xff\x07" + huge[8:])


@pytest.mark.parametrize(
    ("src", "message"),
    [
        ("damaged.gimg", "the file is damaged"),
        ("huge.gimg", "above the limit"),
        ("bikes.png", "this is not a .gimg file"),
        ("missing.gimg", "the server answers 404"),
        ("http://127.0.0.1:9/x.gimg", "the file can't be reached"),
        ("data:image/x-gaussianimage;base64,!!!", "not in base 64"),
    ],
)
def test_a_bad_file_gives_an_error_and_the_alternative_text(
    src: str, message: str, browser: Browser, files: Any
) -> None:
    prepare_bad_files(files.folder)
    element = f"<gimg-image src='{src}' alt='Two bikes' width=200 height=100></gimg-image>"
    open_element(browser, files, element)
    told = browser.wait("document.querySelector('gimg-image').told")
    assert len(told) == 1
    assert message in told[0]
    state = browser.run(
        "const e = document.querySelector('gimg-image');"
        "const text = e.shadowRoot.querySelector('span');"
        "return [e.complete, getComputedStyle(text).display, text.textContent,"
        "  await e.decode().catch((error) => error.message)]"
    )
    assert state == [True, "block", "Two bikes", told[0]]
    assert [m for m in browser.messages() if "net::" not in m and "404" not in m] == []


def test_a_cut_transfer_leaves_the_layers_that_came(browser: Browser, files: Any) -> None:
    open_element(browser, files, "<gimg-image src=/cut/layers.gimg></gimg-image>")
    browser.wait("document.querySelector('gimg-image').complete")
    told = browser.run("return document.querySelector('gimg-image').told")
    assert told[-1] in ("the transfer broke off", "the file is cut off after 3443 bytes")
    layers = browser.run("return document.querySelector('gimg-image').picture.layers.length")
    assert layers in (1, 2)
    first = gaussianimage.decode(files.folder / "layers.gimg", layers=layers).astype(np.int64)
    browser.wait("document.querySelector('gimg-image').renderer")
    assert np.abs(canvas(browser)[..., :3] - first).max() <= 1


def test_a_fallback_takes_the_place_of_a_bad_file(browser: Browser, files: Any) -> None:
    prepare_bad_files(files.folder)
    open_element(browser, files, "<gimg-image src=damaged.gimg fallback=bikes.png></gimg-image>")
    wait_for(browser, "load")
    state = browser.run(
        "const e = document.querySelector('gimg-image');"
        "return [e.currentSrc, e.naturalWidth, e.width, e.height]"
    )
    assert state == [f"{files.url}/bikes.png", 96, 96, 64]
    open_element(
        browser, files, "<gimg-image src=damaged.gimg fallback=none.png alt=Bikes></gimg-image>"
    )
    browser.wait("document.querySelector('gimg-image').hasAttribute('data-broken')")


def test_another_source_replaces_the_one_that_is_loading(browser: Browser, files: Any) -> None:
    open_element(browser, files, "<gimg-image src=/slow/layers.gimg></gimg-image>")
    browser.wait("document.querySelector('gimg-image').picture")
    browser.run("document.querySelector('gimg-image').src = 'rgb.gimg'")
    wait_for(browser, "load")
    expected = gaussianimage.decode(files.folder / "rgb.gimg").astype(np.int64)
    assert np.abs(canvas(browser)[..., :3] - expected).max() <= 1
    assert browser.run("return document.querySelector('gimg-image').told").count("load") == 1
