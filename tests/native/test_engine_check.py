"""The engine without Python: with sanitizers, and for other kinds of CPU."""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.format.grain import TYPE as GRAIN
from gaussianimage.codec.format.metadata import Metadata

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NATIVE = ROOT / "src" / "gaussianimage" / "native"
CONFORMANCE = ROOT / "conformance"
GOLDEN = HERE.parent / "data" / "v1"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())

# What has Python in it, and what writes files.
LEFT_OUT = {"module.cpp", "layer/encoder.cpp"}
SOURCES = [
    path
    for path in sorted(NATIVE.rglob("*.cpp"))
    if path.relative_to(NATIVE).as_posix() not in LEFT_OUT and path.parent.name != "bindings"
]
# What neither draws nor fits, and what does not draw. Their kernels stay: a table names them all.
UNUSED = {"eye", "paper", "rdo"}
UNDRAWN = {*UNUSED, "fit"}
FLAGS = [
    "-std=c++20",
    "-DGI_ISA=baseline",
    f"-I{NATIVE}",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-pthread",
    *("-Wall", "-Wextra", "-Werror"),
]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def read_natively(path: Path) -> bool:
    """Tell whether the decoder reads a file on its own: metadata and grain are for Python."""
    file = parse_file(path.read_bytes())
    return file.metadata == Metadata() and all(chunk.type != GRAIN for chunk in file.chunks)


FILES = [path for name in sorted(EXPECTED) if read_natively(path := GOLDEN / f"{name}.gimg")]

Run = Callable[..., bytes]


class Machine(NamedTuple):
    """Another kind of CPU: its cross compiler and emulator, and flags of the compiler."""

    compiler: str
    emulator: str
    flags: tuple[str, ...] = ()


MACHINES = {
    "aarch64": Machine("aarch64-linux-gnu-g++", "qemu-aarch64"),
    # The x87's registers would round twice. Every i386 since 2001 has SSE2.
    "i386": Machine("i686-linux-gnu-g++", "qemu-i386", ("-msse2", "-mfpmath=sse")),
    # Big-endian.
    "s390x": Machine("s390x-linux-gnu-g++", "qemu-s390x"),
}


def build(
    folder: Path,
    compiler: list[str],
    flags: list[str],
    lighter: dict[str, list[str]],
    main: Path = HERE / "engine_check.cpp",
    unused: Set[str] = UNUSED,
) -> Path:
    """Compile a program with the engine; `lighter` has other flags for slow sources.

    Sources in folders of `unused` are left out, if they are not compiled for instruction sets.
    """
    program = folder / f"{main.stem}.exe"  # Windows wants the ending, and others allow it

    def compiled(source: Path) -> str:
        target = folder / f"{source.parent.name}_{source.stem}.o"
        own = lighter.get(source.stem, flags)
        command = [*compiler, *FLAGS, *own, "-c", str(source), "-o", str(target)]
        subprocess.run(command, check=True, timeout=600)
        return str(target)

    kept = [
        path for path in SOURCES if path.stem.endswith("-isa") or path.parent.name not in unused
    ]
    sources = [main, *kept]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        objects = list(pool.map(compiled, sources))
    subprocess.run([*compiler, *objects, *flags, "-pthread", "-o", str(program)], check=True)
    return program


def runner(*prefix: str | Path) -> Run:
    def run(*arguments: str | Path) -> bytes:
        command = [str(part) for part in (*prefix, *arguments)]
        return subprocess.run(command, check=True, capture_output=True, timeout=300).stdout

    return run


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Run:
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        pytest.skip("no C++ compiler")
    lighter = {"accumulate-isa": ["-O1"]}  # a minute, otherwise
    flags = ["-O1", *SANITIZERS]
    return runner(build(tmp_path_factory.mktemp("sanitized"), [compiler], flags, lighter))


@pytest.fixture(scope="module", params=MACHINES)
def emulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build the decoder that the conformance suite asks, and return the command that runs it."""
    machine = MACHINES[request.param]
    compiler, emulator = shutil.which(machine.compiler), shutil.which(machine.emulator)
    if compiler is None or emulator is None:
        pytest.skip(f"no {machine.compiler} or no {machine.emulator}")
    folder = tmp_path_factory.mktemp(request.param)
    flags = ["-O1", "-static", "-Wno-psabi", *machine.flags]
    main = CONFORMANCE / "decoders/engine_decoder.cpp"
    return [emulator, str(build(folder, [compiler], flags, {}, main, UNDRAWN))]


@pytest.fixture(scope="module", params=["x86_64-windows-gnu", "x86_64-linux-musl"])
def by_clang(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Clang for another system, and what runs its programs here."""
    emulator = shutil.which("wine") if "windows" in request.param else ""
    if importlib.util.find_spec("ziglang") is None or platform.machine() != "x86_64":
        pytest.skip("ziglang, of the extra `wheels`, is not installed, or this is no x86-64")
    if emulator is None:
        pytest.skip("wine is not installed")
    compiler = [sys.executable, "-m", "ziglang", "c++", "-target", request.param]
    # Clang warns of other things than GCC; here the question is whether it gives the same pixels.
    flags = ["-O2", "-Wno-error"]
    program = build(tmp_path_factory.mktemp("clang"), compiler, flags, {})
    return runner(*([emulator] if emulator else []), program)


def assert_pixels(run: Run) -> None:
    for path in FILES:
        for kind, dtype in (("bytes", "uint8"), ("words", "uint16")):
            pixels = run("decode", kind, path)
            assert hashlib.sha256(pixels).hexdigest() == EXPECTED[path.stem][dtype], path.stem


@pytest.mark.slow
def test_pixels_are_the_same_under_sanitizers(sanitized: Run) -> None:
    sanitized("render")
    assert_pixels(sanitized)


@pytest.mark.slow
def test_damage_behind_the_checksums_reads_and_writes_nothing_else(sanitized: Run) -> None:
    for name in ("extremes", "gray", "rgba"):
        sanitized("damage", GOLDEN / f"{name}.gimg")


@pytest.mark.slow
def test_a_decoder_that_has_seen_a_file_allocates_nothing(sanitized: Run) -> None:
    for path in FILES:
        sanitized("allocations", path)


@pytest.mark.slow
def test_gradients_and_iterations_repeated_allocate_nothing(sanitized: Run) -> None:
    sanitized("fitting")


@pytest.mark.slow
def test_pixels_are_the_same_on_other_machines(emulated: list[str], tmp_path: Path) -> None:
    sys.path.insert(0, str(CONFORMANCE))
    import run

    server = run.Server(emulated)
    report = run.Suite(without=("tiles", "paper", "metadata"), exact=True).run(server)
    assert report.failures == []
    assert report.counts["pixels"] == report.counts["numbers"] > 200
    # Larger files, in which more Gaussians meet.
    for path in FILES:
        found = server.ask("pixels", path)
        header = parse_file(path.read_bytes()).header
        samples = found.data.partition(b"ENDHDR\n")[2]
        if header.bit_depth == 16:
            samples = np.frombuffer(samples, ">u2").astype("<u2").tobytes()
        dtype = f"uint{header.bit_depth}"
        assert hashlib.sha256(samples).hexdigest() == EXPECTED[path.stem][dtype], path.stem
    server.close()


@pytest.mark.slow
def test_pixels_are_the_same_on_windows_and_musl(by_clang: Run) -> None:
    by_clang("render")
    assert_pixels(by_clang)
