"""The page of `gaussianimage serve`, in a browser."""

import threading
from pathlib import Path

import numpy as np
from tiled_samples import make_tiled
from webdriver import Browser

from gaussianimage.codec.format.tiles import TileGrid
from gaussianimage.deepzoom.server import PictureTiles, TileServer

ROW = """
const canvas = document.querySelector('canvas');
const { data } = canvas.getContext('2d').getImageData(0, 300, canvas.width, 1);
return [canvas.width, Array.from(data).join(' ')];
"""
LOADED = "tiles.size > 9 && [...tiles.values()].every(({ image }) => image.complete)"


def test_coarse_levels_end_where_the_picture_does(browser: Browser, tmp_path: Path) -> None:
    # A level of 33 pixels stands for 1,025, and not for 33 * 32.
    path = tmp_path / "a.gimg"
    path.write_bytes(make_tiled(TileGrid(1025, 1025, levels=2, shift=3, side=512, margin=3)))
    browser.show_as(800, 600)
    with TileServer(("127.0.0.1", 0), {"a": PictureTiles(path, extension="png")}) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            browser.open(server.url)
            browser.wait(LOADED)
            browser.run("await new Promise((done) => setTimeout(done, 400))")
            width, text = browser.run(ROW)
        finally:
            server.shutdown()
            thread.join()
    alpha = np.array(text.split(), int).reshape(width, 4)[:, 3]
    drawn = np.flatnonzero(alpha)
    side = min(width, 600)
    assert drawn.min() >= (width - side) // 2 - 1
    assert drawn.max() <= (width + side) // 2 + 1
    assert len(drawn) >= side - 2
