"""Seconds of one core and memory that hostile files take under the default limits.

Usage: python benchmarks/worst_case.py [--only KIND ...]

Each kind of file takes as much as the limits allow, in its own way. Every call runs on one thread
in a process of its own. The seconds are CPU time without the import; the memory is the peak of the
process, with Python and NumPy.
"""

import argparse
import dataclasses
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json

from gaussianimage import Limits, _native
from gaussianimage.codec.decoder.tile_cache import WORK_OF_A_MAP_PIXEL, WORK_OF_A_TILE
from gaussianimage.codec.encoder.alpha_map import encode_map
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.container import chunk_bytes
from gaussianimage.codec.format.header import GAUSSIAN_MEMORY, Header
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.codec.format.tiles import TileGrid, tile_chunk
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.codec.paper_profile.quantizers import UniformQuantizer, VectorQuantizer
from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.codec.paper_profile.stream import MAX_STACKED
from gaussianimage.codec.tiled.assemble import write_tiled
from gaussianimage.picture.pixels import from_array
from gaussianimage.picture.warn import ignore

RESULTS = Path(__file__).parent / "results" / "worst_case.json"
STEP = 1 / 16  # step of the log-covariance in these files

_CHILD = """
import json, sys, time
import gaussianimage
from gaussianimage import FormatError, LimitError, Limits
data = open(sys.argv[1], "rb").read()
limits = Limits(**json.loads(sys.argv[2]))
gaussianimage.decode, gaussianimage.decode_gaussians, gaussianimage.thumbnail, gaussianimage.info
import warnings
warnings.simplefilter("ignore")
start = time.process_time()
try:
    CALL
    outcome = "decoded"
except LimitError as error:
    outcome = "refused: " + str(error).rpartition("limit ")[2].split("=")[0]
except FormatError:
    outcome = "damaged"
seconds = time.process_time() - start
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"seconds": seconds, "bytes": 1024 * int(peak), "outcome": outcome}))
"""

DECODE = "gaussianimage.decode(data, threads=1, limits=limits)"
FLOATS = "gaussianimage.decode(data, threads=1, limits=limits, dtype='float32')"
THUMBNAIL = "gaussianimage.thumbnail(data, 256, threads=1, limits=limits)"
GAUSSIANS = "gaussianimage.decode_gaussians(data, threads=1, limits=limits)"


