"""A server on this machine for the viewer's page and the files that it shows."""

import mimetypes
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePath
from typing import Any, cast
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

ReadFile = Callable[[], bytes]


class ViewerServer(ThreadingHTTPServer):
    """Serves the viewer, and only the files that it is given, to this machine alone.

    Parameters
    ----------
    files : sequence of (str, callable)
        The name of each `.gimg` file, and a function that returns its bytes; it is called for each
        request, so that a reloaded page shows a file as it is now.
    reference : (str, callable), optional
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
        files: Sequence[tuple[str, ReadFile]],
        reference: tuple[str, ReadFile] | None = None,
        port: int = 0,
    ) -> None:
        super().__init__((_ADDRESS, port), _Handler)
        self._paths: dict[str, ReadFile] = {}
        query = [("url", self._add(name, read)) for name, read in files]
        if reference is not None:
            query.append(("reference", self._add(*reference)))
        self._query = urlencode(query, safe="/")

    def _add(self, name: str, read: ReadFile) -> str:
        """Serve a file, and return its address relative to the page."""
        path = f"files/{len(self._paths)}/{quote(PurePath(name).name)}"
        self._paths[f"/{path}"] = read
        return path

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{_ADDRESS}:{self.server_port}/viewer.html?{self._query}"

    def content(self, path: str) -> tuple[str, bytes] | None:
        """Return the type and the bytes of what is served at a path, or None."""
        if read := self._paths.get(path):
            return mimetypes.guess_type(path)[0] or "application/octet-stream", read()
        name = path.removeprefix("/")
        kind = _TYPES.get(PurePath(name).suffix)
        if kind is None or "/" in name or not (MODULES / name).is_file():
            return None
        return kind, (MODULES / name).read_bytes()

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
        kind, data = found
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing about each request."""
