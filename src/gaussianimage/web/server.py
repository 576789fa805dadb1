"""A server on this machine for the viewer's page and the files that it shows."""

import io
import mimetypes
import re
import shutil
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlencode, urlsplit

from gaussianimage.web.bundle import MODULES

__all__ = ["ViewerServer"]

_ADDRESS = "127.0.0.1"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html; charset=utf-8"}
# The page loads nothing but what this server has, and what its address names.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src *"
)

# A single range, as browsers ask for the tiles of a file.
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")

Served = Path | Callable[[], bytes]


class ViewerServer(ThreadingHTTPServer):
    """Serves the viewer, and only the files that it is given, to this machine alone.

    Parameters
    ----------
    files : sequence of (str, Path or callable)
        The name of each `.gimg` file, and its path or a function that returns its bytes. It is read
        for each request, so that a reloaded page shows a file as it is now.
    reference : (str, Path or callable), optional
        A picture to compare with, in a format that browsers know.
    port : int, default 0
        The port; 0 takes a free one.

    Raises
    ------
    OSError
        The port is taken.
    """

    daemon_threads = True

    def __init__(
        self,
        files: Sequence[tuple[str, Served]],
        reference: tuple[str, Served] | None = None,
        port: int = 0,
    ) -> None:
        super().__init__((_ADDRESS, port), _Handler)
        self._paths: dict[str, Served] = {}
        query = [("url", self._add(name, read)) for name, read in files]
        if reference is not None:
            query.append(("reference", self._add(*reference)))
        self._query = urlencode(query, safe="/")

    def _add(self, name: str, served: Served) -> str:
        """Serve a file, and return its address relative to the page."""
        path = f"files/{len(self._paths)}/{quote(PurePath(name).name)}"
        self._paths[f"/{path}"] = served
        return path

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{_ADDRESS}:{self.server_port}/viewer.html?{self._query}"

    def content(self, path: str) -> tuple[str, BinaryIO] | None:
        """Return the type of what is served at a path and a stream of its bytes, or None."""
        if served := self._paths.get(path):
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            return kind, served.open("rb") if isinstance(served, Path) else io.BytesIO(served())
        name = path.removeprefix("/")
        known = _TYPES.get(PurePath(name).suffix)
        if known is None or "/" in name or not (MODULES / name).is_file():
            return None
        return known, (MODULES / name).open("rb")

    def handle_error(self, *_: Any) -> None:
        """Say nothing about a browser that hangs up."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast(ViewerServer, self.server)
        # A page elsewhere may give its own name the address of this machine.
        if self.headers.get("Host") not in (
            f"{_ADDRESS}:{server.server_port}",
            f"localhost:{server.server_port}",
        ):
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        path = urlsplit(self.path).path
        if path == "/":
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", server.url)
            self.end_headers()
            return
        try:
            found = server.content(path)
        except OSError:
            found = None
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        kind, stream = found
        with stream:
            self._send(kind, stream)

    def _send(self, kind: str, stream: BinaryIO) -> None:
        """Send a stream, or the range of it that the browser asks for."""
        size = stream.seek(0, io.SEEK_END)
        start, end = 0, size
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked:
            start, end = int(asked[1]), min(int(asked[2] or size) + 1, size)
            if start >= end:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        stream.seek(start)
        if asked:
            self.wfile.write(stream.read(end - start))
        else:
            shutil.copyfileobj(stream, self.wfile)

    def log_message(self, *_: Any) -> None:
        """Say nothing about each request."""
