"""Tiled files over HTTP: ranges are asked for, and servers that have none are named."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from tiled_samples import make_tiled

from gaussianimage import Decoder, decode, info
from gaussianimage.codec.format.tiles import TileGrid

GRID = TileGrid(height=640, width=640, levels=2, shift=3, side=64, margin=2)
DATA = make_tiled(GRID, count=900)


class Handler(BaseHTTPRequestHandler):
    """Serves DATA by ranges, and the same as a whole or with changes under other names."""

    taken = 0

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if self.path == "/nothing":
            self.send_error(404)
            return
        if asked is None or self.path == "/whole":
            self._answer(200, DATA, {})
            return
        begin, end = int(asked[1]), min(int(asked[2]) + 1, len(DATA))
        size = len(DATA) + (self.path == "/changing" and begin > 0)
        self._answer(206, DATA[begin:end], {"Content-Range": f"bytes {begin}-{end - 1}/{size}"})

    def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        type(self).taken += len(data)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()
        thread.join()


def test_a_part_of_a_file_on_a_server_is_read_by_ranges(server: str) -> None:
    Handler.taken = 0
    part = decode(f"{server}/big.gimg", crop=(300, 300, 10, 10))
    assert np.array_equal(part, decode(DATA)[300:310, 300:310])
    assert 0 < Handler.taken < len(DATA) / 2
    assert info(f"{server}/big.gimg").bytes == len(DATA)


def test_a_decoder_asks_for_a_tile_once(server: str) -> None:
    decoder = Decoder()
    decoder.decode(f"{server}/big.gimg")
    Handler.taken = 0
    decoder.decode(f"{server}/big.gimg")
    assert Handler.taken <= 2**16


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("whole", "does not answer requests for ranges"),
        ("nothing", "404"),
        ("changing", "has changed while it was read"),
    ],
)
def test_what_a_server_lacks_is_told(server: str, name: str, message: str) -> None:
    with pytest.raises(OSError, match=message):
        decode(f"{server}/{name}")
