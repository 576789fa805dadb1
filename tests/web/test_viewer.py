"""The viewer and the page of one file, in a browser."""

import json
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from webdriver import Browser

import gaussianimage
from gaussianimage.web.page import Photo, PictureFile, picture_page, viewer_page
from gaussianimage.web.server import ViewerServer

DATA = Path(__file__).resolve().parents[1] / "data"
GOLDEN = DATA / "v1"
PIXEL = """
const canvas = document.querySelector('#stage canvas');
const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
return [canvas.width, canvas.height, Array.from(data).join(' ')];
"""
FACTS = "return [...document.querySelectorAll('#facts li')].map((li) => li.textContent)"


@pytest.fixture(autouse=True)
def _desktop(browser: Browser) -> None:
    browser.show_as(800, 600)


def wait_until_drawn(browser: Browser) -> None:
    """Wait until nothing moves and the frame is drawn in full."""
    browser.run("await new Promise((done) => setTimeout(done, 400))")
    browser.wait("!!document.querySelector('#stage[data-drawn]:not(.moving)')")


def stage(browser: Browser) -> Any:
    """Return what the stage's canvas shows, RGBA."""
    width, height, text = browser.run(PIXEL)
    return np.array(text.split(), np.int64).reshape(height, width, 4)


def press(browser: Browser, key: str) -> None:
    browser.run(
        "document.body.dispatchEvent("
        "new KeyboardEvent('keydown', { key: given[0], bubbles: true }))",
        key,
    )


def assert_shows(browser: Browser, path: Path, zoom: int, **options: Any) -> None:
    """The middle of the stage shows the middle of a file's picture at a zoom."""
    expected = gaussianimage.decode(path, size=(64 * zoom, 96 * zoom), **options)
    found = stage(browser)[..., :3]
    top, left = (found.shape[0] - 64 * zoom) // 2, (found.shape[1] - 96 * zoom) // 2
    middle = found[max(top, 0) + 80 : max(top, 0) + 380, 100:700]
    rows = slice(max(top, 0) + 80 - top, max(top, 0) + 380 - top)
    assert np.abs(middle - expected[rows, 100 - left : 700 - left]).max() <= 2


def test_the_viewer_shows_a_picture_its_layers_and_its_facts(browser: Browser, files: Any) -> None:
    browser.open(f"{files.url}/gimg/viewer.html?url=/layers.gimg&reference=/bikes.png")
    wait_until_drawn(browser)
    facts = browser.wait(f"((f) => f.length === 4 && f)((() => {{ {FACTS} }})())")
    data = (GOLDEN / "layers.gimg").read_bytes()
    psnr = float(facts[3].split()[0])
    expected = gaussianimage.decode(data).astype(float)
    source = gaussianimage.as_picture(DATA / "bikes.png").pixels * 255
    assert psnr == pytest.approx(
        10 * np.log10(255**2 / ((expected - source) ** 2).mean()), abs=0.02
    )
    found = len(gaussianimage.decode_gaussians(data)) - 1
    assert facts[:2] == ["96 × 64", f"{found} Gaussians"]
    assert facts[2].startswith(f"{len(data) / 1000:.1f} kB · ")
    press(browser, "9")
    press(browser, "0")
    press(browser, "[")
    press(browser, "[")
    wait_until_drawn(browser)
    first = len(gaussianimage.decode_gaussians(data, layers=1)) - 1
    assert browser.run(FACTS)[1] == f"{first} Gaussians"
    assert browser.run("return document.getElementById('layers-value').textContent").startswith(
        "1 of"
    )
    assert browser.messages() == []


