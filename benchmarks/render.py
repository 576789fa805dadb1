"""The time of rendering, beside a plain C++ loop and Pillow's WebP decoder.

Usage: python benchmarks/render.py [--image PICTURE | --gaussians FILE | --synthetic] [-n N]

By default the shipped photo is fitted with 9,000 Gaussians first. The plain loop is
`benchmarks/native/naive.cpp`, compiled with the engine's own flags for this CPU. A second rival is
the same loop in the form that compilers vectorize, with -ffast-math. The WebP file has the same
picture at the same PSNR as the Gaussians (without the original picture: the drawn Gaussians, at
quality 75). All contestants give 8-bit pixels unless their name says "float".
"""

import argparse
import ctypes
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import (
    Timing,
    environment,
    milliseconds,
    print_environment,
    print_table,
    take_turns,
    timings_as_json,
    write_json,
)
from numpy.typing import NDArray
from PIL import Image

import gaussianimage
from gaussianimage import _native
from gaussianimage.gaussians import Gaussians
from gaussianimage.metrics import psnr
from gaussianimage.rendering import render

HERE = Path(__file__).resolve().parent
PHOTO = HERE.parent / "examples/pictures/kodim23.png"

# As in CMakeLists.txt.
COMMON_FLAGS = ["-O3", "-std=c++20", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
AVX2_FLAGS = ["-mavx2", "-mfma"]
ISA_FLAGS = {
    "baseline": [],
    "avx2": AVX2_FLAGS,
    "avx512": [
        "-mavx512f",
        "-mavx512vl",
        "-mavx512bw",
        "-mavx512dq",
        *AVX2_FLAGS,
        "-mprefer-vector-width=256",
    ],
}

Bytes = NDArray[np.uint8]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time rendering beside its rivals.")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--gaussians", type=Path, metavar="FILE", help="safetensors to render")
    source.add_argument("--synthetic", action="store_true", help="random Gaussians, no picture")
    parser.add_argument("--image", type=Path, help="picture to fit, or that --gaussians stand for")
    parser.add_argument("-n", type=int, default=9000, help="Gaussians to fit or draw (9000)")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 768), metavar=("H", "W"))
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--output", type=Path, default=HERE / "results/render.json")
    arguments = parser.parse_args()
    if arguments.synthetic and arguments.image is not None:
        parser.error("--synthetic: there is no picture, so --image makes no sense")
    return arguments


def synthetic_gaussians(count: int, height: int, width: int, *, pairs: float = 9.0) -> Gaussians:
    """Return random Gaussians that cover each pixel `pairs` times, as fits of photos do.

    Sizes are log-normal with a factor of 1.8, and so are the ratios of axes.
    """
    rng = np.random.default_rng(0)
    q_max = 4.5
    log_size = rng.normal(0, 0.6, count)
    log_ratio = rng.normal(0, 0.6, count)
    scales = np.exp(np.stack([log_size + log_ratio / 2, log_size - log_ratio / 2], axis=1))
    area = 2 * np.pi * q_max * np.prod(scales, axis=1).sum()
    scales *= np.sqrt(pairs * height * width / area)
    # With these colors, the weighted sum is about ½ everywhere.
    mean_color = 0.5 * q_max / pairs
    colors = rng.normal(mean_color, 0.1, (count, 1)) + rng.normal(0, 0.03, (count, 3))
    means = rng.uniform(0, 1, (count, 2)) * (width, height)
    angles = rng.uniform(0, np.pi, count)
    return Gaussians.from_scale_rotation(means, scales, angles, colors, height, width, q_max)


def load_scene(arguments: argparse.Namespace) -> tuple[Gaussians, Bytes | None, str]:
    """Return the Gaussians, the original picture (if any), and a description."""
    if arguments.synthetic:
        return synthetic_gaussians(arguments.n, *arguments.size), None, "random Gaussians"
    path = arguments.image
    if path is None and arguments.gaussians is None:
        path = PHOTO
    original = None
    if path is not None:
        with Image.open(path) as picture:
            original = np.asarray(picture.convert("RGB"))
    if arguments.gaussians is not None:
        return Gaussians.load(arguments.gaussians), original, arguments.gaussians.name
    print(f"Fitting {arguments.n} Gaussians to {path.name} ...", file=sys.stderr)
    return gaussianimage.fit(original, arguments.n).gaussians, original, path.name


