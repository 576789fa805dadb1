"""Build the fuzz targets and run them, or run the native tests under a sanitizer.

Usage: python fuzz/run.py fuzz [--seconds 60] [--jobs 1] [TARGET ...]
       python fuzz/run.py sanitize {address,thread,memory}
       python fuzz/run.py list

Targets in C++ are programs of libFuzzer, built by Clang with AddressSanitizer and
UndefinedBehaviorSanitizer; those in Python are run by `fuzz/support/loop.py`. What a target has
learned stays in `build/fuzz/corpus`, and the next run begins with it. An input that breaks a
promise is in `build/fuzz/findings`; when its cause is mended, it moves to
`fuzz/regressions/TARGET`.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from support.loop import load_target  # noqa: E402
from support.mutation import read_raw  # noqa: E402
from support.seeds import SEEDS  # noqa: E402

BUILD = ROOT / "build" / "fuzz"
REGRESSIONS = HERE / "regressions"
GOLDEN = ROOT / "tests" / "data" / "v1"
NATIVE = sorted(path.stem for path in (HERE / "targets").glob("*.cpp"))
PYTHON = sorted(path.stem for path in (HERE / "targets").glob("*.py"))
KINDS = {
    "address": "address,undefined,float-cast-overflow",
    "thread": "thread",
    "memory": "memory",
}
LARGEST = {"picture_file": 16384}
# Leak detection needs ptrace, which containers forbid; leaks are found by other tests.
ENVIRONMENT = {
    **os.environ,
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


def build(kind: str, targets: Iterable[str] = ()) -> Path:
    """Build programs with a kind of sanitizers, all of them if none is named."""
    folder = BUILD / kind
    compiler = os.environ.get("FUZZ_CXX", "clang++")
    if shutil.which(compiler) is None:
        sys.exit(f"{compiler} is not installed: Debian's packages are clang and llvm")
    launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    options = [f"-DCMAKE_CXX_COMPILER={compiler}", f"-DGI_SANITIZERS={KINDS[kind]}", *launcher]
    configure = ["cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", *options]
    subprocess.run([*configure, "-DCMAKE_BUILD_TYPE=None"], check=True, stdout=subprocess.DEVNULL)
    command = ["cmake", "--build", str(folder)]
    for target in targets:
        command += ["--target", target]
    built = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        sys.exit(f"{built.stdout}\nThe programs do not compile.")
    return folder / "fuzz"


def write_seeds(target: str) -> Path:
    """Write the seeds of a target to a folder, and return it."""
    folder = BUILD / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    for index, data in enumerate(SEEDS[target]() if target in SEEDS else []):
        (folder / f"{index:03}").write_bytes(data)
    return folder


def run_program(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a program that may fail, and return what it printed."""
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        errors="replace",
        env=ENVIRONMENT,
        check=False,
    )


def fuzz_natively(program: Path, seconds: int) -> bool:
    """Run a program of libFuzzer; print what it did, and return whether it found nothing."""
    target = program.name
    corpus, findings = BUILD / "corpus" / target, BUILD / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    folders = [corpus, write_seeds(target)]
    if (REGRESSIONS / target).is_dir():
        folders.append(REGRESSIONS / target)
    command = [
        program,
        *folders,
        f"-max_total_time={seconds}",
        f"-max_len={LARGEST.get(target, 4096)}",
        f"-dict={HERE / 'gimg.dict'}",
        f"-artifact_prefix={findings / target}-",
        "-len_control=0",
        "-timeout=60",
        "-rss_limit_mb=3000",
        "-print_final_stats=1",
    ]
    done = run_program(command)
    edges = re.findall(r"cov: (\d+)", done.stderr)
    count = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    executions = int(count[1]) if count else 0
    print(f"{target:14} {executions:10,} executions, {edges[-1] if edges else 0} edges", flush=True)
    if done.returncode:
        print(done.stderr[-6000:])
    return done.returncode == 0