class Kind(NamedTuple):
    """A kind of hostile file: the function that makes one within limits, and the call on it."""

    make: Callable[[Limits], bytes]
    call: str = DECODE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crowd:
    """A file of as many Gaussians of one shape as the limits allow.

    `size` is the logarithm of their mean axis in pixels; `shear` is the anisotropic part of
    their log-covariance; `sample` is the size of a drawn sample in bytes.
    """

    height: int
    width: int
    size: float
    shear: tuple[float, float] = (0.0, 0.0)
    precision: int = 4
    channels: int = 4
    layers: int = 1
    q_max: float = 4.5
    sample: int = 1

    def __call__(self, limits: Limits) -> bytes:
        """Return the file."""
        parameters = QuantizerParameters(0, 192, (0,) * self.channels)
        arrays = parameters.quantizer(self.height, self.width).dequantize(*self.levels(0, 256))
        work = _native.work(*arrays, self.q_max, self.height, self.width, None, 1) / 256
        room = limits.max_memory - self.height * self.width * self.channels * self.sample
        most = min(limits.max_work / work, limits.max_gaussians, room / GAUSSIAN_MEMORY)
        count = max(int(0.97 * most) // self.layers, 1)
        parts = [self.levels(seed + 1, count) for seed in range(self.layers)]
        return serialize(
            parts,
            parameters,
            Metadata(),
            height=self.height,
            width=self.width,
            bit_depth=8,
            q_max=self.q_max,
        )

    def levels(self, seed: int, count: int) -> QuantizedGaussians:
        """Return `count` Gaussians at random places, with a color of ±1 in the first channel."""
        rng = np.random.default_rng(seed)
        ends = np.ceil(np.array([self.width, self.height]) * 16 / 2**self.precision)
        color = np.zeros((count, self.channels), np.int32)
        color[:, 0] = rng.integers(0, 2, count) * 2 - 1
        shape = np.rint(np.array([self.size, *self.shear]) / STEP).astype(np.int32)
        return QuantizedGaussians(
            np.full(count, self.precision, np.uint8),
            np.floor(rng.uniform(size=(count, 2)) * ends).astype(np.int32),
            color,
            np.tile(shape, (count, 1)),
        )


def constant(sample: int, channels: int) -> Callable[[Limits], bytes]:
    """Return a function that makes a picture of one color, as large as the limits allow."""

    def make(limits: Limits) -> bytes:
        most = min(limits.max_pixels, limits.max_output // (sample * channels))
        height = min(limits.max_side, int(most**0.5))
        parameters = QuantizerParameters(0, 192, (40000,) * channels)
        width = min(limits.max_side, most // height)
        size = {"height": height, "width": width}
        return serialize([], parameters, Metadata(), **size, bit_depth=8, q_max=4.5)

    return make


def alpha_map(limits: Limits) -> bytes:
    """Return a constant picture with a map of random classes."""
    side = min(4096, int(limits.max_pixels**0.5))
    alpha = np.random.default_rng(0).integers(0, 3, (side, side), dtype=np.uint8) * 127
    picture = from_array(np.stack((alpha, alpha), axis=2), warn=ignore)
    return serialize(
        [],
        QuantizerParameters(0, 192, (40000, 40000)),
        Metadata(),
        height=side,
        width=side,
        bit_depth=8,
        q_max=4.5,
        alpha_map=encode_map(picture, 100),
    )


def tiles(side: int, *, with_maps: bool) -> Callable[[Limits], bytes]:
    """Return a function that makes a file of as many tiles as the limits let a reader draw.

    The tiles have no Gaussians. With maps, each has one of random classes; without, every second
    tile is empty.
    """

    def make(limits: Limits) -> bytes:
        most = limits.max_work / (WORK_OF_A_TILE + with_maps * WORK_OF_A_MAP_PIXEL * side**2)
        count = int(0.97 * min(most, limits.max_memory / side**2))
        columns = int((count * (1 if with_maps else 2)) ** 0.5)
        grid = TileGrid(count // columns * side, columns * side, 1, 1, side, 0)
        parameters = QuantizerParameters(0, 192, (40000, 40000))
        classes = np.random.default_rng(0).integers(0, 3, (side, side), np.uint8)
        inner = serialize(
            [],
            parameters,
            Metadata(),
            height=side,
            width=side,
            bit_depth=8,
            q_max=4.5,
            alpha_map=_native.encode_alpha_map(classes) if with_maps else None,
        )
        filled = [with_maps or (p.row + p.column) % 2 == 0 for p in grid.places()]
        chunks = [
            chunk_bytes(tile_chunk(p, inner)) if full else b""
            for p, full in zip(grid.places(), filled, strict=True)
        ]
        header = Header(
            height=grid.height,
            width=grid.width,
            channels=2,
            bit_depth=8,
            gaussians=0,
            layers=0,
            q_max=4.5,
            work=0,
            parameters=parameters.to_bytes(),
            alpha_map=b"\0",
        )
        file = io.BytesIO()
        write_tiled(
            file,
            header,
            Metadata(),
            grid,
            gaussians=0,
            reaches=[0] * grid.count,
            lengths=[len(chunk) for chunk in chunks],
            tiles=chunks,
        )
        return file.getvalue()

    return make


def metadata(limits: Limits) -> bytes:
    """Return a file with the largest metadata within the limits, which compresses well."""
    most = bytes(limits.max_metadata)
    parameters = QuantizerParameters(0, 192, (0,) * 3)
    everything = Metadata(icc=most, exif=most, xmp=most)
    return serialize([], parameters, everything, height=1, width=1, bit_depth=8, q_max=4.5)


def paper(stream: str) -> Callable[[Limits], bytes]:
    """Return a function that makes a file of the paper's profile with the most Gaussians."""

    def make(limits: Limits) -> bytes:
        count = min(limits.max_gaussians, 2**20 if stream == "plain" else MAX_STACKED)
        rng = np.random.default_rng(0)
        record = PaperRecord(
            height=1024,
            width=1024,
            q_max=4.5,
            positions=rng.normal(size=(count, 2)).astype(np.float16),
            shapes=rng.integers(0, 64, (count, 3)),
            shape_quantizer=UniformQuantizer(6, np.full(3, 0.01), np.array([0.5, 0, 0.5])),
            colors=rng.integers(0, 8, (count, 2)),
            color_quantizer=VectorQuantizer(rng.normal(0, 0.3, (2, 8, 3))),
            offset=True,
        )
        return encode_record(record, stream=stream)

    return make


def cut(make: Callable[[Limits], bytes]) -> Callable[[Limits], bytes]:
    """Return a function that makes the same file without its end."""
    return lambda limits: make(limits)[:-5]


TINY = Crowd(height=2048, width=2048, size=-4)
WIDE = Crowd(height=1024, width=65536, size=4, shear=(6, 0))
HUGE = Crowd(height=4096, width=4096, size=12)
KINDS = {
    "tiny": Kind(TINY),
    "tiny, floats": Kind(dataclasses.replace(TINY, sample=4), FLOATS),
    "tiny, one place": Kind(Crowd(height=16, width=16, size=-4)),
    "tiny, many layers": Kind(dataclasses.replace(TINY, layers=255)),
    "small": Kind(Crowd(height=2048, width=2048, size=0.5)),
    "medium": Kind(Crowd(height=2048, width=2048, size=2, sample=4), FLOATS),
    "wide and flat": Kind(WIDE),
    "wide, outside": Kind(Crowd(height=1023, width=8192, size=4, shear=(6, 0), precision=15)),
    "wide, between rows": Kind(
        Crowd(height=1024, width=65536, size=1, shear=(7, 0), precision=8, q_max=0.5)
    ),
    "tall and thin": Kind(Crowd(height=65536, width=1024, size=4, shear=(-6, 0))),
    "diagonal": Kind(Crowd(height=8192, width=8192, size=3, shear=(0, 6))),
    "steep": Kind(Crowd(height=16384, width=2048, size=3, shear=(-4, 0.2))),
    "extreme elongation": Kind(Crowd(height=8192, width=8192, size=6, shear=(-4.9, 4.9))),
    "huge": Kind(HUGE),
    "huge, floats": Kind(dataclasses.replace(HUGE, sample=4), FLOATS),
    "huge, largest q_max": Kind(dataclasses.replace(HUGE, q_max=31.5)),
    "huge, RGB": Kind(dataclasses.replace(HUGE, channels=3)),
    "constant, RGB": Kind(constant(1, 3)),
    "constant, RGBA floats": Kind(constant(4, 4), FLOATS),
    "map of alpha": Kind(alpha_map),
    "tiles": Kind(tiles(32, with_maps=False), THUMBNAIL),
    "tiles, Gaussians": Kind(tiles(32, with_maps=False), GAUSSIANS),
    "tiles, maps of alpha": Kind(tiles(1024, with_maps=True), THUMBNAIL),
    "cut at the end": Kind(cut(TINY), DECODE.replace("data,", "data, partial=True,")),
    "drawn larger": Kind(
        Crowd(height=64, width=64, size=2),
        DECODE.replace("data,", "data, size=(8192, 8192),"),
    ),
    "crop of larger": Kind(
        Crowd(height=64, width=64, size=2),
        DECODE.replace("data,", "data, size=(65536, 65536), crop=(30000, 30000, 100, 100),"),
    ),
    "thumbnail": Kind(TINY, THUMBNAIL),
    "Gaussians": Kind(TINY, GAUSSIANS),
    "metadata": Kind(metadata),
    "metadata, info": Kind(metadata, "gaussianimage.info(data, limits=limits)"),
    "paper, plain": Kind(paper("plain")),
    "paper, entropy": Kind(paper("entropy")),
    "paper, set": Kind(paper("entropy-interleaved")),
    "paper, bits-back": Kind(paper("entropy-bits-back")),
}


def measure(kind: Kind, limits: Limits, folder: Path) -> dict[str, Any]:
    """Make a file, and decode it in a process of its own."""
    path = folder / "worst.gimg"
    path.write_bytes(kind.make(limits))
    code = _CHILD.replace("CALL", kind.call)
    arguments = [str(path), json.dumps(dataclasses.asdict(limits))]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return {"file": path.stat().st_size, **found}


def row(name: str, found: dict[str, Any]) -> list[str]:
    return [
        name,
        f"{found['file']:,}",
        f"{found['seconds']:.2f}",
        f"{found['bytes'] / 1e6:.0f}",
        f"{1e6 * found['seconds'] / found['file']:.3g}",
        found["outcome"],
    ]


def run(names: list[str], limits: Limits) -> dict[str, dict[str, Any]]:
    """Measure some kinds, and return the results by name."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            found[name] = measure(KINDS[name], limits, Path(folder))
            print(f"{name}: {found[name]['seconds']:.2f} s", file=sys.stderr)
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=sorted(KINDS), metavar="KIND")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the JSON file")
    options = parser.parse_args(arguments)
    report = environment(threads=[1])
    print_environment(report)
    limits = Limits()
    found = run(options.only or list(KINDS), limits)
    header = ["kind", "bytes", "CPU s", "MB", "µs/byte", "outcome"]
    print_table(header, [row(name, one) for name, one in found.items()])
    results = {
        "environment": report,
        "limits": dataclasses.asdict(limits),
        "kinds": found,
        "worst_seconds": max(one["seconds"] for one in found.values()),
        "worst_bytes": max(one["bytes"] for one in found.values()),
    }
    write_json(options.output, results)


if __name__ == "__main__":
    main()
