"""The widget: its traits, a run in a real notebook, and its page in a real browser."""

import base64
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gaussianimage
from gaussianimage.picture import from_array

pytest.importorskip("anywidget", reason="anywidget is not installed")

import webdriver
from traitlets import TraitError

from gaussianimage.notebook import EncodeWidget, encode_widget
from gaussianimage.picture.preview import png_preview

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "src" / "gaussianimage" / "notebook"
PARROT = ROOT / "tests" / "data" / "parrot.png"


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


@pytest.fixture
def make() -> Iterator[Callable[..., EncodeWidget]]:
    widgets: list[EncodeWidget] = []

    def made(*arguments: Any, **options: Any) -> EncodeWidget:
        widgets.append(EncodeWidget(*arguments, **options))
        return widgets[-1]

    yield made
    for widget in widgets:
        widget.close()
        assert widget.wait(60)


# -- Python's side ---------------------------------------------------------------------------------


def test_the_widget_shows_what_its_file_decodes_to(make: Callable[..., EncodeWidget]) -> None:
    widget = make(PARROT, quality=30)
    assert widget.wait(60)
    assert not widget.busy
    assert widget.result is not None
    expected = gaussianimage.encode(PARROT, quality=30, effort=1)
    assert widget.result.data == expected
    decoded = gaussianimage.decode(expected)
    assert np.array_equal(opened(widget.result_png), decoded)
    with Image.open(PARROT) as source:
        assert np.array_equal(opened(widget.source_png), source)
        assert widget.size == (source.height, source.width)
    assert f"{widget.result.psnr:.1f} dB" in widget.status
    assert f"{len(expected) / 1000:.1f} kB" in widget.status
    assert widget.ellipses_png == b""


