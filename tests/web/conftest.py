"""Fixtures of the tests of the browser's part: Node, a browser, and pages served to it."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from firefox import FIREFOX, Firefox
from webdriver import BROWSER, DRIVER, Browser

from gaussianimage.web.bundle import MODULES

DATA = Path(__file__).resolve().parents[1] / "data"

Reports = list[dict[str, Any]]


@pytest.fixture(scope="session")
def node() -> str:
    """Return the path of Node 20 or newer."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("Node is not installed")
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if int(told.removeprefix("v").split(".")[0]) < 20:
        pytest.skip(f"Node 20 or newer is needed, not {told.strip()}")
    return path


@pytest.fixture(scope="session")
def report(node: str) -> Callable[[Sequence[dict[str, Any]]], Reports]:
    """Return a function that decodes files in JavaScript, in one process of Node."""

    def run(requests: Sequence[dict[str, Any]]) -> Reports:
        script = Path(__file__).with_name("report.mjs")
        result = subprocess.run(
            [node, str(script)],
            input=json.dumps([*requests], default=str),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run Chromium without a window."""
    if BROWSER is None or DRIVER is None:
        pytest.skip("chromium and chromedriver are not installed")
    running = Browser()
    yield running
    running.close()


@pytest.fixture(scope="session")
def firefox() -> Iterator[Firefox]:
    """Run Firefox on a screen that nobody sees, or without a window."""
    if FIREFOX is None:
        pytest.skip("Firefox is not installed")
    running = Firefox()
    yield running
    running.close()


class _Handler(SimpleHTTPRequestHandler):
    """Serves the modules and the folder of a test; some paths behave badly on purpose."""

    def translate_path(self, path: str) -> str:
        path = path.split("?")[0]
        if path.startswith("/gimg/"):
            return str(MODULES / path.removeprefix("/gimg/"))
        return str(cast("_Server", self.server).folder / path.lstrip("/"))

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def do_GET(self) -> None:
        cast("_Server", self.server).requests.append(self.path)
        if self.path.startswith("/cut/"):
            self._send_part()
        elif self.path.startswith("/ranges/"):
            self._send_range()
        elif self.path.startswith("/slow/"):
            self._send_slowly()
        else:
            super().do_GET()

    def _send_part(self) -> None:
        """Announce a whole file, send two thirds of it, and hang up."""
        data = (cast("_Server", self.server).folder / self.path.removeprefix("/cut/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: 2 * len(data) // 3])
        self.wfile.flush()
        cast("_Server", self.server).go_on.wait(0.3)  # a browser drops what comes with the end
        self.close_connection = True

    def _send_range(self) -> None:
        """Send the bytes that are asked for, or all."""
        server = cast("_Server", self.server)
        data = (server.folder / self.path.removeprefix("/ranges/")).read_bytes()
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, end = (int(found[1]), int(found[2]) + 1) if found else (0, len(data))
        part = data[start:end]
        server.ranges.append((start, start + len(part)) if found else None)
        self.send_response(206 if found else 200)
        if found:
            self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def _send_slowly(self) -> None:
        """Send half of a file, and the rest when the test says so."""
        server = cast("_Server", self.server)
        data = (server.folder / self.path.removeprefix("/slow/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.wfile.flush()
        server.go_on.wait(30)
        self.wfile.write(data[len(data) // 2 :])

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.requests: list[str] = []
        self.ranges: list[tuple[int, int] | None] = []
        self.go_on = threading.Event()


@dataclass
class Site:
    """A site on this machine: the modules under /gimg/, and a folder."""

    folder: Path
    server: _Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def requests(self) -> list[str]:
        """The paths that were asked for."""
        return self.server.requests

    @property
    def ranges(self) -> list[tuple[int, int] | None]:
        """The bytes that were sent for addresses under /ranges/; None for a whole file."""
        return self.server.ranges

    def page(self, body: str, name: str = "page.html") -> str:
        """Write a page, and return its address."""
        text = f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,>{body}"
        (self.folder / name).write_text(text, encoding="utf-8")
        return f"{self.url}/{name}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Serve the modules and the test's folder."""
    server = _Server(tmp_path)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Site(tmp_path, server)
    server.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def files(site: Any) -> Any:
    """Return the site with golden files and a picture on it."""
    for name in ("layers", "rgb", "cut_out"):
        shutil.copy(DATA / "v1" / f"{name}.gimg", site.folder)
    shutil.copy(DATA / "bikes.png", site.folder)
    return site
