"""Make the golden tiled files: tests/data/v1/tiled/*.gimg and what they decode to.

Usage: python tests/data/make_golden_tiled.py [NAME ...]

As those of `make_golden.py`, they are never made again.
"""

import dataclasses
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from make_golden import DATA, FOLDER, digest, photo, with_alpha

from gaussianimage import encode_tiled
from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.format.container import SIGNATURE, Chunk, chunk_bytes, read_chunk
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.tiles import TileGrid, TileIndex

sys.path[:0] = [str(DATA.parent / "support"), str(DATA.parent)]


HERE = FOLDER / "tiled"
EXPECTED = HERE / "expected.json"
SIZES = (None, (60, 90), (20, 30), (131, 200))


def encoded(picture: np.ndarray) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.gimg"
        encode_tiled(picture, path, tile=64, effort=2, quality=50)
        return path.read_bytes()


def mosaic() -> np.ndarray:
    """Return four photos side by side, (120, 180, 3)."""
    top = np.concatenate([photo("parrot"), photo("bikes")], axis=1)
    bottom = np.concatenate([photo("stream"), photo("plane")], axis=1)
    return np.concatenate([top, bottom])[:120, :180]


def cut_out() -> np.ndarray:
    """Return photos in a soft disk, and transparent around it, (120, 180, 4)."""
    y, x = np.mgrid[0:120, 0:180]
    alpha = np.clip(128 * (50 - np.hypot(y - 50, x - 60)), 0, 255)
    return np.dstack((mosaic(), alpha.astype(np.uint8)))


def random() -> bytes:
    """Return a file of random Gaussians, with alpha."""
    from tiled_samples import make_tiled

    return make_tiled(TileGrid(70, 101, 3, 1, 33, 5), 2, count=9)


def with_metadata() -> bytes:
    """Return a file with all kinds of metadata and a chunk of a later version."""
    from tiled_samples import make_tiled

    grid = TileGrid(50, 61, 2, 1, 40, 4)
    metadata = Metadata(icc=b"a profile", exif=b"MM\0*\0\0\0\x08\0\0", xmp=b"<x/>")
    new = chunk_bytes(Chunk(b"aNEW", b"later"))
    data = make_tiled(grid, 3, count=9, metadata=metadata)
    # The new chunk goes before the tiles, whose offset is in the index.
    head, begin = read_chunk(memoryview(data), len(SIGNATURE))
    chunk, end = read_chunk(memoryview(data), begin)
    header = Header.from_chunk(head)
    index = TileIndex.from_chunk(chunk, header.height, header.width)
    moved = dataclasses.replace(index, first=index.first + len(new))
    first = index.first
    return data[:begin] + chunk_bytes(moved.to_chunk()) + data[end:first] + new + data[first:]


MAKERS: dict[str, Callable[[], bytes]] = {
    "rgb": lambda: encoded(mosaic()),
    "gray_sixteen_bit": lambda: encoded(mosaic()[..., 1].astype(np.uint16) * 257),
    "one_tile_alpha": lambda: encoded(with_alpha(photo("bikes"))[:, :64]),
    "cut_out": lambda: encoded(cut_out()),
    "random": random,
    "metadata": with_metadata,
}


def facts(data: bytes) -> dict[str, object]:
    """Return digests of a file's Gaussians and pixels."""
    from plain import tiles

    file = tiles.decode(data)
    numbers = file.numbers()
    pixels = {
        f"{dtype} {size}": digest(decode(data, size=size, dtype=dtype))
        for dtype in ("uint8", "uint16")
        for size in SIZES
    }
    return {
        "file": hashlib.sha256(data).hexdigest(),
        "tiles": len(file.tiles),
        "gaussians": len(numbers),
        "means": digest(np.array([n.mean for n in numbers], "<f8")),
        "cholesky": digest(np.array([n.cholesky for n in numbers], "<f8")),
        "colors": digest(np.array([n.color for n in numbers], "<f4")),
        "pixels": pixels,
    }


def main(names: list[str]) -> None:
    """Make the missing files."""
    HERE.mkdir(exist_ok=True)
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    for name in names or [name for name in MAKERS if name not in known]:
        path = HERE / f"{name}.gimg"
        if path.exists():
            raise SystemExit(f"{path} is there: golden files are never made again")
        data = MAKERS[name]()
        path.write_bytes(data)
        known[name] = facts(data)
    EXPECTED.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