def fuzz_in_python(target: str, seconds: int) -> bool:
    """Run a target of `fuzz/support/loop.py`; print what it did, and return whether all is well."""
    missing = unavailable(target)
    if missing:
        print(f"{target:14} left out: {missing}", flush=True)
        return True
    loop = HERE / "support" / "loop.py"
    seed = str(time.time_ns())
    done = run_program([sys.executable, loop, target, str(seconds), BUILD / "findings", seed])
    print(done.stdout + (done.stderr[-6000:] if done.returncode else ""), end="", flush=True)
    return done.returncode == 0


def unavailable(target: str) -> str:
    """Return what a target in Python lacks on this machine; nothing if it can run."""
    try:
        module = load_target(target)
    except ModuleNotFoundError as error:
        return str(error)
    return "" if getattr(module, "available", lambda: True)() else "a program is not installed"


def fuzz(targets: list[str], seconds: int, jobs: int) -> bool:
    """Run targets, `jobs` at a time, those in C++ first."""
    chosen = targets or [*NATIVE, *PYTHON]
    if unknown := set(chosen) - {*NATIVE, *PYTHON}:
        sys.exit(f"no such target: {', '.join(sorted(unknown))}")
    native = [target for target in NATIVE if target in chosen]
    folder = build("address", native) if native else BUILD
    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(fuzz_natively, folder / target, seconds) for target in native]
        running += [
            pool.submit(fuzz_in_python, target, seconds) for target in PYTHON if target in chosen
        ]
        good = [done.result() for done in running]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in used)
    print(f"{len(good)} targets, {good.count(False)} with a finding, {cpu:.0f} s of CPU")
    return all(good)


def is_plain(path: Path) -> bool:
    """Whether the native reader takes a file: metadata and grain are for Python."""
    return {chunk.type for chunk in read_raw(path.read_bytes())} == {b"HEAD", b"LAYR"}


def sanitize(kind: str) -> bool:
    """Run the native tests, and every target's seeds and regressions, under a sanitizer."""
    programs = build(kind)
    golden = [path for path in sorted(GOLDEN.glob("*.gimg")) if is_plain(path)]
    check = programs / "engine_check"
    commands: list[list[str | Path]] = [[check, "render"], [check, "fitting"]]
    for path in golden:
        commands += [[check, "decode", kind_of, path] for kind_of in ("bytes", "words")]
        commands += [[check, "threads", path]]
    commands += [[check, "damage", GOLDEN / f"{name}.gimg"] for name in ("gray", "rgba")]
    commands += [[program] for program in sorted(programs.glob("rans_check_*"))]
    for target in NATIVE:
        inputs = [write_seeds(target), REGRESSIONS / target]
        files = [path for folder in inputs if folder.is_dir() for path in sorted(folder.iterdir())]
        commands.append([programs / target, *files])
    failed = 0
    for command in commands:
        done = run_program(command)
        if done.returncode:
            failed += 1
            print(f"{' '.join(str(part) for part in command)}: exit status {done.returncode}")
            print(done.stderr[-6000:], flush=True)
    print(f"{kind}: {len(commands)} programs, {failed} failed")
    return failed == 0


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    fuzzing = commands.add_parser("fuzz", help="run targets")
    fuzzing.add_argument("--seconds", type=int, default=60, help="for each target")
    fuzzing.add_argument("--jobs", type=int, default=1, help="targets that run at the same time")
    fuzzing.add_argument("targets", nargs="*", metavar="TARGET")
    sanitizing = commands.add_parser("sanitize", help="run the native tests under a sanitizer")
    sanitizing.add_argument("kind", choices=KINDS)
    commands.add_parser("list", help="list the targets")
    arguments = parser.parse_args()
    if arguments.command == "list":
        print(*NATIVE, *PYTHON)
    elif arguments.command == "fuzz":
        sys.exit(0 if fuzz(arguments.targets, arguments.seconds, arguments.jobs) else 1)
    else:
        sys.exit(0 if sanitize(arguments.kind) else 1)


if __name__ == "__main__":
    main()
