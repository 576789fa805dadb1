"""The server draws tiles by address, and says what it does not have."""

import io
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import sample
from tiled_samples import damaged, make_tiled

from gaussianimage import decode
from gaussianimage.codec.format.tiles import TilePlace
from gaussianimage.deepzoom.picture_tiles import PictureTiles
from gaussianimage.deepzoom.server import TileServer, names_of

DATA = make_tiled()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TileServer]:
    folder = tmp_path_factory.mktemp("served")
    contents = {
        "big": DATA,
        "small & one": sample(),
        "broken": damaged(DATA, TilePlace(2, 3, 3)),
    }
    paths = []
    for name, data in contents.items():
        paths.append(folder / f"{name}.gimg")
        paths[-1].write_bytes(data)
    (folder / "secret.txt").write_text("not served")
    pictures = {name: PictureTiles(path, extension="png") for name, path in names_of(paths).items()}
    with TileServer(("127.0.0.1", 0), pictures) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def get(server: TileServer, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(server.url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_a_tile_is_a_part_of_the_picture(server: TileServer) -> None:
    pyramid = server.pictures["big"].pyramid
    level = pyramid.levels - 2
    status, headers, data = get(server, f"big_files/{level}/0_0.png")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert headers["Access-Control-Allow-Origin"] == "*"
    with Image.open(io.BytesIO(data)) as tile:
        pixels = np.asarray(tile)
    whole = decode(DATA, size=pyramid.size(level))
    assert np.array_equal(pixels, whole[: pixels.shape[0], : pixels.shape[1]])


def test_a_viewer_learns_the_size_of_the_picture(server: TileServer) -> None:
    status, headers, data = get(server, "big.dzi")
    assert (status, headers["Content-Type"]) == (200, "application/xml")
    assert b'Width="210" Height="150"' in data
    assert get(server, "small%20%26%20one.dzi")[0] == 200


def test_the_page_names_all_pictures(server: TileServer) -> None:
    status, headers, data = get(server, "")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b'<option value="big">big</option>' in data
    assert b'<option value="small%20%26%20one">small &amp; one</option>' in data


def test_a_decoder_elsewhere_reads_parts_of_the_file(server: TileServer) -> None:
    crop = (30, 40, 20, 20)
    part = decode(f"{server.url}big.gimg", crop=crop)
    assert np.array_equal(part, decode(DATA, crop=crop))
    status, headers, data = get(server, "big.gimg", Range="bytes=10-19")
    assert (status, data) == (206, DATA[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(DATA)}"
    status, headers, data = get(server, "big.gimg", Range="bytes=20-")
    assert (status, data) == (206, DATA[20:])
    assert get(server, "big.gimg")[2] == DATA
    status, headers, _ = get(server, "big.gimg", Range=f"bytes={len(DATA)}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("big_files/8/0_9.png", "no tile 0_9 in level 8"),
        ("big_files/99/0_0.png", "no level 99"),
        ("big_files/8/0_0.jpg", "tiles are png files"),
        ("other_files/8/0_0.png", "no picture is called 'other'"),
        ("other.dzi", "no picture is called 'other'"),
        ("secret.txt", "is not here"),
        ("../secret.txt", "is not here"),
        ("%2e%2e/secret.gimg", "no picture is called"),
        ("big_files/8/-1_0.png", "is not here"),
    ],
)
def test_what_is_not_there_is_told_in_a_line(server: TileServer, path: str, text: str) -> None:
    status, headers, data = get(server, path)
    assert (status, headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert text in data.decode()
    assert data.count(b"\n") == 1


def test_a_damaged_tile_is_told_and_the_others_are_served(server: TileServer) -> None:
    level = server.pictures["broken"].pyramid.levels - 1
    status, _, data = get(server, f"broken_files/{level}/0_0.png")
    assert status == 500
    assert b"tile 2/3/3" in data
    assert get(server, f"broken_files/{level - 3}/0_0.png")[0] == 200
    assert get(server, "big.dzi")[0] == 200


def test_head_answers_without_a_body(server: TileServer) -> None:
    request = urllib.request.Request(f"{server.url}big.dzi", method="HEAD")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert int(answer.headers["Content-Length"]) > 100
        assert answer.read() == b""


def test_names_are_unique() -> None:
    names = names_of([Path("a/x.gimg"), Path("b/x.gimg"), Path("c/y.gimg")])
    assert names == {"x": Path("a/x.gimg"), "x-2": Path("b/x.gimg"), "y": Path("c/y.gimg")}
