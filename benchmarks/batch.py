"""`gaussianimage.batch`: a million photos extrapolated, engines side by side, memory, and failures.

Usage: python benchmarks/batch.py --images FOLDER [--parts photos engines names failures]

- photos: pages of six pictures each, cut to 1920 x 1024 (2 megapixels) and saved as JPEG, through
  one worker at several efforts; CPU seconds and bytes of a photo, and those of a million.
- engines: small pictures through Ray with one worker and with two, through two threads, and through
  `encode -j 2`, in turns; pictures a second of the work, and of the whole command.
- names: the largest memory of the driver by the number of names, of which 9 in 10 are no picture.
- failures: a Ray cluster of two nodes on this machine, of which one is killed; a driver that is
  killed and started again; 1 in 100 inputs broken, and an input of 500 MB among small ones.

Every batch is a process of its own. The parts but the first need `pip install gaussianimage[ray]`.
"""

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json
from lib.pictures import find_pictures
from PIL import Image

import gaussianimage

HERE = Path(__file__).resolve().parent
PARTS = ("photos", "engines", "names", "failures")
MILLION = 10**6
PAGE = 1920, 1024  # width, height in pixels
LARGE_SIDE = 7906  # four 16-bit channels of this side are 500 MB


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure gaussianimage.batch.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--efforts", type=int, nargs="+", default=[1, 3, 5], help="(1 3 5)")
    parser.add_argument("--page", type=int, nargs=2, default=PAGE, help="of a photo (1920 1024)")
    parser.add_argument("--photos", type=int, default=4, help="number of photos (4)")
    parser.add_argument("--small", type=int, default=2000, help="number of small pictures (2000)")
    parser.add_argument("--rounds", type=int, default=2, help="of the engines (2)")
    parser.add_argument("--names", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--large-side", type=int, default=LARGE_SIDE, help=f"({LARGE_SIDE})")
    parser.add_argument("--output", type=Path, default=HERE / "results/batch.json")
    # How this script runs a batch in another process.
    parser.add_argument("--run", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def cpu_seconds() -> tuple[float, float]:
    """Return the CPU time of this process, and that of all living processes under it."""
    parents, times = {}, {}
    ticks = os.sysconf("SC_CLK_TCK")
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            fields = path.read_text().rpartition(")")[2].split()
            number = int(path.parent.name)
            parents[number] = int(fields[1])
            times[number] = (int(fields[11]) + int(fields[12])) / ticks
    family = {os.getpid()}
    while more := {n for n, parent in parents.items() if parent in family} - family:
        family |= more
    own = time.process_time()
    return own, sum(times[number] for number in family - {os.getpid()})


def run_here(options: dict[str, Any]) -> dict[str, Any]:
    """Run a batch in this process; return its summary, and the times from the first picture on."""
    ends: list[tuple[int, float, float, float]] = []

    def watch(now: gaussianimage.BatchProgress) -> None:
        done = now.done + now.failed
        if done == 1 or (done and now.skipped + done == now.total):
            ends.append((done, now.seconds, *cpu_seconds()))

    summary = gaussianimage.batch(**options, progress=watch)
    found = summary.as_dict()
    if len(ends) == 2:
        count, seconds, own, others = (b - a for a, b in zip(*ends, strict=True))
        found |= {
            "rate": count / seconds,
            "driver_cpu": own / count,
            "workers_cpu": others / count,
            "work_seconds": ends[1][1],
        }
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    # The first picture counts too where the process itself is the worker.
    return found | {"peak_bytes": peak, "process_cpu": time.process_time()}


def start(**options: Any) -> "subprocess.Popen[str]":
    """Begin a batch in a process of its own."""
    command = [sys.executable, __file__, "--images", "-", "--run", json.dumps(options, default=str)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def run(**options: Any) -> dict[str, Any]:
    """Run a batch in a process of its own, and return what `run_here` does."""
    began = time.perf_counter()
    with start(**options) as process:
        printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a batch failed: {options}")
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found | {"wall_seconds": time.perf_counter() - began}


def make_pages(
    folders: Sequence[Path], count: int, page_size: tuple[int, int], target: Path
) -> None:
    """Save pages of six pictures, three in a row, which differ in what they show."""
    pictures = [sample.pixels for sample in find_pictures(folders)]
    pictures = [pixels for pixels in pictures if pixels.shape[0] <= pixels.shape[1]] or pictures
    target.mkdir()
    width, height = page_size
    for number in range(count):
        page = Image.new("RGB", (width, height))
        for place in range(6):
            pixels = pictures[(6 * number + place + number // 3) % len(pictures)]
            tile = Image.fromarray(pixels).crop((0, 0, width // 3, height // 2))
            page.paste(tile, (place % 3 * width // 3, place // 3 * height // 2))
        page.save(target / f"{number:04}.jpg", quality=92)


def make_small(folders: Sequence[Path], count: int, target: Path) -> None:
    """Save parts of pictures of 48 x 32 pixels."""
    pictures = [Image.fromarray(sample.pixels) for sample in find_pictures(folders)]
    generator = np.random.default_rng(1)
    for number in range(count):
        picture = pictures[number % len(pictures)]
        x = int(generator.integers(0, picture.width - 47))
        y = int(generator.integers(0, picture.height - 31))
        path = target / f"{number // 500}/{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.crop((x, y, x + 48, y + 32)).save(path)


def rows(manifest: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(manifest).read_text("utf-8").splitlines()]


def check(folder: Path, manifest: str | Path, good: int, bad: int = 0) -> None:
    """Fail unless every picture has one row and one whole output."""
    listed = rows(manifest)
    made = list(folder.rglob("*.gimg"))
    assert len(listed) == len({row["input"] for row in listed}) == good + bad, len(listed)
    assert len([row for row in listed if "error" in row]) == bad
    assert len(made) == good, len(made)
    for path in made:
        gaussianimage.decode(path)


# -- The parts -------------------------------------------------------------------------------------


def measure_photos(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    make_pages(arguments.images, arguments.photos, arguments.page, work / "photos")
    found = {}
    for effort in arguments.efforts:
        out = work / f"effort{effort}"
        # One thread, as each worker has; the process is the worker.
        done = run(source=work / "photos", target=out, jobs=1, effort=effort)
        listed = rows(done["manifest"])
        count = done["done"]
        cpu = done["process_cpu"] / count
        found[str(effort)] = {
            "photos": count,
            "megapixels": done["pixels"] / count / 1e6,
            "cpu_seconds": cpu,
            "bytes_in": done["bytes_in"] / count,
            "bytes_out": done["bytes_out"] / count,
            "psnr": float(np.mean([row["psnr"] for row in listed])),
            "gaussians": float(np.mean([row["gaussians"] for row in listed])),
            "peak_bytes": done["peak_bytes"],
            "million_cpu_hours": cpu * MILLION / 3600,
            "million_gigabytes": done["bytes_out"] / count * MILLION / 1e9,
        }
    table = [
        [
            effort,
            f"{one['cpu_seconds']:.1f}",
            f"{one['bytes_out'] / 1e3:.0f}",
            f"{one['psnr']:.2f}",
            f"{one['peak_bytes'] / 1e6:.0f}",
            f"{one['million_cpu_hours']:.0f}",
            f"{one['million_gigabytes']:.0f}",
        ]
        for effort, one in found.items()
    ]
    header = ["effort", "CPU s", "kB", "dB", "peak MB", "CPU h of a million", "GB of a million"]
    print_table(header, table)
    return found


def measure_engines(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    make_small(arguments.images, arguments.small, work / "small")
    contestants = {
        "ray, 1 worker": {"engine": "ray", "jobs": 1},
        "ray, 2 workers": {"engine": "ray", "jobs": 2},
        "local, 2 threads": {"engine": "local", "jobs": 2},
        "encode -j 2": None,
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for turn in range(arguments.rounds):
        names = list(contestants)
        for name in names if turn % 2 == 0 else reversed(names):
            out = work / f"{name.replace(' ', '')}{turn}"
            options = contestants[name]
            if options is None:
                began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
                command = [sys.executable, "-m", "gaussianimage", "encode", "-r", work / "small"]
                command += ["-o", out, "-j", "2", "-e", "1", "--quiet"]
                subprocess.run(command, check=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                done = {
                    "rate": arguments.small / (time.perf_counter() - began),
                    "driver_cpu": cpu / arguments.small,
                    "workers_cpu": 0.0,
                    "wall_seconds": time.perf_counter() - began,
                }
            else:
                done = run(source=work / "small", target=out, effort=1, **options)
                check(out, done["manifest"], arguments.small)
            rounds[name].append(done)
    found = {}
    for name, each in rounds.items():
        keys = ("rate", "driver_cpu", "workers_cpu", "wall_seconds")
        found[name] = {key: float(np.median([one[key] for one in each])) for key in keys}
    table = [
        [
            name,
            f"{one['rate']:.1f}",
            f"{arguments.small / one['wall_seconds']:.1f}",
            f"{1e3 * one['driver_cpu']:.2f}",
            f"{1e3 * one['workers_cpu']:.2f}",
        ]
        for name, one in found.items()
    ]
    header = ["engine", "pictures/s", "with the start", "CPU ms of the driver", "of others"]
    print_table(header, table)
    single, double = found["ray, 1 worker"], found["ray, 2 workers"]
    encode = found["encode -j 2"]
    both = double["driver_cpu"] + double["workers_cpu"]
    ratios = {
        "two_to_one": double["rate"] / single["rate"],
        "two_to_encode": double["rate"] / encode["rate"],
        # What two CPUs without other load would give if they never waited.
        "two_to_one_by_cpu": 2 * single["workers_cpu"] / both,
        "two_to_encode_by_cpu": (encode["driver_cpu"] + encode["workers_cpu"]) / both,
    }
    print(f"Ray's two workers: {ratios['two_to_one']:.2f} times one", end="")
    print(f", {ratios['two_to_encode']:.2f} times encode -j 2; by CPU time", end=" ")
    print(f"{ratios['two_to_one_by_cpu']:.2f} and {ratios['two_to_encode_by_cpu']:.2f} times")
    return found | ratios


def measure_names(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    good = gaussianimage.encode(np.eye(16), gaussians=5, effort=1)
    found: dict[str, Any] = {}
    for engine in ("local", "ray"):
        for count in arguments.names:
            folder = work / f"names{count}"
            if not folder.exists():
                for number in range(count):
                    path = folder / f"{number // 5000}/{number:06}.gimg"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    # Most names cost the workers nothing, as this is about the driver.
                    path.write_bytes(b"no picture" if number % 10 else good)
            out = work / f"{engine}{count}"
            options = {"engine": engine, "jobs": 2, "task": "thumbnail", "longest": 8}
            done = run(source=folder, target=out, format="ppm", **options)
            assert (done["done"], done["failed"]) == (count // 10, count - count // 10)
            again = run(source=folder, target=out, format="ppm", **options)
            assert (again["done"], again["skipped"]) == (0, count // 10)
            found[f"{engine}, {count}"] = {
                "peak_bytes": done["peak_bytes"],
                "peak_bytes_again": again["peak_bytes"],
                "seconds": done["wall_seconds"],
                "seconds_again": again["wall_seconds"],
            }
    table = [
        [
            name,
            f"{one['peak_bytes'] / 1e6:.0f}",
            f"{one['seconds']:.1f}",
            f"{one['peak_bytes_again'] / 1e6:.0f}",
            f"{one['seconds_again']:.1f}",
        ]
        for name, one in found.items()
    ]
    print_table(["engine, names", "peak MB", "s", "again: peak MB", "s"], table)
    return found


def measure_failures(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    make_small(arguments.images, arguments.small // 4, work / "small")
    return {
        "killed_node": kill_a_node(work, arguments.small // 4),
        "killed_driver": kill_the_driver(work, arguments.small // 4),
        "bad_inputs": spoil_inputs(work, arguments.small // 4, arguments.large_side),
    }


def kill_a_node(work: Path, count: int) -> dict[str, Any]:
    """Kill one of two nodes when a third of the pictures is done."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    node_options = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node_options)
    node = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    cluster.wait_for_nodes()
    killed_at = None
    out = work / "killed-node"
    try:
        with start(
            source=work / "small", target=out, engine="ray", address=cluster.address, effort=1
        ) as process:
            while process.poll() is None:
                manifest = out / "manifest.jsonl"
                if killed_at is None and manifest.exists() and len(rows(manifest)) > count // 3:
                    workers = {row.get("worker") for row in rows(manifest)}
                    cluster.remove_node(node, allow_graceful=False)
                    killed_at = len(rows(manifest))
                time.sleep(0.05)
            assert process.returncode == 0
            assert process.stdout is not None
            done = json.loads(process.stdout.read().splitlines()[-1])
    finally:
        cluster.shutdown()
    assert killed_at is not None
    check(out, out / "manifest.jsonl", count)
    print(
        f"a node of two killed after {killed_at} of {count} pictures, by {len(workers)} workers: "
        f"{done['done']} done, {done['failed']} failed, each once and whole"
    )
    return {"killed_at": killed_at, "workers": len(workers), **done}


def kill_the_driver(work: Path, count: int) -> dict[str, Any]:
    """Kill the driver with SIGKILL when a third of the pictures is done, and start it again."""
    out = work / "killed-driver"
    options = {"source": work / "small", "target": out, "engine": "ray", "jobs": 2, "effort": 1}
    manifest = out / "manifest.jsonl"
    with start(**options) as process:
        while not (manifest.exists() and manifest.read_bytes().count(b"\n") > count // 3):
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    listed = manifest.read_bytes().count(b"\n")
    done = run(**options)
    check(out, manifest, count)
    assert (done["skipped"], done["done"]) == (listed, count - listed)
    print(f"the driver killed after {listed} of {count} pictures: the next run did {done['done']}")
    return {"killed_at": listed, **done}


def spoil_inputs(work: Path, count: int, side: int) -> dict[str, Any]:
    """Break 1 in 100 inputs, and put a large one among them."""
    inputs = sorted((work / "small").rglob("*.png"))
    broken = inputs[::100]
    for path in broken:
        path.write_bytes(path.read_bytes()[:40])
    y, x = np.ogrid[0:side, 0:side]
    large = np.empty((side, side, 4), np.uint16)
    large[..., 0], large[..., 1] = x * 8, y * 8
    large[..., 2], large[..., 3] = (x ^ y) * 8, 65535
    path = work / "small/large.tif"
    gaussianimage.write(path, large)
    size = path.stat().st_size
    del large
    out = work / "spoiled"
    # Few Gaussians, since this is about memory and about the others not waiting.
    options = {"gaussians": 5, "effort": 1, "engine": "ray", "jobs": 2}
    done = run(source=work / "small", target=out, **options)
    check(out, done["manifest"], count - len(broken) + 1, len(broken))
    (row,) = (row for row in rows(done["manifest"]) if row["input"].endswith("large.tif"))
    print(
        f"{done['done']} done, {done['failed']} broken; the input of {size / 1e6:.0f} MB took "
        f"{row['seconds']:.0f} s of {done['seconds']:.0f} s"
    )
    return done | {"large_bytes": size, "large_seconds": row["seconds"]}


MEASURES = {
    "photos": measure_photos,
    "engines": measure_engines,
    "names": measure_names,
    "failures": measure_failures,
}


def main() -> int:
    arguments = parse_arguments()
    if arguments.run is not None:
        print(json.dumps(run_here(arguments.run)))
        return 0
    report = environment(threads=[1, 2])
    print_environment(report)
    results: dict[str, Any] = {"environment": report}
    if arguments.output.exists():
        # Parts may be measured one by one.
        with contextlib.suppress(ValueError):
            results = json.loads(arguments.output.read_text("utf-8")) | results
    for part in arguments.parts:
        print(f"\n{part}")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            results[part] = MEASURES[part](arguments, Path(folder))
        write_json(arguments.output, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
