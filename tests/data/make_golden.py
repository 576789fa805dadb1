"""Make the golden files of the format's version: tests/data/v1/*.gimg and what they decode to.

Usage: python tests/data/make_golden.py [NAME ...]

Every later version of the package must decode these files to the same Gaussians, so none is ever
made again: the script refuses to replace one. It is here to show how they were made, and for the
files that a new version of the format or a new kind of file will need.
"""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gaussianimage import encode
from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.encoder.grain import add_grain
from gaussianimage.codec.encoder.rounding import strongest_first
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.grain import Grain
from gaussianimage.codec.format.header import VERSION, Header
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.picture import Picture
from gaussianimage.picture.pixels import from_array

DATA = Path(__file__).resolve().parent
FOLDER = DATA / f"v{VERSION}"
EXPECTED = FOLDER / "expected.json"

sys.path.insert(0, str(DATA.parent / "support"))


def photo(name: str) -> NDArray[np.uint8]:
    """Return one of the small pictures, (64, 96, 3)."""
    with Image.open(DATA / f"{name}.png") as picture:
        return np.asarray(picture.convert("RGB"))


def gray(name: str) -> NDArray[np.uint8]:
    """Return a small picture in gray, (64, 96)."""
    return np.rint(photo(name) @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def vignette() -> NDArray[np.uint8]:
    """Return an alpha channel with opaque, half and fully transparent places, (64, 96, 1)."""
    y, x = np.mgrid[0:64, 0:96]
    distance = np.hypot((x - 47.5) / 48, (y - 31.5) / 32)
    return np.rint(255 * (1.6 - 1.4 * distance).clip(0, 1)).astype(np.uint8)[..., None]


def deep_photo() -> Picture:
    """Return a picture of 16 bits that uses them, with metadata."""
    y, x = np.mgrid[0:64, 0:96]
    fine = (37 * x + 11 * y)[..., None] % 256
    return from_array(
        (photo("plane").astype(np.int64) * 256 + fine).astype(np.uint16),
        icc=bytes(range(256)),
        exif=b"MM\0*\0\0\0\x08\0\0\0\0\0\0",
        xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    )


def extremes(channels: int, counts: Sequence[int]) -> bytes:
    """Return a file that no fit makes: all classes, crowds, borders, and levels of all sizes."""
    rng = np.random.default_rng(2024)
    height, width = 45, 77
    layers = []
    for count in counts:
        precision = rng.integers(0, 16, count).astype(np.uint8)
        cells = np.ceil(np.array([width, height]) * 16 / 2.0 ** precision[:, None])
        place = rng.uniform(size=(count, 2))
        place[rng.uniform(size=count) < 0.2] = 0.5
        place[rng.uniform(size=count) < 0.1] = 0.9999
        color = np.rint(rng.normal(0, 1, (count, channels)) * 2.0 ** rng.uniform(0, 9, (count, 1)))
        color[rng.uniform(size=count) < 0.05] = 0
        color[rng.uniform(size=count) < 0.2, 1:] = 0
        color[::40, 0] = 2**25 + 78
        square = np.maximum((np.minimum(np.abs(color), 4096) ** 2).sum(axis=1), 1)
        step = np.minimum(2.0 ** (-np.clip(np.floor(np.log2(square) + 0.5), 0, 15) / 2), 0.7)
        size = rng.uniform(-2, 3, count)
        size[::30] = -6.9
        size[1::30] = 13.9
        shear = rng.normal(0, 0.6, (count, 2))
        shape = np.trunc(np.column_stack((size, shear)) / step[:, None])
        parts = (np.floor(place * cells), color, shape)
        layers.append(QuantizedGaussians(precision, *(part.astype(np.int32) for part in parts)))
    parameters = QuantizerParameters(77, 128, (40000, 20000, 30000, 65535)[:channels])
    return serialize(
        layers, parameters, Metadata(), height=height, width=width, bit_depth=8, q_max=5.5
    )


def with_alpha(color: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add a vignette as alpha."""
    return np.concatenate([color.reshape(64, 96, -1), vignette()], axis=2)


def cut_out() -> NDArray[np.uint8]:
    """Return a photo cut out with a smooth edge, (64, 96, 4)."""
    y, x = np.mgrid[0:64, 0:96]
    alpha = (10 - np.hypot((x - 40) / 3, (y - 35) / 2.4)).clip(0, 1)
    return np.concatenate(
        [photo("bikes"), np.rint(255 * alpha).astype(np.uint8)[..., None]], axis=2
    )


def of_one_class() -> bytes:
    """Return a file whose map of alpha is one byte: no pixel is quite opaque or transparent."""
    rng = np.random.default_rng(5)
    count = 60
    color = np.rint(rng.normal(0, 4, (count, 2)))
    layer = QuantizedGaussians(
        np.full(count, 4, np.uint8),
        *(
            part.astype(np.int32)
            for part in (rng.integers(0, 20, (count, 2)), color, rng.integers(-2, 3, (count, 3)))
        ),
    )
    return serialize(
        [layer],
        QuantizerParameters(40, 128, (30000, 65535)),
        Metadata(),
        height=20,
        width=21,
        bit_depth=8,
        q_max=4.5,
        alpha_map=b"\x02",
    )


def newer() -> bytes:
    """Return a file of a later version that readers of version 1 can read, with a new chunk."""
    chunks = read_chunks(encode(photo("plane"), gaussians=100, effort=3))
    header = dataclasses.replace(Header.from_chunk(chunks[0]), version=2, min_reader=1)
    return write_chunks([header.to_chunk(), Chunk(b"aNEW", b"later"), *chunks[1:]])


def deep_grain() -> bytes:
    """Return a cut-out of 16 bits with grain in cells of 8 pixels."""
    levels = np.random.default_rng(8).integers(0, 16, (8, 12, 5)).astype(np.uint8)
    data = encode(cut_out().astype(np.uint16) * 257, gaussians=120, effort=3)
    return add_grain(data, Grain(200, 3, (64, 30, 90), levels))


def grainy() -> bytes:
    """Return a photo with grain of random levels."""
    levels = np.random.default_rng(7).integers(0, 16, (4, 6, 5)).astype(np.uint8)
    data = encode(photo("stream"), gaussians=180, effort=3)
    return add_grain(data, Grain(7, 4, (40, 64, 50), levels))


def in_three_layers() -> bytes:
    """Return a photo in three layers, which an encoder makes of more Gaussians only."""
    from plain import gimg

    data = encode(photo("bikes"), gaussians=1200, effort=3)
    header = Header.from_chunk(read_chunks(data)[0])
    found = [gaussian for layer in gimg.decode(data).layers for gaussian in layer]
    levels = QuantizedGaussians(
        np.array([g.precision for g in found], np.uint8),
        np.array([(g.x, g.y) for g in found], np.int32),
        np.array([g.color for g in found], np.int32),
        np.array([g.shape for g in found], np.int32),
    )
    parts = np.split(strongest_first(levels.color), [50, 250])
    return serialize(
        [levels.select(part) for part in parts],
        QuantizerParameters.from_bytes(header.parameters, header.channels),
        Metadata(),
        height=header.height,
        width=header.width,
        bit_depth=header.bit_depth,
        q_max=header.q_max,
    )


MAKERS: dict[str, Callable[[], bytes]] = {
    "gray": lambda: encode(gray("stream"), gaussians=150, effort=3),
    "gray_alpha": lambda: encode(with_alpha(gray("parrot")), gaussians=150, effort=3),
    "rgb": lambda: encode(photo("parrot"), gaussians=300, effort=3),
    "rgba": lambda: encode(with_alpha(photo("bikes")), gaussians=300, effort=3),
    "cut_out": lambda: encode(cut_out(), gaussians=250, effort=3),
    "cut_out_deep": lambda: encode(
        cut_out()[..., [1, 3]].astype(np.uint16) * 257, gaussians=120, effort=3
    ),
    "grain": grainy,
    "grain_deep_alpha": deep_grain,
    "newer": newer,
    "one_class": of_one_class,
    "empty_layers": lambda: extremes(2, (40, 0, 30, 0)),
    "layers": in_three_layers,
    "constant": lambda: encode(np.full((5, 7, 3), (200, 100, 50), np.uint8)),
    "sixteen_bit": lambda: encode(deep_photo(), gaussians=250, effort=3),
    "extremes": lambda: extremes(4, (500, 300, 400, 1, 40)),
    "extremes_in_one_layer": lambda: extremes(3, (900,)),
}


def facts(data: bytes) -> dict[str, object]:
    """Return digests of a file's Gaussians and pixels."""
    from plain import gimg

    file = gimg.decode(data)
    pixels = {dtype: decode(data, dtype=dtype) for dtype in ("uint8", "uint16")}
    return {
        "file": hashlib.sha256(data).hexdigest(),
        "gaussians": len(file.numbers),
        "layers": len(file.layers),
        "means": digest(np.array([n.mean for n in file.numbers], "<f8")),
        "cholesky": digest(np.array([n.cholesky for n in file.numbers], "<f8")),
        "colors": digest(np.array([n.color for n in file.numbers], "<f4")),
        "shape": list(pixels["uint8"].shape),
        "uint8": digest(pixels["uint8"]),
        "uint16": digest(pixels["uint16"].astype("<u2")),
    }


def digest(array: NDArray[np.generic]) -> str:
    """Return the SHA-256 of an array's bytes, which are little-endian."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def main(names: list[str]) -> None:
    """Make the missing files."""
    FOLDER.mkdir(exist_ok=True)
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    for name in names or [name for name in MAKERS if name not in known]:
        path = FOLDER / f"{name}.gimg"
        if path.exists():
            raise SystemExit(f"{path} is there: golden files are never made again")
        data = MAKERS[name]()
        path.write_bytes(data)
        known[name] = facts(data)
    EXPECTED.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