def test_it_zooms_around_a_point_without_end(browser: Browser, files: Any) -> None:
    browser.open(f"{files.url}/gimg/viewer.html?url=/rgb.gimg")
    wait_until_drawn(browser)
    wheel = (
        "const stage = document.getElementById('stage');"
        "for (let i = 0; i < given[0]; i++) stage.dispatchEvent(new WheelEvent('wheel', {"
        "deltaY: given[1], clientX: 400, clientY: 300, bubbles: true, cancelable: true }));"
    )
    around = (slice(299, 301), slice(399, 401))  # the pixels around the pointer
    before = stage(browser)[around].mean(axis=(0, 1))
    browser.run(wheel, 60, -300)
    wait_until_drawn(browser)
    assert browser.run("return document.getElementById('zoom').textContent") == "1B ×"
    inside = stage(browser)
    assert np.ptp(inside[..., :3].reshape(-1, 3), axis=0).max() == 0
    assert np.abs(inside[300, 400] - before).max() <= 2
    browser.run(wheel, 90, 300)
    press(browser, "0")
    wait_until_drawn(browser)
    assert np.abs(stage(browser)[around].mean(axis=(0, 1)) - before).max() <= 1
    assert browser.messages() == []


@pytest.mark.parametrize("key", ["2", "3", "4"])
def test_every_view_draws_something(key: str, browser: Browser, files: Any) -> None:
    browser.open(f"{files.url}/gimg/viewer.html?url=/layers.gimg&reference=/bikes.png")
    wait_until_drawn(browser)
    press(browser, key)
    wait_until_drawn(browser)
    state = browser.run(
        "return [...document.querySelectorAll('#stage canvas')].map((c) => {"
        "if (c.hidden) return 0;"
        "const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        "return data.filter((v, i) => i % 4 === 3 && v).length; })"
    )
    shown = {"2": [2], "3": [0, 1], "4": [0, 1]}[key]
    assert all((count > 10_000) == (i in shown) or i == 0 for i, count in enumerate(state))
    checked = browser.run("return document.querySelector('[aria-checked=true]').dataset.mode")
    assert checked == {"2": "ellipses", "3": "split", "4": "difference"}[key]
    assert browser.messages() == []


DROP = """
const [name, url] = given;
const data = await (await fetch(url)).arrayBuffer();
const transfer = new DataTransfer();
transfer.items.add(new File([data], name));
for (const type of ['dragenter', 'dragover', 'drop'])
  document.body.dispatchEvent(
    new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
"""


def test_files_are_dropped_on_the_page(browser: Browser, files: Any) -> None:
    (files.folder / "text.txt").write_text("no picture")
    damaged = bytearray((files.folder / "layers.gimg").read_bytes())
    damaged[-40] ^= 1
    (files.folder / "damaged.gimg").write_bytes(damaged)
    browser.open(f"{files.url}/gimg/viewer.html")
    assert browser.run("return document.getElementById('empty').hidden") is False
    browser.run(DROP, "a.gimg", "/rgb.gimg")
    browser.wait("document.title.startsWith('a.gimg')")
    browser.wait("document.querySelectorAll('#facts li').length")
    browser.run(DROP, "photo.png", "/bikes.png")
    browser.wait("document.querySelector('[aria-checked=true]').dataset.mode === 'split'")
    for name, message in (
        ("text.txt", "text.txt: this is neither a .gimg file nor a picture"),
        (
            "damaged.gimg",
            "damaged.gimg: the file is damaged: wrong checksum of LAYR; shown are the 2",
        ),
    ):
        browser.run(DROP, name, f"/{name}")
        browser.wait(f"document.getElementById('toast').textContent.startsWith('{message}')")
    options = browser.run(
        "return [...document.querySelectorAll('#files option')].map((o) => o.text)"
    )
    assert options == ["a.gimg", "damaged.gimg"]
    assert browser.messages() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/missing.gimg", "the server answers 404"),
        ("http://127.0.0.1:9/a.gimg", "can't be reached"),
        ("/bikes.png", "this is not a .gimg file"),
        ("/cut/layers.gimg", "shown are the"),
    ],
)
def test_an_address_that_gives_no_file_gives_a_message(
    url: str, message: str, browser: Browser, files: Any
) -> None:
    browser.open(f"{files.url}/gimg/viewer.html?url={url}")
    browser.wait(f"document.getElementById('toast').textContent.includes(\"{message}\")")
    shown = browser.run("return document.getElementById('empty').hidden")
    assert shown == (url == "/cut/layers.gimg")
    assert [m for m in browser.messages() if "404" not in m and "net::" not in m] == []