def test_another_quality_ends_the_work_for_the_one_before(
    make: Callable[..., EncodeWidget], monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = make(PARROT, quality=10)
    assert widget.wait(60)
    finished = []
    encode = encode_widget.encode_with_result

    def encode_one(*arguments: Any, quality: float, **options: Any) -> Any:
        if quality == 50:
            widget.quality = 20  # while the work for 50 has just begun
        result = encode(*arguments, quality=quality, **options)
        finished.append(quality)
        return result

    monkeypatch.setattr(encode_widget, "encode_with_result", encode_one)
    widget.quality = 50
    assert widget.wait(60)
    assert finished == [20]
    assert widget.result is not None
    assert widget.result.data == gaussianimage.encode(PARROT, quality=20, effort=1)


def test_ellipses_are_drawn_when_they_are_asked_for(make: Callable[..., EncodeWidget]) -> None:
    widget = make(PARROT, quality=10)
    assert widget.wait(60)
    widget.ellipses = True
    assert widget.wait(60)
    before = np.asarray(opened(widget.ellipses_png))
    assert before.shape == (*widget.size, 3)
    widget.quality = 40
    assert widget.wait(60)
    assert not np.array_equal(opened(widget.ellipses_png), before)


def test_an_observer_of_busy_may_ask_for_more(make: Callable[..., EncodeWidget]) -> None:
    widget = make(PARROT, quality=10)

    def ask(change: dict[str, Any]) -> None:
        if not change["new"]:
            widget.quality = 20

    widget.observe(ask, "busy")
    while widget.quality != 20 or widget.busy:
        assert widget.wait(60)
    assert widget.result is not None
    assert widget.result.data == gaussianimage.encode(PARROT, quality=20, effort=1)


def test_an_error_of_the_encoder_becomes_the_status(
    make: Callable[..., EncodeWidget], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise gaussianimage.PictureError("no picture")

    monkeypatch.setattr(encode_widget, "encode_with_result", fail)
    widget = make(PARROT)
    assert widget.wait(60)
    assert (widget.status, widget.busy, widget.result) == ("no picture", False, None)


def test_a_closed_widget_ends_its_work(make: Callable[..., EncodeWidget]) -> None:
    widget = make(PARROT, quality=90, effort=10)
    widget.close()
    assert widget.wait(60)
    assert widget.result is None


def test_large_pictures_are_sent_smaller(
    make: Callable[..., EncodeWidget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode_widget, "LONGEST", 20)
    widget = make(PARROT, quality=10, ellipses=True)
    assert widget.wait(60)
    for png in (widget.source_png, widget.result_png, widget.ellipses_png):
        assert max(opened(png).size) == 20


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_kinds_of_pictures_are_shown(
    make: Callable[..., EncodeWidget], channels: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, channels)).astype(np.uint8)
    widget = make(from_array(pixels), quality=5)
    assert widget.wait(60)
    mode = {1: "L", 2: "LA", 4: "RGBA"}[channels]
    assert opened(widget.source_png).mode == opened(widget.result_png).mode == mode


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"quality": 101}, TraitError),
        ({"quality": "high"}, TraitError),
        ({"zoom": 0.5}, TraitError),
        ({"effort": 11}, ValueError),
        ({"effort": 1.5}, TypeError),
        ({"picture": b"no picture"}, gaussianimage.PictureError),
    ],
)
def test_a_wrong_argument_is_an_error(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        EncodeWidget(**{"picture": PARROT, **options})


def test_without_anywidget_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("gaussianimage.notebook"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install gaussianimage\[notebook\]"):
        import gaussianimage.notebook  # noqa: F401


# -- In a notebook ---------------------------------------------------------------------------------

CELLS = [
    f"import gaussianimage\nresult = gaussianimage.encode_with_result({str(PARROT)!r}, quality=10)",
    "result",
    "gaussianimage.decode_picture(result.data)",
    "gaussianimage.decode_gaussians(result.data)",
    "from gaussianimage.notebook import EncodeWidget\n"
    f"widget = EncodeWidget({str(PARROT)!r}, quality=10)\n"
    "widget",
    "assert widget.wait(60)",
]


def test_a_notebook_shows_pictures_and_the_widget() -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    v4 = nbformat.v4
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [cell.outputs[0].data for cell in notebook.cells[1:5]]
    for data in outputs[:3]:
        assert max(opened(base64.b64decode(data["image/png"])).size) == 96
    model = outputs[3]["application/vnd.jupyter.widget-view+json"]["model_id"]
    states = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    state = states[model]["state"]
    assert state["quality"] == 10
    assert "dB" in state["status"]
    assert "gaussianimage-frame" in state["_esm"]


# -- In a browser ----------------------------------------------------------------------------------

# A model as anywidget hands it to `render`, with a list of what was sent to Python.
PAGE = """
const module = await import(given[0]);
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const values = {...given[2]};
for (const name of ['source_png', 'result_png', 'ellipses_png']) values[name] = bytes(values[name]);
const listeners = [];
window.model = {
  sent: [],
  changed: {},
  get: (name) => values[name],
  set(name, value) {
    if (values[name] === value) return;
    values[name] = this.changed[name] = value;
    for (const [event, call] of [...listeners]) if (event === `change:${name}`) call();
  },
  save_changes() { this.sent.push(this.changed); this.changed = {}; },
  on: (event, call) => listeners.push([event, call]),
  off(event, call) {
    listeners.splice(listeners.findIndex((l) => l[0] === event && l[1] === call), 1);
  },
  listeners,
};
document.body.innerHTML = '<div id=widget style="width: 700px; margin: 10px"></div>';
document.head.append(Object.assign(document.createElement('style'), {textContent: given[1]}));
window.end = module.default.render({model, el: document.getElementById('widget')});
await Promise.all([...document.images].map((image) => image.decode()));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Browser]:
    if webdriver.BROWSER is None or webdriver.DRIVER is None:
        pytest.skip("chromium and chromedriver are not installed")
    running = webdriver.Browser()
    yield running
    running.close()


@pytest.fixture
def page(browser: webdriver.Browser) -> webdriver.Browser:
    """Show the widget with a black source, a white result, and gray ellipses."""
    pngs = {
        f"{name}_png": base64.b64encode(png_preview(np.full((40, 60), value, np.uint8))).decode()
        for name, value in (("source", 0), ("result", 255), ("ellipses", 128))
    }
    state = {"quality": 60.0, "zoom": 1.0, "ellipses": False, "busy": False, "done": 1.0}
    state |= {"status": "1.2 kB", "size": (40, 60), **pngs}
    script = base64.b64encode((SCRIPTS / "encode_widget.js").read_bytes()).decode()
    style = (SCRIPTS / "encode_widget.css").read_text(encoding="utf-8")
    browser.show_as(720, 400)
    browser.open("data:text/html,<!doctype html><meta charset=utf-8><title>widget</title>")
    browser.run(PAGE, f"data:text/javascript;base64,{script}", style, state)
    return browser


def pixel(page: webdriver.Browser, tmp_path: Path, x: int, y: int) -> tuple[int, ...]:
    page.screenshot(tmp_path / "shot.png")
    with Image.open(tmp_path / "shot.png") as shot:
        found = shot.convert("RGB").getpixel((x, y))
    assert isinstance(found, tuple)
    return found


def frames(page: webdriver.Browser) -> list[dict[str, float]]:
    script = "return [...document.querySelectorAll('.gaussianimage-frame')].map((f) => f.{})"
    return list(page.run(script.format("getBoundingClientRect().toJSON()")))


def test_source_and_result_stand_side_by_side(page: webdriver.Browser, tmp_path: Path) -> None:
    left, right = frames(page)
    assert left["y"] == right["y"]
    assert left["width"] == right["width"] == pytest.approx(346, abs=1)
    assert left["height"] == pytest.approx(left["width"] * 40 / 60, abs=1)
    y = round(left["y"] + 50)
    assert pixel(page, tmp_path, round(left["x"] + 50), y) == (0, 0, 0)
    assert pixel(page, tmp_path, round(right["x"] + 50), y) == (255, 255, 255)
    text = page.run("return document.body.innerText")
    assert "1.2 kB" in text
    assert page.messages() == []


def test_a_quality_is_sent_when_the_slider_is_let_go(page: webdriver.Browser) -> None:
    move = """
const slider = document.querySelectorAll('input[type=range]')[0];
slider.value = 35;
slider.dispatchEvent(new Event(given[0]));
return [model.sent, document.querySelector('output').textContent];
"""
    assert page.run(move, "input") == [[], "35"]
    assert page.run(move, "change") == [[{"quality": 35}], "35"]


def test_the_box_swaps_the_result_for_its_ellipses(page: webdriver.Browser, tmp_path: Path) -> None:
    right = frames(page)[1]
    place = round(right["x"] + 50), round(right["y"] + 50)
    page.run("document.querySelector('input[type=checkbox]').click()")
    assert page.run("return model.sent") == [{"ellipses": True}]
    page.run("await document.images[1].decode()")
    assert pixel(page, tmp_path, *place) == (128, 128, 128)
    assert "its Gaussians" in page.run("return document.body.innerText")


def views(page: webdriver.Browser) -> list[list[float]]:
    """Return each picture's zoom and its shift in percent of its sides."""
    styles = page.run("return [...document.images].map((i) => i.style.transform)")
    return [[float(number) for number in re.findall(r"-?[\d.]+", style)] for style in styles]


def test_both_pictures_have_one_view(page: webdriver.Browser) -> None:
    left = frames(page)[0]
    x, y = left["x"] + left["width"] / 4, left["y"] + left["height"] / 2
    page.cdp("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-800)
    page.wait("model.get('zoom') === 4")
    first, second = views(page)
    # What was under the pointer stays there: the middle is then at 1/4 + 1/4 / 4 from the left.
    assert first == second == pytest.approx([4, 18.75, 0], abs=0.5)
    mouse = {"button": "left", "buttons": 1, "clickCount": 1}
    page.cdp("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **mouse)
    moved = x + left["width"] / 8
    page.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=moved, y=y, **mouse)
    page.cdp("Input.dispatchMouseEvent", type="mouseReleased", x=moved, y=y, **mouse)
    page.wait(f"!document.images[0].style.transform.includes('{first[1]}%')")
    dragged, other = views(page)
    assert dragged == other == pytest.approx([4, first[1] + 12.5 / 4, first[2]], abs=0.5)
    page.run("model.set('zoom', 1)")
    assert views(page) == [[1, 0, 0]] * 2


def test_the_end_leaves_no_listeners(page: webdriver.Browser) -> None:
    assert page.run("return model.listeners.length") > 5
    page.run("end()")
    assert page.run("return model.listeners.length") == 0
