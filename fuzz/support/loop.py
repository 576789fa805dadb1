"""The loop of the targets in Python: change an input, try it, keep it if its outcome is new.

A target is a module of `fuzz/targets` with

- `seeds()`, the inputs to start from;
- `check(data)`, which returns what came of an input in a few words, and raises for a finding;
- `mutate(data, rng)`, a change of an input; without it, `mutate_bytes`.

There is no coverage to guide the loop. An outcome takes its place: a kind of error, or a kind of
result. An input whose outcome was not seen before joins those that are changed.

The target runs in a process of its own. Its input is in shared memory, so that it is there when the
process has died, and so is a counter, which shows when an input takes too long.
"""

import hashlib
import importlib.util
import mmap
import multiprocessing
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

HERE = Path(__file__).resolve().parents[1]
for folder in (HERE, HERE.parent / "tests" / "support"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from support.mutation import mutate_bytes  # noqa: E402

LARGEST_INPUT = 2**20
SLOWEST = 30.0
"""Seconds after which an input counts as a hang."""
MOST_MEMORY = 2**30
"""Bytes by which an input may let the process grow."""

_HEAD = struct.Struct("<QQQ")  # inputs tried, outcomes seen, size of the input


class Result(NamedTuple):
    """What a run found.

    Attributes
    ----------
    executions : int
        Inputs that were tried.
    outcomes : int
        Different outcomes.
    finding : Path or None
        The file of the input that broke a promise.
    """

    executions: int
    outcomes: int
    finding: Path | None


def load_target(name: str) -> ModuleType:
    """Return the module of a target."""
    path = HERE / "targets" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{name}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, seconds: float, folder: Path, seed: int) -> Result:
    """Run a target for some seconds; a finding is written to `folder`."""
    shared = mmap.mmap(-1, _HEAD.size + LARGEST_INPUT)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        return _watch(name, seconds, folder, seed, shared, scratch)


def _watch(
    name: str, seconds: float, folder: Path, seed: int, shared: mmap.mmap, scratch: str
) -> Result:
    process = multiprocessing.get_context("fork").Process(
        target=_work, args=(name, seconds, seed, shared, scratch), daemon=True
    )
    process.start()
    last, since = -1, time.monotonic()
    while process.is_alive():
        process.join(0.2)
        executions = _HEAD.unpack_from(shared)[0]
        if executions != last:
            last, since = executions, time.monotonic()
        elif time.monotonic() - since > SLOWEST + (60 if executions == 0 else 0):
            process.kill()
            process.join()
            print(f"{name}: an input takes more than {SLOWEST:.0f} s")
            break
    executions, outcomes, size = _HEAD.unpack_from(shared)
    if process.exitcode == 0:
        return Result(executions, outcomes, None)
    data = shared[_HEAD.size : _HEAD.size + size]
    folder.mkdir(parents=True, exist_ok=True)
    finding = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    finding.write_bytes(data)
    print(f"{name}: exit status {process.exitcode}, input in {finding}")
    return Result(executions, outcomes, finding)


def _work(name: str, seconds: float, seed: int, shared: mmap.mmap, scratch: str) -> None:
    tempfile.tempdir = scratch
    target = load_target(name)
    rng = random.Random(seed)
    mutate: Callable[[bytes, random.Random], bytes] = getattr(target, "mutate", mutate_bytes)
    corpus: list[bytes] = list(target.seeds())
    waiting = list(corpus)
    outcomes: set[str] = set()
    end = time.monotonic() + seconds
    executions = 0
    memory = _peak()
    while waiting or time.monotonic() < end:
        # A new input is as likely as all old ones together.
        data = waiting.pop() if waiting else mutate(_pick(corpus, rng), rng)
        if len(data) > LARGEST_INPUT:
            continue
        shared[_HEAD.size : _HEAD.size + len(data)] = data
        _HEAD.pack_into(shared, 0, executions, len(outcomes), len(data))
        try:
            outcome = target.check(data)
            if executions and _peak() - memory > MOST_MEMORY:
                raise MemoryError(f"the process grew by {_peak() - memory} bytes")
        except BaseException:  # noqa: BLE001  (whatever it is, it is a finding)
            print(traceback.format_exc()[-4000:], flush=True)
            sys.exit(77)
        memory = max(memory, _peak())
        executions += 1
        if outcome not in outcomes:
            outcomes.add(outcome)
            corpus.append(data)
    _HEAD.pack_into(shared, 0, executions, len(outcomes), 0)


def _pick(corpus: list[bytes], rng: random.Random) -> bytes:
    recent = len(corpus) // 4
    if recent and rng.random() < 0.5:
        return rng.choice(corpus[-recent:])
    return rng.choice(corpus)


def main() -> None:
    """Run a target: NAME SECONDS FOLDER SEED."""
    name, seconds, folder, seed = sys.argv[1:]
    result = run(name, float(seconds), Path(folder), int(seed))
    print(f"{name:14} {result.executions:10,} executions, {result.outcomes} outcomes")
    sys.exit(0 if result.finding is None else 1)


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
