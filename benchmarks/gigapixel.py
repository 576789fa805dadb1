"""A picture beyond memory: time, memory and quality of its tiled file, its windows and its seams.

Usage: python benchmarks/gigapixel.py --images FOLDER --side 4096 [--kind synthetic] [--beside]

The picture is a square mosaic of the photos, or a synthetic one, and is made row by row, so it is
never in memory as a whole. Every contestant runs in a process of its own, which gives its peak
memory. With --beside, the same picture is also encoded in strips of a tile's height as ordinary
files, and by JPEG 2000 in tiles and JPEG XL at the same number of bytes; the latter two need the
whole picture in memory. An interrupted run goes on with the tiles that it has.
"""

import argparse
import os
import pickle
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json
from lib.mosaic import Framed, Mosaic, Synthetic
from lib.rivals import is_importable

import gaussianimage
from gaussianimage.codec.decoder.ranges import FileRanges

HERE = Path(__file__).resolve().parent
NEAR = 8  # px from an edge of a tile
AROUND = 64  # px, what the pixels near an edge are compared with
WINDOW = 1024  # px a side
ZOOMS = (1.0, 0.5, 0.3, 0.25, 0.1, 0.0625)
WINDOWS = 8  # for each zoom


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a picture beyond memory.")
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--side", type=int, default=4096, help="pixels of the picture a side (4096)"
    )
    parser.add_argument("--kind", choices=("mosaic", "synthetic"), default="mosaic")
    parser.add_argument(
        "--ground", type=int, default=0, help="side of a plain ground around the picture, px (none)"
    )
    parser.add_argument("--tile", type=int, default=1024, help="side of a tile, px (1024)")
    parser.add_argument("--effort", type=int, default=1, help="(1)")
    parser.add_argument("--quality", type=float, default=60, help="(60)")
    parser.add_argument("--beside", action="store_true", help="strips, JPEG 2000 and JPEG XL too")
    parser.add_argument("--file", type=Path, help="the tiled file, which is kept (a temporary one)")
    parser.add_argument("--output", type=Path, default=HERE / "results/gigapixel.json")
    return parser.parse_args()


