"""Measurement of one codec at one setting on one picture, and a cache of the results."""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import gaussianimage
from gaussianimage import _native
from gaussianimage.metrics import MS_SSIM_SIDE, bpp, ms_ssim, psnr
from lib.eye_measures import EYE_MEASURES, eye_measures
from lib.pictures import Bytes, Sample
from lib.rivals import RIVALS, decode

OURS = "gaussianimage"
DECODES = 5


@dataclass(frozen=True)
class Task:
    """A codec, a setting and a picture. Equal tasks have equal results, except for times."""

    picture: Sample
    codec: str
    dial: str  # "bpp" or "quality"
    setting: float
    threads: int = 0  # a rival's library decides by itself
    effort: int = 0  # a rival has that of its description
    tune: str = "eye"  # of our codec

    @property
    def is_ours(self) -> bool:
        """Whether the codec is ours, at any effort."""
        return self.codec.startswith(OURS)

    @property
    def file_name(self) -> str:
        """Name of our codec's file in the output folder."""
        effort = f"effort-{self.effort}-{self.tune}"
        return f"{self.picture.name}-{self.dial}-{self.setting:g}-{effort}.gimg"


@dataclass(frozen=True)
class Record:
    """The result of a task. Encoding is timed once; decoding has the median of five calls."""

    picture: str
    digest: str
    codec: str
    version: str
    dial: str
    setting: float
    threads: int
    effort: int
    bytes: int
    file: str  # hash of it
    bpp: float
    psnr: float
    ms_ssim: float | None
    encode_seconds: float
    decode_seconds: float
    gaussians: int | None = None
    ssimulacra2: float | None = None
    butteraugli: float | None = None
    cvvdp: float | None = None
    tune: str = "eye"

    @property
    def key(self) -> tuple[Any, ...]:
        """Key of the record in the cache."""
        who = self.picture, self.digest, self.codec, self.version
        return *who, self.dial, self.setting, self.threads, self.effort, self.tune


def code_digest() -> str:
    """Return a hash of all code of the package, which identifies its version."""
    package = Path(gaussianimage.__file__).parent
    code = hashlib.sha256()
    for path in [*sorted(package.rglob("*.py")), Path(str(_native.__file__))]:
        code.update(path.read_bytes())
    return code.hexdigest()[:12]


def at_effort(effort: int) -> str:
    """Return the name of our codec at a further effort of the run."""
    return f"{OURS}-effort-{effort}"


def versions(efforts: Sequence[int] = ()) -> dict[str, str]:
    """Return the version of every available codec, ours also at further efforts."""
    version = f"gaussianimage {gaussianimage.__version__}, code {code_digest()}"
    ours = dict.fromkeys((OURS, *map(at_effort, efforts)), version)
    return ours | {rival.key: rival.version for rival in RIVALS if rival.available}


def measure(task: Task, version: str) -> tuple[Record, bytes]:
    """Encode, decode and compare; return the record and the file."""
    pixels = task.picture.pixels
    height, width, _ = pixels.shape
    gaussians = None
    if task.is_ours:
        start = time.perf_counter()
        target = {task.dial: task.setting}
        encoded = gaussianimage.encode_with_result(
            pixels, effort=task.effort, tune=task.tune, threads=task.threads, **target
        )
        encode_seconds = time.perf_counter() - start
        data, gaussians = encoded.data, encoded.gaussians
        decoded, decode_seconds = _timed(lambda: gaussianimage.decode(data, threads=task.threads))
    else:
        rival = next(rival for rival in RIVALS if rival.key == task.codec)
        start = time.perf_counter()
        data = rival.encode(pixels, task.setting)
        encode_seconds = time.perf_counter() - start
        decoded, decode_seconds = _timed(lambda: decode(data))
    if decoded.shape != pixels.shape:
        raise SystemExit(f"{task.codec} turned {pixels.shape} into {decoded.shape}")
    enough = min(height, width) >= MS_SSIM_SIDE
    record = Record(
        picture=task.picture.name,
        digest=task.picture.digest,
        codec=task.codec,
        version=version,
        dial=task.dial,
        setting=task.setting,
        threads=task.threads,
        effort=task.effort,
        tune=task.tune,
        bytes=len(data),
        file=_digest(data),
        bpp=bpp(len(data), height, width),
        psnr=psnr(pixels, decoded),
        ms_ssim=ms_ssim(pixels, decoded) if enough else None,
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
        gaussians=gaussians,
        **eye_measures(pixels, decoded),
    )
    return record, data


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _timed(call: Callable[[], Bytes]) -> tuple[Bytes, float]:
    """Return the result of a function, and the median of its seconds."""
    seconds = []
    for _ in range(DECODES):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    return result, float(np.median(seconds))


class Cache:
    """Records in a file with one JSON object per line, and our codec's files beside it."""

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self._path = folder / "measurements.jsonl"
        self._files = folder / "files"
        self._files.mkdir(parents=True, exist_ok=True)
        self._known: dict[tuple[Any, ...], Record] = {}
        if resume and self._path.exists():
            for line in self._path.read_text().splitlines():
                record = Record(**json.loads(line))
                self._known[record.key] = record
        else:
            self._path.write_text("")

    def get(self, task: Task, version: str) -> Record | None:
        """Return the record of a task.

        None without one, if it lacks a measure that is installed, or if our codec's file is
        missing.
        """
        who = task.picture.name, task.picture.digest, task.codec, version
        how = task.dial, task.setting, task.threads, task.effort, task.tune
        record = self._known.get((*who, *how))
        if record is None or any(
            measure.available() and getattr(record, measure.key) is None for measure in EYE_MEASURES
        ):
            return None
        if not task.is_ours:
            return record
        path = self._files / task.file_name
        return record if path.exists() and _digest(path.read_bytes()) == record.file else None

    def put(self, task: Task, record: Record, data: bytes) -> None:
        """Store a record, and our codec's file."""
        if task.is_ours:
            (self._files / task.file_name).write_bytes(data)
        with self._path.open("a") as lines:
            lines.write(json.dumps(asdict(record)) + "\n")

    def file(self, task: Task) -> bytes:
        """Return our codec's file of a measured task."""
        return (self._files / task.file_name).read_bytes()


def run(
    tasks: Sequence[Task], cache: Cache, known: Mapping[str, str], *, jobs: int
) -> list[Record]:
    """Return the records of all tasks, in their order; tasks in the cache are not measured."""
    records = {task: cache.get(task, known[task.codec]) for task in tasks}
    missing = [task for task in tasks if records[task] is None]
    for number, (task, record, data) in enumerate(_measured(missing, known, jobs), 1):
        cache.put(task, record, data)
        records[task] = record
        print(
            f"[{number}/{len(missing)}] {task.picture.name}, {task.codec} "
            f"{task.dial} {task.setting:g}: {record.bpp:.4f} bpp, {record.psnr:.2f} dB, "
            f"{record.encode_seconds:.2f} s",
            file=sys.stderr,
        )
    return [record for record in records.values() if record is not None]


def _measured(
    tasks: Sequence[Task], known: Mapping[str, str], jobs: int
) -> Iterator[tuple[Task, Record, bytes]]:
    if jobs == 1:
        for task in tasks:
            yield task, *measure(task, known[task.codec])
        return
    # Spawned, not forked, because the engine has started threads.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(measure, task, known[task.codec]): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], *future.result()
