"""A web server of tiles: a browser, OpenSeadragon or a decoder elsewhere reads what it shows."""

import html
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from gaussianimage import GaussianImageError, __version__
from gaussianimage.codec.decoder.ranges import FileRanges
from gaussianimage.codec.format.container import EXTENSION, MIME_TYPE
from gaussianimage.deepzoom.picture_tiles import PictureTiles

_TILE = re.compile(r"(.+)_files/(\d{1,2})/(\d{1,9})_(\d{1,9})\.(\w+)", re.DOTALL)
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
_PAGE = Path(__file__).with_name("viewer.html")
_BLOCK = 2**20


def names_of(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the names under which files are served: their stems, made unique by numbers."""
    names: dict[str, Path] = {}
    for path in paths:
        name, number = path.stem, 1
        while name in names:
            number += 1
            name = f"{path.stem}-{number}"
        names[name] = path
    return names


class TileServer(ThreadingHTTPServer):
    """Serves files as Deep Zoom Images, and by ranges of bytes.

    For a file that is called NAME there are ``/NAME.dzi``, ``/NAME_files/LEVEL/COLUMN_ROW.EXT``,
    ``/NAME.gimg`` (which answers requests for ranges, as `gaussianimage.decode` makes them), and
    ``/`` is a page to look around in. Nothing else is served.

    Parameters
    ----------
    address : (str, int)
        Host name and port; port 0 is a free one.
    pictures : mapping of str to PictureTiles
        The files by name.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], pictures: Mapping[str, PictureTiles]) -> None:
        self.pictures = dict(pictures)
        super().__init__(address, _TileHandler)

    @property
    def url(self) -> str:
        """The address of the page."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes) else str(host)
        return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


class _MissingError(Exception):
    """What was asked for is not there."""


class _TileHandler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: TileServer
    protocol_version = "HTTP/1.1"
    server_version = f"gaussianimage/{__version__}"
    sys_version = ""

    def do_GET(self) -> None:
        try:
            self._answer(unquote(urlsplit(self.path).path).removeprefix("/"))
        except (_MissingError, KeyError, FileNotFoundError) as error:
            text = str(error.args[0]) if error.args else "not found"
            self._send_text(HTTPStatus.NOT_FOUND, text)
        except (GaussianImageError, OSError) as error:
            if isinstance(error, BrokenPipeError | ConnectionResetError):
                self.close_connection = True
                return
            self._send_text(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent; the caller of the server says what there is to say."""

    def _answer(self, name: str) -> None:
        pictures = self.server.pictures
        if name == "":
            self._send(_page(pictures).encode(), "text/html; charset=utf-8")
        elif tile := _TILE.fullmatch(name):
            picture = self._picture(tile[1])
            if tile[5] != picture.extension:
                raise _MissingError(f"tiles are {picture.extension} files")
            level, column, row = int(tile[2]), int(tile[3]), int(tile[4])
            self._send(picture.tile(level, column, row), picture.media_type, cached=True)
        elif name.endswith(".dzi"):
            picture = self._picture(name.removesuffix(".dzi"))
            text = picture.pyramid.to_xml(picture.extension)
            self._send(text.encode(), "application/xml", cached=True)
        elif name.endswith(EXTENSION):
            self._send_file(self._picture(name.removesuffix(EXTENSION)).path)
        else:
            raise _MissingError(f"{name!r} is not here")

    def _picture(self, name: str) -> PictureTiles:
        try:
            return self.server.pictures[name]
        except KeyError:
            raise _MissingError(f"no picture is called {name!r}") from None

    def _send_file(self, path: Path) -> None:
        """Send a file, or the range of it that was asked for."""
        with FileRanges(path) as ranges:
            asked = _RANGE.fullmatch(self.headers.get("Range", ""))
            begin, end = 0, ranges.size
            status = HTTPStatus.OK
            headers = {"Accept-Ranges": "bytes", "ETag": f'"{abs(hash(ranges.identity)):x}"'}
            if asked:
                begin = int(asked[1])
                end = min(end, int(asked[2]) + 1) if asked[2] else end
                if begin >= end:
                    headers["Content-Range"] = f"bytes */{ranges.size}"
                    self._send_text(
                        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "no such range", headers
                    )
                    return
                status = HTTPStatus.PARTIAL_CONTENT
                headers["Content-Range"] = f"bytes {begin}-{end - 1}/{ranges.size}"
            self._start(status, MIME_TYPE, end - begin, headers)
            if self.command == "HEAD":
                return
            while begin < end:
                part = ranges.read(begin, min(_BLOCK, end - begin))
                if not part:  # the file has become shorter
                    self.close_connection = True
                    return
                self.wfile.write(part)
                begin += len(part)

    def _send(self, data: bytes, media_type: str, *, cached: bool = False) -> None:
        headers = {"Cache-Control": "max-age=3600"} if cached else {}
        self._start(HTTPStatus.OK, media_type, len(data), headers)
        if self.command != "HEAD":
            self.wfile.write(data)

    def _send_text(
        self, status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None
    ) -> None:
        data = f"{text}\n".encode()
        self._start(status, "text/plain; charset=utf-8", len(data), headers or {})
        if self.command != "HEAD":
            self.wfile.write(data)

    def _start(
        self, status: HTTPStatus, media_type: str, length: int, headers: Mapping[str, str]
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(length))
        self.send_header("X-Content-Type-Options", "nosniff")
        # So that a page of another server, such as one with OpenSeadragon, may show the tiles.
        self.send_header("Access-Control-Allow-Origin", "*")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _page(pictures: Mapping[str, PictureTiles]) -> str:
    """Return the page that shows the pictures."""
    options = "".join(
        f'<option value="{html.escape(quote(name))}">{html.escape(name)}</option>'
        for name in pictures
    )
    return _PAGE.read_text(encoding="utf-8").replace("<!-- pictures -->", options)