def test_two_fingers_zoom(browser: Browser, files: Any) -> None:
    browser.show_as(390, 700, ratio=2, touch=True)
    browser.open(f"{files.url}/gimg/viewer.html?url=/rgb.gimg")
    wait_until_drawn(browser)
    before = browser.run("return document.getElementById('zoom').textContent")
    for kind, distance in (("Start", 40), ("Move", 80), ("Move", 160)):
        points = [{"x": 195 - distance / 2, "y": 350}, {"x": 195 + distance / 2, "y": 350}]
        browser.cdp("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=points)
    browser.cdp("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    wait_until_drawn(browser)
    after = browser.run("return document.getElementById('zoom').textContent")
    zooms = [float(re.sub(r"[^\d.]", "", text)) for text in (before, after)]
    assert zooms[1] / zooms[0] == pytest.approx(4, rel=0.02)


# Pages of one file --------------------------------------------------------------------------


def test_a_page_of_one_file_works_offline(browser: Browser, tmp_path: Path) -> None:
    data = (GOLDEN / "layers.gimg").read_bytes()
    text = picture_page(PictureFile("<b>&.gimg", data, 'Two "bikes"</script>'))
    assert len(text.encode()) < 60_000 + 4 * len(data) / 3
    assert "http://" not in re.sub(r"xmlns='[^']*'", "", text)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    browser.open((tmp_path / "page.html").as_uri())
    wait_until_drawn(browser)
    assert_shows(browser, GOLDEN / "layers.gimg", 8)
    state = browser.run(
        "return [document.title, document.getElementById('stage').ariaLabel ??"
        " document.getElementById('stage').getAttribute('aria-label'),"
        "document.getElementById('message').hidden]"
    )
    assert state == ["<b>&.gimg", 'Two "bikes"</script>', True]
    requested = browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert [name for name in requested if not name.startswith(("data:", "blob:"))] == []
    assert browser.messages() == []


def test_a_page_of_one_file_draws_grain(browser: Browser, tmp_path: Path) -> None:
    text = picture_page(PictureFile("a.gimg", (GOLDEN / "grain.gimg").read_bytes()))
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    browser.open((tmp_path / "page.html").as_uri())
    wait_until_drawn(browser)
    # Neighboring pixels of the smooth picture differ by less than a level at this zoom.
    change = browser.run(
        "const canvas = document.querySelector('#stage canvas');"
        "const { width, height } = canvas;"
        "const { data } = canvas.getContext('2d').getImageData(width / 2, height / 2, 200, 1);"
        "let sum = 0;"
        "for (let i = 4; i < 800; i += 4) sum += Math.abs(data[i] - data[i - 4]);"
        "return sum / 199;"
    )
    assert change > 3
    assert browser.messages() == []


def test_a_page_with_a_damaged_picture_says_so(browser: Browser, tmp_path: Path) -> None:
    data = (GOLDEN / "layers.gimg").read_bytes()
    text = picture_page(PictureFile("a.gimg", data))
    url = gaussianimage.data_url(data)
    (tmp_path / "page.html").write_text(text.replace(url, url[:200]), encoding="utf-8")
    browser.open((tmp_path / "page.html").as_uri())
    message = browser.wait("document.getElementById('message').textContent.trim()")
    assert message.startswith("a.gimg: the file is cut off after")
    assert browser.messages() == []


def test_the_viewer_of_one_file_works_offline(browser: Browser, tmp_path: Path) -> None:
    files = [
        PictureFile(f"{name}.gimg", (GOLDEN / f"{name}.gimg").read_bytes())
        for name in ("layers", "cut_out")
    ]
    text = viewer_page(files, Photo("bikes.png", (DATA / "bikes.png").read_bytes()))
    (tmp_path / "viewer.html").write_text(text, encoding="utf-8")
    browser.open((tmp_path / "viewer.html").as_uri())
    wait_until_drawn(browser)
    facts = browser.wait(f"((f) => f.length === 4 && f)((() => {{ {FACTS} }})())")
    assert facts[0] == "96 × 64"
    press(browser, ".")
    browser.wait("document.title.startsWith('cut_out.gimg')")
    assert browser.messages() == []


# The server ---------------------------------------------------------------------------------


@pytest.fixture
def served() -> Iterator[ViewerServer]:
    data = (GOLDEN / "rgb.gimg").read_bytes()
    photo = (DATA / "bikes.png").read_bytes()
    with ViewerServer([("photos/a b.gimg", lambda: data)], ("c.png", lambda: photo)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server: ViewerServer, path: str, **headers: str) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""


def test_the_server_has_the_viewer_and_the_given_files_alone(served: ViewerServer) -> None:
    assert served.server_address[0] == "127.0.0.1"
    assert get(served, "/files/0/a%20b.gimg") == (200, (GOLDEN / "rgb.gimg").read_bytes())
    assert get(served, "/viewer.js")[0] == 200
    assert b"viewer.js" in get(served, "/")[1]
    for path in ("/../page.py", "/%2e%2e/page.py", "/page.py", "/package.json", "/files/2/x"):
        assert get(served, path)[0] in (400, 404), path
    assert get(served, "/viewer.js", Host="evil.example")[0] == 403


def test_the_server_sends_ranges(served: ViewerServer, tmp_path: Path) -> None:
    data = (GOLDEN / "rgb.gimg").read_bytes()
    path = tmp_path / "of a path.gimg"
    path.write_bytes(data)
    whole = (200, data)
    with ViewerServer([("a.gimg", path)]) as other:
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        for server, address in ((other, "/files/0/a.gimg"), (served, "/files/0/a%20b.gimg")):
            assert get(server, address) == whole
            assert get(server, address, Range="bytes=8-99") == (206, data[8:100])
            assert get(server, address, Range="bytes=100-") == (206, data[100:])
            assert get(server, address, Range="bytes=9-99999999") == (206, data[9:])
            assert get(server, address, Range=f"bytes={len(data)}-")[0] == 416
            assert get(server, address, Range="bytes=9-3")[0] == 416
            for odd in ("bytes=-5", "bytes=1-2,5-6", "lines=1-2", "bytes=x-"):
                assert get(server, address, Range=odd) == whole
        other.shutdown()
        thread.join()


def test_the_page_of_the_server_shows_its_files(browser: Browser, served: ViewerServer) -> None:
    browser.open(served.url)
    wait_until_drawn(browser)
    facts = browser.wait(f"((f) => f.length === 4 && f)((() => {{ {FACTS} }})())")
    assert facts[0] == "96 × 64"
    assert browser.run("return document.title") == "a b.gimg – gimg viewer"
    assert browser.messages() == []


def test_a_port_that_is_taken_is_an_error(served: ViewerServer) -> None:
    with pytest.raises(OSError, match="in use"):
        ViewerServer([], port=served.server_port)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ViewerServer([], port=port) as server:
        assert server.url == f"http://127.0.0.1:{port}/viewer.html?"


def test_the_data_of_a_page_cannot_end_its_script() -> None:
    text = viewer_page([PictureFile("</script><!--", (GOLDEN / "rgb.gimg").read_bytes())])
    held = re.search(r'id="gimg-files">(.*?)</script>', text)
    assert held
    assert json.loads(held[1])["files"][0]["name"] == "</script><!--"