# The plain loop -------------------------------------------------------------------------------


def compiler() -> str:
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        if name and shutil.which(name):
            return name
    raise SystemExit("render.py: no C++ compiler found; set CXX to one")


def compile_naive(folder: Path, name: str, flags: list[str]) -> ctypes.CDLL:
    library, object_file = folder / f"{name}.so", folder / f"{name}.o"
    # Two steps, because a linker that sees -ffast-math flushes denormals in the whole process.
    source = str(HERE / "native/naive.cpp")
    subprocess.run([compiler(), *flags, "-fPIC", "-c", source, "-o", str(object_file)], check=True)
    link = [compiler(), "-shared", str(object_file), "-o", str(library), "-lm"]
    subprocess.run(link, check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.count_pairs.restype = ctypes.c_long
    return loaded


class Naive:
    """The plain loop on given Gaussians, which draws into `image` and `levels`."""

    def __init__(self, library: ctypes.CDLL, g: Gaussians, *, by_rows: bool) -> None:
        self._library = library
        self._by_rows = by_rows
        self._means, self._cholesky = g.means, np.ascontiguousarray(g.cholesky())
        self._colors = np.ascontiguousarray(g.colors, dtype=np.float32)
        self._count, self._q_max = len(g), g.q_max
        self.image = np.empty((g.height, g.width, 3), dtype=np.float32)
        self.levels = np.empty((g.height, g.width, 3), dtype=np.uint8)

    def _scene(self, *arrays: NDArray[Any]) -> list[object]:
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        height, width, _ = self.image.shape
        return [*pointers, self._count, ctypes.c_double(self._q_max), height, width]

    def floats(self) -> None:
        """Draw into `image`."""
        arguments = self._scene(self._means, self._cholesky, self._colors)
        image = ctypes.c_void_p(self.image.ctypes.data)
        self._library.naive_floats(*arguments, int(self._by_rows), image)

    def bytes(self) -> None:
        """Draw into `levels`."""
        arguments = self._scene(self._means, self._cholesky, self._colors)
        image, levels = (ctypes.c_void_p(a.ctypes.data) for a in (self.image, self.levels))
        self._library.naive_bytes(*arguments, int(self._by_rows), image, levels)

    def pairs(self) -> int:
        """Count the (pixel, Gaussian) pairs that are drawn."""
        return int(self._library.count_pairs(*self._scene(self._means, self._cholesky)))


def check_same_picture(naive: Naive, image: NDArray[np.float32], name: str) -> dict[str, float]:
    """Check that a rival draws the same picture.

    A few pixels may differ: at a Gaussian's edge, rounding decides whether a pixel is drawn.
    """
    naive.floats()
    difference = np.abs(naive.image - image)
    report = {
        "largest_difference": float(difference.max()),
        "share_above_1e-4": float(np.mean(difference > 1e-4)),
    }
    if report["share_above_1e-4"] > 1e-4 or report["largest_difference"] > 0.1:
        raise SystemExit(f"render.py: {name} draws another picture: {report}")
    return report


# WebP -----------------------------------------------------------------------------------------


def webp_bytes(picture: Bytes, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "webp", quality=quality, method=4)
    return buffer.getvalue()


def decode_webp(data: bytes) -> Bytes:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def webp_like(levels: Bytes, original: Bytes | None) -> tuple[bytes, dict[str, Any]]:
    """Return a WebP file of the picture with the PSNR of `levels`, and its description."""
    if original is None:
        data = webp_bytes(levels, 75)
        return data, {"of": "the rendered picture", "quality": 75, "bytes": len(data)}
    goal = psnr(levels, original)
    low, high = 0, 100
    while low < high:
        middle = (low + high) // 2
        if psnr(decode_webp(webp_bytes(original, middle)), original) < goal:
            low = middle + 1
        else:
            high = middle
    data = webp_bytes(original, low)
    quality = {"quality": low, "psnr": psnr(decode_webp(data), original), "gaussians_psnr": goal}
    return data, {"of": "the original picture", "bytes": len(data), **quality}


def webp_decoder(data: bytes) -> Callable[[], object]:
    def decode() -> None:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()

    return decode


# The run --------------------------------------------------------------------------------------


def main() -> None:
    arguments = parse_arguments()
    g, original, name = load_scene(arguments)
    if g.channels != 3:
        raise SystemExit(f"render.py: expected Gaussians of 3 channels, got {g.channels}")
    isa = _native.instruction_set()
    if isa == "baseline" and sys.platform == "linux" and os.uname().machine == "x86_64":
        print("This CPU has no AVX2; the rival is compiled without it, too.", file=sys.stderr)
    flags = [*COMMON_FLAGS, *ISA_FLAGS[isa]]
    vectorized = [*flags, "-ffast-math"]
    with tempfile.TemporaryDirectory() as folder:
        plain = Naive(compile_naive(Path(folder), "plain", flags), g, by_rows=False)
        fast = Naive(compile_naive(Path(folder), "fast", vectorized), g, by_rows=True)

    image, levels = render(g), render(g, dtype=np.uint8)
    checks = {
        "plain": check_same_picture(plain, image, "the plain loop"),
        "vectorized": check_same_picture(fast, image, "the vectorized loop"),
    }
    pairs = plain.pairs() / (g.height * g.width)
    webp, webp_report = webp_like(levels, original)

    contestants: dict[str, Callable[[], object]] = {}
    for threads in arguments.threads:
        plural = "s" if threads > 1 else ""
        for kind, dtype in (("", np.uint8), (" to float", np.float32)):
            label = f"gaussianimage{kind}, {threads} thread{plural}"
            contestants[label] = lambda t=threads, d=dtype: render(g, dtype=d, threads=t)
    ours = list(contestants)
    contestants["plain C++ loop, 1 thread"] = plain.bytes
    contestants["plain C++ loop to float, 1 thread"] = plain.floats
    contestants["C++ loop vectorized by the compiler"] = fast.bytes
    contestants["Pillow's WebP decoder"] = webp_decoder(webp)

    version = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True)
    report = environment(threads=arguments.threads, compiler=version.stdout.splitlines()[0])
    timings = take_turns(contestants, rounds=arguments.rounds)

    print_environment(report)
    print(
        f"\n{name}: {len(g)} Gaussians, {g.width} x {g.height}, {pairs:.1f} pairs per pixel, "
        f"q_max {g.q_max:g}"
    )
    described = ", ".join(
        f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}"
        for key, value in webp_report.items()
    )
    print(f"WebP {described}")
    print(f"plain loop: {' '.join(flags)}\nvectorized: {' '.join(vectorized)}\n")
    print_results(timings)
    ratios = {
        rival: {our: timings[rival].median / timings[our].median for our in ours}
        for rival in contestants
        if rival not in ours
    }
    print()
    columns = [our for our in ours if "float" not in our]
    rows = [[f"{r} /", *(f"{ratios[r][our]:.1f}" for our in columns)] for r in ratios]
    print_table(["times as long", *columns], [row for row in rows if "float" not in row[0]])
    write_json(
        arguments.output,
        {
            "benchmark": "render",
            "environment": report,
            "scene": {
                "name": name,
                "gaussians": len(g),
                "height": g.height,
                "width": g.width,
                "q_max": g.q_max,
                "pairs_per_pixel": pairs,
            },
            "flags": {"plain": flags, "vectorized": vectorized},
            "same_picture": checks,
            "webp": webp_report,
            "seconds": timings_as_json(timings),
            "ratios_of_medians": ratios,
        },
    )
    print(f"\nWritten to {arguments.output}")


def print_results(timings: dict[str, Timing]) -> None:
    rows = [
        [name, *map(milliseconds, (t.median, t.first_quartile, t.third_quartile, t.least))]
        for name, t in timings.items()
    ]
    rounds = next(iter(timings.values())).rounds
    print_table([f"ms per picture, {rounds} rounds", "median", "25 %", "75 %", "least"], rows)


if __name__ == "__main__":
    main()