def measured(function: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Call a function in a process of its own; return its result, and its time and memory."""
    receive, send = os.pipe()
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(receive)
            data = pickle.dumps(function())
            with open(send, "wb") as stream:  # noqa: PTH123  (a descriptor)
                stream.write(data)
            code = 0
        finally:
            os._exit(code)
    os.close(send)
    with open(receive, "rb") as stream:  # noqa: PTH123  (a descriptor)
        data = stream.read()
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit("a contestant failed")
    return pickle.loads(data), {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_megabytes": usage.ru_maxrss / 1024,
    }


def encode_tiles(picture: Any, file: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    result = gaussianimage.encode_tiled(
        picture,
        file,
        tile=arguments.tile,
        effort=arguments.effort,
        quality=arguments.quality,
        progress=lambda now: show(f"{now.iteration} of {now.iterations} tiles"),
    )
    return {"bytes": result.bytes, "psnr": result.psnr, "gaussians": result.gaussians}


def encode_strips(picture: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Encode strips of a tile's height as ordinary files."""
    size, gaussians, error = 0, 0, 0.0
    for top in range(0, arguments.side, arguments.tile):
        rows = picture[top : top + arguments.tile]
        encoded = gaussianimage.encode_with_result(
            rows, quality=arguments.quality, effort=arguments.effort
        )
        size, gaussians = size + len(encoded.data), gaussians + encoded.gaussians
        error += squared_error(rows, gaussianimage.decode(encoded.data)).sum()
        show(f"strip at {top}")
    return {"bytes": size, "psnr": decibels(error, picture.shape), "gaussians": gaussians}


def encode_rival(
    picture: Any,
    save: dict[str, Any],
    kind: str,
    most: int,
    steps: int,
) -> dict[str, Any]:
    """Encode the whole picture by Pillow, with the best quality of at most so many bytes."""
    import io

    from PIL import Image

    if kind == "JXL":
        import pillow_jxl  # noqa: F401  (registers the format)
    whole = Image.fromarray(picture[:])
    best, low, high = b"", 0, 100
    for _ in range(steps):
        options = dict(save)
        if kind == "JXL":
            options["quality"] = (low + high) // 2
        buffer = io.BytesIO()
        whole.save(buffer, kind, **options)
        if buffer.tell() <= most or kind != "JXL":
            best, low = buffer.getvalue(), (low + high) // 2
        else:
            high = (low + high) // 2
        show(f"{kind} {options}: {buffer.tell()} bytes")
    error = 0.0
    if best:
        with Image.open(io.BytesIO(best)) as decoded:
            pixels = np.asarray(decoded)
        for top in range(0, len(pixels), 512):
            error += squared_error(picture[top : top + 512], pixels[top : top + 512]).sum()
    return {"bytes": len(best), "psnr": decibels(error, picture.shape), "gaussians": None}


def squared_error(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the squared error of each pixel, summed over the channels, (H, W)."""
    return np.square(a.astype(np.float32) - b).sum(axis=2)


def decibels(error: float, shape: tuple[int, ...]) -> float:
    return float(10 * np.log10(255**2 * np.prod(shape, dtype=float) / max(error, 1e-9)))


def measure_seams(picture: Any, file: Path, tile: int) -> dict[str, float]:
    """Return the mean squared error of pixels by their distance to the nearest edge of a tile."""
    side = picture.shape[0]
    decoder = gaussianimage.Decoder()
    total, count = np.zeros(AROUND + 1), np.zeros(AROUND + 1)

    def distance(places: np.ndarray) -> np.ndarray:
        apart = np.abs((places + tile // 2) % tile - tile // 2 + 0.5)
        # The edges of the picture are not edges between tiles.
        outer = (places < tile // 2) | (places >= (side - 1) // tile * tile + tile // 2)
        return np.where(outer, AROUND, apart)

    for top in range(0, side, 256):
        rows = picture[top : top + 256]
        drawn = decoder.decode(file, crop=(top, 0, len(rows), side))
        far = np.minimum(
            distance(np.arange(top, top + len(rows)))[:, None], distance(np.arange(side))
        )
        bins = np.minimum(far, AROUND).astype(int).ravel()
        total += np.bincount(bins, squared_error(rows, drawn).ravel(), AROUND + 1)
        count += np.bincount(bins, minlength=AROUND + 1)
    near = total[:NEAR].sum() / count[:NEAR].sum()
    around = total[NEAR:AROUND].sum() / count[NEAR:AROUND].sum()
    rest = total[NEAR:].sum() / count[NEAR:].sum()
    return {"near": near, "around": around, "rest": rest, "ratio": near / around}


def measure_windows(file: Path, side: int) -> list[dict[str, float]]:
    """Time windows at several zooms, and compare those at the nominal size with full rows."""
    generator = np.random.default_rng(0)
    decoder = gaussianimage.Decoder()
    runs = []
    for zoom in ZOOMS:
        size = round(side * zoom)
        window = min(WINDOW, size)
        times, read = [], []
        for _ in range(WINDOWS):
            top, left = (int(place) for place in generator.integers(0, size - window + 1, 2))
            options = {"size": (size, size), "crop": (top, left, window, window)}
            with FileRanges(file) as ranges:
                first = gaussianimage.decode(ranges, **options)
                read.append(ranges.bytes_read)
            decoder.decode(file, **options)
            spans = []
            for _ in range(3):
                began = time.perf_counter()
                pixels = decoder.decode(file, **options)
                spans.append(time.perf_counter() - began)
            times.append(min(spans))
            if not np.array_equal(pixels, first):
                raise SystemExit("a warm window differs from a cold one")
            rows = decoder.decode(file, size=(size, size), crop=(top, 0, window, size))
            if not np.array_equal(pixels, rows[:, left : left + window]):
                raise SystemExit("a window differs from the whole picture")
        runs.append(
            {
                "zoom": zoom,
                "milliseconds": 1e3 * float(np.median(times)),
                "worst_milliseconds": 1e3 * max(times),
                "megabytes_read": max(read) / 1e6,
            }
        )
        show(f"zoom {zoom:g}")
    return runs


def show(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:60}", end="", file=sys.stderr, flush=True)


def main() -> int:
    arguments = parse_arguments()
    side = arguments.side
    report = environment()
    print_environment(report)
    if arguments.kind == "mosaic":
        picture: Any = Mosaic.of_folder(arguments.images, side, side)
    else:
        picture = Synthetic(side, side)
    if arguments.ground:
        picture = Framed(picture, arguments.ground, arguments.ground)
        side = arguments.side = arguments.ground
    file = arguments.file or arguments.output.with_suffix(".gimg")
    file.parent.mkdir(parents=True, exist_ok=True)
    result, cost = measured(lambda: encode_tiles(picture, file, arguments))
    runs = {"tiled": result | cost}
    if arguments.beside:
        most = result["bytes"]
        result, cost = measured(lambda: encode_strips(picture, arguments))
        runs["strips as ordinary files"] = result | cost
        rate = 24 * side * side / (8 * most)
        tiles = {
            "tile_size": (arguments.tile,) * 2,
            "irreversible": True,
            "quality_mode": "rates",
            "quality_layers": [rate],
        }
        result, cost = measured(lambda: encode_rival(picture, tiles, "JPEG2000", most, 1))
        runs["JPEG 2000, tiles"] = result | cost
        if is_importable("pillow_jxl"):
            options = {"effort": 4}
            result, cost = measured(lambda: encode_rival(picture, options, "JXL", most, 6))
            runs["JPEG XL, effort 4, six encodings"] = result | cost
    pixels = side * side
    rows = [
        [
            name,
            run["bytes"],
            f"{8 * run['bytes'] / pixels:.3f}",
            f"{run['psnr']:.2f}",
            f"{run['seconds']:.0f}",
            f"{1e6 * run['cpu_seconds'] / pixels:.2f}",
            f"{run['peak_megabytes']:.0f}",
        ]
        for name, run in runs.items()
    ]
    header = ["", "bytes", "bpp", "PSNR, dB", "seconds", "CPU s/MP", "peak, MB"]
    print_table(header, rows)
    seams = measure_seams(picture, file, arguments.tile)
    print(
        f"squared error within {NEAR} px of edges of tiles {seams['near']:.2f}, "
        f"{NEAR} to {AROUND} px away {seams['around']:.2f}, "
        f"elsewhere {seams['rest']:.2f} (near/around {seams['ratio']:.3f})"
    )
    windows = measure_windows(file, side)
    print_table(
        ["window at zoom", "ms", "worst", "MB read"],
        [
            [
                f"{run['zoom']:g}",
                f"{run['milliseconds']:.1f}",
                f"{run['worst_milliseconds']:.1f}",
                f"{run['megabytes_read']:.2f}",
            ]
            for run in windows
        ],
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results = {"runs": runs, "seams": seams, "windows": windows, "reading_megabytes": peak}
    write_json(arguments.output, {"environment": report, "side": side, **results})
    if arguments.file is None:
        file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
