"""Put the package under load, and tell whether it gives the same results and stays as small.

Usage: python tools/soak.py [--minutes 10] [--rounds N] [SCENE ...]

    threads    one `Decoder` that eight threads use at once
    processes  eight processes that decode a folder
    memory     encodes and decodes in one process, whose memory must stay flat to 2 MB
    pools      children by fork and by spawn of a process whose threads are at work
    crowd      64 threads asked for on a machine of fewer cores

Each scene gets a share of the time; `--rounds` sets the number of encodes and decodes of `memory`
instead. Every decoded picture is compared with the first one of its file. The exit code is 1 if
anything differs, hangs or grows.
"""

import argparse
import gc
import hashlib
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage import Decoder, decode, encode

FILES = 6
WORKERS = 8
CROWD = 64
FLAT_BYTES = 2 * 2**20
# A child that has not ended by then hangs.
PATIENCE_S = 120.0
WARM_UP_ROUNDS = 300
ROUNDS_PER_SAMPLE = 50

Scene = Callable[["Load"], str]


def picture(seed: int, height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    """Return a picture of smooth areas and edges, (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin((x * (k + 1) + y * seed) / 9.0 + k) for k in range(3)], axis=2)
    waves[(x - width // 3) ** 2 + (y - height // 2) ** 2 < 90 + 10 * (seed % 5)] += 0.7
    return np.rint(127.5 * (waves.clip(-1, 1) + 1)).astype(np.uint8)


def digest(pixels: NDArray[Any]) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


class Load:
    """The files that are decoded, what they decode to, and how long a scene may last."""

    def __init__(self, seconds: float, rounds: int | None = None) -> None:
        self.seconds = seconds
        self.rounds = rounds
        self.files = [encode(picture(seed), gaussians=60, effort=1) for seed in range(FILES)]
        self.expected = [digest(decode(data, threads=1)) for data in self.files]

    def until_time_is_up(self) -> Callable[[], bool]:
        """Return a function that tells whether there is time left."""
        end = time.monotonic() + self.seconds
        return lambda: time.monotonic() < end

    def check(self, number: int, pixels: NDArray[Any]) -> None:
        """Compare a picture with the first one of its file."""
        if digest(pixels) != self.expected[number]:
            raise SystemExit(f"file {number} decoded to another picture")


def threads(load: Load) -> str:
    """Let eight threads use one decoder."""
    decoder = Decoder(threads=2)
    counts = [0] * WORKERS
    failures: list[str] = []
    go_on = load.until_time_is_up()

    def work(worker: int) -> None:
        while not failures and (counts[worker] == 0 or go_on()):
            number = (counts[worker] + worker) % FILES
            try:
                load.check(number, decoder.decode(load.files[number]))
            except BaseException as error:  # noqa: BLE001  (told by the main thread)
                failures.append(repr(error))
            counts[worker] += 1

    started = [threading.Thread(target=work, args=(worker,)) for worker in range(WORKERS)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(load.seconds + PATIENCE_S)
    if failures or any(thread.is_alive() for thread in started):
        raise SystemExit(f"threads: {failures[0] if failures else 'a thread hangs'}")
    return f"{sum(counts)} decodes by {WORKERS} threads with one Decoder"


def decode_folder(folder: str) -> list[str]:
    """Return digests of the pictures of all files in a folder, in the order of their names."""
    return [digest(decode(path)) for path in sorted(Path(folder).glob("*.gimg"))]


def processes(load: Load) -> str:
    """Let eight processes decode a folder."""
    go_on = load.until_time_is_up()
    folders = 0
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(load.files):
            (Path(folder) / f"{number}.gimg").write_bytes(data)
        with ProcessPoolExecutor(WORKERS, context) as pool:
            while folders == 0 or go_on():
                jobs = [pool.submit(decode_folder, folder) for _ in range(WORKERS)]
                for job in jobs:
                    if job.result(load.seconds + PATIENCE_S) != load.expected:
                        raise SystemExit("processes: a file decoded to another picture")
                folders += len(jobs)
    return f"{folders} times a folder of {FILES} files by {WORKERS} processes"


def resident_bytes() -> int:
    """Return the bytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def memory(load: Load) -> str:
    """Encode and decode small pictures in one process."""
    go_on = load.until_time_is_up()
    rounds, sizes = 0, []
    wanted = load.rounds
    warm = WARM_UP_ROUNDS if wanted is None else min(WARM_UP_ROUNDS, wanted // 3)
    while rounds < wanted if wanted is not None else (rounds <= warm or go_on()):
        seed = rounds % FILES
        data = encode(picture(seed, 16, 20), gaussians=8, effort=1)
        decode(data)
        load.check(seed, decode(load.files[seed]))
        rounds += 1
        if rounds >= warm and rounds % ROUNDS_PER_SAMPLE == 0:
            gc.collect()
            sizes.append(resident_bytes())
    grown = sizes[-1] - sizes[0] if sizes else 0
    told = (
        f"{rounds} encodes and {2 * rounds} decodes; memory from {sizes[0] / 2**20:.1f} MiB after "
        f"{warm} rounds to {sizes[-1] / 2**20:.1f} MiB, {max(sizes) / 2**20:.1f} at most"
        if sizes
        else f"{rounds} encodes, too few to measure"
    )
    if grown > FLAT_BYTES:
        raise SystemExit(f"memory: {told}")
    return told


def decode_in_child(files: list[bytes], answers: Any) -> None:
    """Decode files in a child with threads of its own."""
    answers.put([digest(decode(data, threads=4)) for data in files])


def pools(load: Load) -> str:
    """Start children by fork and by spawn while threads are at work."""
    go_on = load.until_time_is_up()
    counts = dict.fromkeys(("fork", "spawn"), 0)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            decode(load.files[0], threads=4)

    busy = threading.Thread(target=work)
    busy.start()
    try:
        while min(counts.values()) == 0 or go_on():
            for method in counts:
                context: Any = multiprocessing.get_context(method)
                answers = context.SimpleQueue()
                child = context.Process(target=decode_in_child, args=(load.files, answers))
                child.start()
                child.join(PATIENCE_S)
                if child.exitcode is None:
                    child.kill()
                    raise SystemExit(f"pools: a child by {method} hangs")
                if child.exitcode or answers.get() != load.expected:
                    raise SystemExit(f"pools: a child by {method} fails")
                counts[method] += 1
    finally:
        stop.set()
        busy.join()
    return f"{counts['fork']} children by fork, {counts['spawn']} by spawn"


def crowd(load: Load) -> str:
    """Ask for 64 threads."""
    go_on = load.until_time_is_up()
    first = encode(picture(0), gaussians=60, effort=1, threads=1)
    rounds = 0
    while rounds == 0 or go_on():
        for number, data in enumerate(load.files):
            load.check(number, decode(data, threads=CROWD))
        if rounds % 8 == 0 and encode(picture(0), gaussians=60, effort=1, threads=CROWD) != first:
            raise SystemExit(f"crowd: {CROWD} threads encode other bytes than one")
        rounds += 1
    return f"{rounds * FILES} decodes by {CROWD} threads"


SCENES: dict[str, tuple[float, Scene]] = {
    "threads": (0.15, threads),
    "processes": (0.15, processes),
    "pools": (0.1, pools),
    "crowd": (0.1, crowd),
    "memory": (0.5, memory),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(SCENES))
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all scenes together")
    parser.add_argument("--rounds", type=int, help="rounds of `memory`, instead of its time")
    options = parser.parse_args()
    names = options.scenes or list(SCENES)
    if unknown := [name for name in names if name not in SCENES]:
        parser.error(f"unknown scene {unknown[0]}; there are {', '.join(SCENES)}")
    total = sum(SCENES[name][0] for name in names)
    for name in names:
        share, scene = SCENES[name]
        start = time.monotonic()
        told = scene(Load(60 * options.minutes * share / total, options.rounds))
        print(f"{name}: {told}, in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
