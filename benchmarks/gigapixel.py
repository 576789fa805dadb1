"""A picture beyond memory: a tiled file and its windows beside strips, JPEG XL and JPEG 2000.

Usage: python benchmarks/gigapixel.py --images FOLDER --side 4096 [--kind terrain] [--parts PART …]

The picture is a mosaic of the photos or a map that is made by formulas; it is written to a file of
raw samples row by row, and is never in memory as a whole. The parts are

    source    that file; it comes by itself
    tiled     a tiled file
    strips    some of its strips of rows, each as an ordinary file
    jpeg2000  JPEG 2000 in tiles of the same size (opj_compress) at the size of the tiled file
    jpegxl    JPEG XL (cjxl) at about the size of the tiled file
    windows   windows out of the tiled file, at several zooms

All contestants are compared on the same strips, which are spread evenly over the picture. Each runs
in a process of its own, which tells its time and peak memory.

Everything is kept in the folder --work. Ctrl-C, SIGTERM or --seconds end the run at any point with
a table of what there is; the same command goes on from there, and the tiled file too. Finished
parts are not done again; remove the folder to start over.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lib.children import Cost, Ended, FailedError, run_command, run_function
from lib.eye_measures import EYE_MEASURES
from lib.harness import environment, print_environment, print_table, write_json
from lib.mosaic import Framed, Mosaic
from lib.row_files import PpmRows, write_ppm
from lib.terrain import Terrain

import gaussianimage
from gaussianimage.codec.decoder.ranges import FileRanges

HERE = Path(__file__).resolve().parent
SSIMULACRA2 = EYE_MEASURES[0]
PARTS = ("tiled", "windows", "strips", "jpeg2000", "jpegxl")
WINDOW = 1024  # px a side
ZOOMS = (1.0, 0.5, 0.3, 0.25, 0.1, 0.0625)
WINDOWS = 8  # for each zoom
TURNS = 5  # of each window
SAMPLE = 2048  # px a side, on which JPEG XL's distance is chosen
SCORED = 512  # px a side of the windows that SSIMULACRA 2 compares
NAMES = {
    "source": "writing the source",
    "tiled": "tiled",
    "strips": "strips as ordinary files",
    "jpeg2000": "JPEG 2000, tiles",
    "jpegxl": "JPEG XL",
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a picture beyond memory.")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="photos of the mosaic")
    parser.add_argument("--side", type=int, default=4096, help="pixels a side (4096)")
    parser.add_argument("--kind", choices=("mosaic", "terrain"), default="mosaic")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="(all)")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="(results/gigapixel-KIND-SIDE)")
    parser.add_argument("--seconds", type=int, default=0, help="end the run after so long (never)")
    parser.add_argument(
        "--ground", type=int, default=0, help="side of a plain ground around the picture, px (none)"
    )
    parser.add_argument("--tile", type=int, default=1024, help="side of a tile, px (1024)")
    parser.add_argument("--effort", type=int, default=1, help="(1)")
    parser.add_argument("--quality", type=float, default=75, help="(75)")
    parser.add_argument("--tune", choices=("eye", "psnr"), default="eye")
    parser.add_argument("--strips", type=int, default=2, help="strips to compare (2)")
    parser.add_argument("--jxl-effort", type=int, default=3, help="1 to 9 (3)")
    parser.add_argument("--threads", type=int, default=2, help="(2)")
    arguments = parser.parse_args()
    if arguments.kind == "mosaic" and arguments.images is None:
        parser.error("a mosaic needs --images")
    if arguments.work is None:
        name = f"gigapixel-{arguments.kind}-{arguments.ground or arguments.side}"
        arguments.work = HERE / "results" / name
    return arguments


class Bench:
    """One run of the benchmark: its picture, and the records of what is done.

    Parameters
    ----------
    arguments : Namespace
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.folder: Path = arguments.work
        self.side: int = arguments.ground or arguments.side
        self.file = self.folder / "tiled.gimg"
        self._records = self.folder / "records.json"
        self.records: dict[str, dict[str, Any]] = {}
        options = {
            name: getattr(arguments, name)
            for name in ("kind", "side", "ground", "tile", "effort", "quality", "tune", "strips")
        }
        if self._records.exists():
            kept = json.loads(self._records.read_text())
            if kept["options"] != options:
                raise SystemExit(f"{self.folder} has a run with {kept['options']}")
            self.records = kept["records"]
        self._options = options

    # -- The picture -------------------------------------------------------------------------------

    @property
    def source(self) -> Path:
        """The file of the picture."""
        return self.folder / "source.ppm"

    @property
    def picture(self) -> PpmRows:
        """The picture."""
        return PpmRows(self.source)

    def make_source(self) -> None:
        """Write the picture, if it is not there."""
        if not self.source.exists():
            self.cost("source", run_function(lambda: write_ppm(self._formula(), self.source)))

    def _formula(self) -> Any:
        arguments = self.arguments
        side = arguments.side
        picture: Any = (
            Terrain(side, side)
            if arguments.kind == "terrain"
            else Mosaic.of_folder(arguments.images, side, side)
        )
        return Framed(picture, self.side, self.side) if arguments.ground else picture

    def strips(self) -> list[int]:
        """Return the first rows of the strips that are compared, spread over the picture."""
        tile = self.arguments.tile
        rows = max(1, self.side // tile)
        count = min(self.arguments.strips, rows)
        return [tile * (rows * (2 * number + 1) // (2 * count)) for number in range(count)]

    def strip(self, top: int) -> np.ndarray:
        """Return a strip of the picture."""
        return self.picture[top : top + self.arguments.tile]

    # -- Records -----------------------------------------------------------------------------------

    def record(self, part: str, **values: Any) -> None:
        """Keep what was found out about a part."""
        self.records.setdefault(part, {}).update(values)
        write_json(self._records, {"options": self._options, "records": self.records})

    def cost(self, part: str, ended: Ended) -> None:
        """Add what a process took, and pass on an interruption."""
        before = self.records.get(part, {})
        self.record(part, **add_cost(before, ended.cost))
        if ended.interrupted:
            raise KeyboardInterrupt

    def is_done(self, part: str) -> bool:
        """Whether a part needs no more work."""
        return bool(self.records.get(part, {}).get("done"))

    def compare(self, part: str, strips: Callable[[int], np.ndarray]) -> None:
        """Compare the strips of a contestant with the picture, and keep the results."""

        def work() -> tuple[float, float | None]:
            error, samples, scores = 0.0, 0, []
            for top in self.strips():
                show(f"comparing {part}, strip at {top}")
                source, drawn = self.strip(top), strips(top)
                assert source.shape == drawn.shape
                error += squared_error(source, drawn)
                samples += source.size
                scores += score_windows(source, drawn)
            return decibels(error, samples), float(np.mean(scores)) if scores else None

        # In a process of its own, so that this one stays small, from which contestants fork.
        ended = run_function(work)
        if ended.interrupted:
            raise KeyboardInterrupt
        psnr, score = ended.result
        self.record(part, psnr=psnr, score=score)


def add_cost(before: dict[str, Any], cost: Cost) -> dict[str, float]:
    """Return the cost of a part that has had some before."""
    return {
        "seconds": before.get("seconds", 0) + cost.seconds,
        "cpu_seconds": before.get("cpu_seconds", 0) + cost.cpu_seconds,
        "peak_megabytes": max(before.get("peak_megabytes", 0), cost.peak_megabytes),
    }


def squared_error(a: np.ndarray, b: np.ndarray) -> float:
    """Return the squared error, summed over pixels and channels."""
    total = 0.0
    for top in range(0, len(a), 64):
        difference = a[top : top + 64].astype(np.float32) - b[top : top + 64]
        total += float(np.einsum("ijk,ijk->", difference, difference, dtype=np.float64))
    return total


def decibels(error: float, samples: int) -> float:
    return float(10 * np.log10(255**2 * samples / max(error, 1e-9)))


def score_windows(source: np.ndarray, drawn: np.ndarray) -> list[float]:
    """Return SSIMULACRA 2 of some windows of a strip, none if it is not installed."""
    if not SSIMULACRA2.available() or min(source.shape[:2]) < SCORED:
        return []
    most = source.shape[1] - SCORED
    return [
        SSIMULACRA2.compare(
            np.ascontiguousarray(source[:SCORED, left : left + SCORED]),
            np.ascontiguousarray(drawn[:SCORED, left : left + SCORED]),
        )
        for left in (most // 6, most // 2, most * 5 // 6)
    ]


# -- The parts -------------------------------------------------------------------------------------


def encode_tiled(bench: Bench) -> None:
    arguments = bench.arguments
    now = [0, 1]

    def progress(told: gaussianimage.Progress) -> None:
        now[:] = told.iteration, told.iterations
        show(f"{told.iteration} of {told.iterations} tiles")

    def work() -> dict[str, Any]:
        try:
            result = gaussianimage.encode_tiled(
                bench.picture,
                bench.file,
                tile=arguments.tile,
                effort=arguments.effort,
                quality=arguments.quality,
                tune=arguments.tune,
                threads=arguments.threads,
                progress=progress,
            )
        except KeyboardInterrupt:
            return {"share": now[0] / now[1]}
        return {"bytes": result.bytes, "whole_psnr": result.psnr, "share": 1.0, "done": True}

    ended = run_function(work)
    bench.record("tiled", **(ended.result or {}))
    bench.cost("tiled", ended)


def compare_tiled(bench: Bench) -> None:
    bench.compare(
        "tiled",
        lambda top: gaussianimage.decode(
            bench.file, crop=(top, 0, len(bench.strip(top)), bench.side)
        ),
    )


def encode_strips(bench: Bench) -> None:
    """Encode some strips of a tile's height as ordinary files."""
    arguments = bench.arguments
    files = {top: bench.folder / f"strip-{top}.gimg" for top in bench.strips()}
    for top, file in files.items():
        if file.exists():
            continue

        def work(top: int = top) -> bytes:
            return gaussianimage.encode(
                bench.strip(top),
                quality=arguments.quality,
                effort=arguments.effort,
                tune=arguments.tune,
                threads=arguments.threads,
            )

        show(f"strip at {top}")
        ended = run_function(work)
        if ended.result is not None:
            file.write_bytes(ended.result)
            done = [file for file in files.values() if file.exists()]
            rows = sum(len(bench.strip(top)) for top, file in files.items() if file.exists())
            size = sum(file.stat().st_size for file in done)
            bench.record("strips", bytes=size, share=rows / bench.side)
        bench.cost("strips", ended)
    bench.compare("strips", lambda top: gaussianimage.decode(files[top]))
    bench.record("strips", done=True)


def encode_jpeg2000(bench: Bench) -> None:
    tile, side = bench.arguments.tile, bench.side
    output = bench.folder / "picture.jp2"
    rate = 3 * side * side / bench.records["tiled"]["bytes"]
    command = ["opj_compress", "-i", bench.source, "-o", output, "-t", f"{tile},{tile}"]
    command += ["-I", "-r", f"{rate:.2f}", "-threads", bench.arguments.threads]
    if side < tile:
        command[5:7] = []
    if not bench.records.get("jpeg2000", {}).get("bytes"):
        bench.cost("jpeg2000", run_command(command))
        bench.record("jpeg2000", bytes=output.stat().st_size, share=1.0)

    def strip(top: int) -> np.ndarray:
        part = bench.folder / "part.ppm"
        bottom = top + len(bench.strip(top))
        area = f"0,{top},{side},{bottom}"
        run_command(["opj_decompress", "-i", output, "-o", part, "-d", area])
        return PpmRows(part)[:]

    bench.compare("jpeg2000", strip)
    bench.record("jpeg2000", done=True)


def encode_jpegxl(bench: Bench) -> None:
    side, arguments = bench.side, bench.arguments
    options = ["-e", arguments.jxl_effort, "--num_threads", arguments.threads]
    small, output = bench.folder / "sample.jxl", bench.folder / "picture.jxl"
    if not bench.records.get("jpegxl", {}).get("bytes"):
        distance = bench.records.get("jpegxl", {}).get("distance")
        if distance is None:
            distance = find_distance(bench, small, options)
            bench.record("jpegxl", distance=distance)
        show(f"cjxl at distance {distance:.2f}")
        command = ["cjxl", bench.source, output, "-d", f"{distance:.2f}", *options]
        bench.cost("jpegxl", run_command(command))
        bench.record("jpegxl", bytes=output.stat().st_size, share=1.0)
    decoded = bench.folder / "decoded.ppm"
    if not decoded.exists() or decoded.stat().st_size < 3 * side * side:
        run_command(["djxl", output, decoded])
    rows = PpmRows(decoded)
    bench.compare("jpegxl", lambda top: rows[top : top + len(bench.strip(top))])
    decoded.unlink()
    bench.record("jpegxl", done=True)


def find_distance(bench: Bench, output: Path, options: list[Any]) -> float:
    """Return the distance of JPEG XL at which a part of the picture has the tiled file's rate."""
    side = min(SAMPLE, bench.side)
    top = (bench.side - side) // 2
    sample = bench.folder / "sample.ppm"
    write_ppm(bench.picture[top : top + side][:, top : top + side], sample)
    most = bench.records["tiled"]["bytes"] * (side / bench.side) ** 2
    low, high = 0.5, 25.0
    for _ in range(8):
        distance = float(np.sqrt(low * high))
        run_command(["cjxl", sample, output, "-d", f"{distance:.3f}", *options])
        low, high = (distance, high) if output.stat().st_size > most else (low, distance)
        show(f"distance {distance:.2f}: {output.stat().st_size} of {most:.0f} bytes")
    return float(np.sqrt(low * high))


def measure_windows(bench: Bench) -> None:
    """Time windows at several zooms, and compare them with whole rows of the picture."""
    ended = run_function(lambda: time_windows(bench.file, bench.side, bench.arguments.threads))
    bench.cost("windows", ended)
    bench.record("windows", runs=ended.result, done=True)


def time_windows(file: Path, side: int, threads: int) -> list[dict[str, float]]:
    generator = np.random.default_rng(0)
    decoder = gaussianimage.Decoder(threads=threads)
    runs = []
    for zoom in ZOOMS:
        size = round(side * zoom)
        window = min(WINDOW, size)
        wall: list[float] = []
        cpu: list[float] = []
        read = []
        for _ in range(WINDOWS):
            top, left = (int(place) for place in generator.integers(0, size - window + 1, 2))
            options = {"size": (size, size), "crop": (top, left, window, window)}
            with FileRanges(file) as ranges:
                first = gaussianimage.decode(ranges, **options)
                read.append(ranges.bytes_read)
            decoder.decode(file, **options)
            for _ in range(TURNS):
                began, cpu_began = time.perf_counter(), time.process_time()
                pixels = decoder.decode(file, **options)
                cpu.append(time.process_time() - cpu_began)
                wall.append(time.perf_counter() - began)
            if not np.array_equal(pixels, first):
                raise SystemExit("a warm window differs from a cold one")
            rows = decoder.decode(file, size=(size, size), crop=(top, 0, window, size))
            if not np.array_equal(pixels, rows[:, left : left + window]):
                raise SystemExit("a window differs from the whole picture")
        runs.append(
            {
                "zoom": zoom,
                "wall_median": 1e3 * float(np.median(wall)),
                "wall_most": 1e3 * max(wall),
                "cpu_median": 1e3 * float(np.median(cpu)),
                "cpu_most": 1e3 * max(cpu),
                "megabytes_read": max(read) / 1e6,
            }
        )
        show(f"zoom {zoom:g}")
    return runs


# -- The run ---------------------------------------------------------------------------------------


def run_parts(bench: Bench) -> None:
    """Do what is not done yet."""
    tools = {"jpeg2000": ("opj_compress", "opj_decompress"), "jpegxl": ("cjxl", "djxl")}
    work = {
        "windows": measure_windows,
        "strips": encode_strips,
        "jpeg2000": encode_jpeg2000,
        "jpegxl": encode_jpegxl,
    }
    bench.make_source()
    if not bench.is_done("tiled"):
        encode_tiled(bench)
    if bench.records["tiled"].get("psnr") is None:
        compare_tiled(bench)
    for part in bench.arguments.parts:
        if part == "tiled" or bench.is_done(part):
            continue
        missing = [tool for tool in tools.get(part, ()) if shutil.which(tool) is None]
        if missing:
            print(f"{NAMES.get(part, part)}: {missing[0]} is not installed")
            continue
        try:
            work[part](bench)
        except FailedError as error:
            print(f"{NAMES.get(part, part)}: {error}")


def print_results(bench: Bench) -> None:
    """Print tables of what there is."""
    rows = []
    for part, name in NAMES.items():
        found = bench.records.get(part)
        if not found or "cpu_seconds" not in found:
            continue
        share = found.get("share", 1.0)
        megapixels = bench.side**2 * share / 1e6
        size = found.get("bytes")
        rows.append(
            [
                name if share == 1 else f"{name} ({100 * share:.0f} %)",
                size or "",
                f"{8 * size / (1e6 * megapixels):.4f}" if size else "",
                f"{found['psnr']:.2f}" if "psnr" in found else "",
                f"{found['score']:.1f}" if found.get("score") is not None else "",
                f"{found['seconds']:.0f}",
                f"{found['cpu_seconds']:.0f}",
                f"{found['cpu_seconds'] / megapixels:.2f}" if megapixels else "",
                f"{found['peak_megabytes']:.0f}",
            ]
        )
    print(f"\n{bench.side} x {bench.side}, {bench.arguments.kind}")
    header = ["", "bytes", "bpp", "PSNR, dB", "SSIMULACRA 2", "seconds", "CPU s", "CPU s/MP"]
    print_table([*header, "peak, MB"], rows)
    whole = bench.records.get("tiled", {}).get("whole_psnr")
    if whole is not None:
        print(f"PSNR of the tiled file over the whole picture: {whole:.2f} dB")
    if "runs" in bench.records.get("windows", {}):
        print()
        print_table(
            ["window at zoom", "ms", "worst", "CPU ms", "worst", "MB read"],
            [
                [
                    f"{run['zoom']:g}",
                    f"{run['wall_median']:.1f}",
                    f"{run['wall_most']:.1f}",
                    f"{run['cpu_median']:.1f}",
                    f"{run['cpu_most']:.1f}",
                    f"{run['megabytes_read']:.2f}",
                ]
                for run in bench.records["windows"]["runs"]
            ],
        )


def show(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:60}", end="", file=sys.stderr, flush=True)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    arguments = parse_arguments()
    report = environment(threads=[arguments.threads])
    print_environment(report)
    arguments.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, interrupt)
    signal.alarm(arguments.seconds)
    try:
        run_parts(bench)
        code = 0
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on")
        code = 130
    finally:
        signal.alarm(0)
        print_results(bench)
    results = {"environment": report, "side": bench.side, "records": bench.records}
    write_json(arguments.work / "results.json", results)
    return code


if __name__ == "__main__":
    sys.exit(main())
