"""Build the wheels of this machine, audit them, and try each one in a clean environment.

Usage: python tools/check_wheel.py [PYTHON ...]

A wheel is built for each Python (by default this one and every python3.N on the path): one for
CPython 3.11, and one for the stable ABI of 3.12 and later, which is built once and tried on each
of these Pythons. On Linux auditwheel checks that a wheel needs no other libraries than its platform
tag promises, and strips it; abi3audit checks that a wheel for the stable ABI takes no other names
from Python. Every wheel is then installed into a new virtual environment, where it decodes the
golden files. The wheels come into wheelhouse/. The tools are in the extra `wheels`.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "wheels"
HOUSE = ROOT / "wheelhouse"
LARGEST = 3_000_000  # bytes of a wheel
FIRST_STABLE = (3, 12)

TRY = """
import hashlib, json, pathlib, sys
import gaussianimage
folder = pathlib.Path(sys.argv[1])
expected = json.loads((folder / "expected.json").read_text())
for name, digests in expected.items():
    pixels = gaussianimage.decode(folder / f"{name}.gimg", dtype="uint8")
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == digests["uint8"], name
home = pathlib.Path(gaussianimage.__file__).resolve()
assert home.is_relative_to(pathlib.Path(sys.prefix).resolve()), home
print(f"{len(expected)} golden files decode to the same pixels on Python", sys.version.split()[0])
"""


class Failed(SystemExit):
    """A wheel that is not as it must be."""


def run(command: Sequence[str | Path], **options: object) -> str:
    """Run a program and return what it prints; end with all of it if the program fails."""
    words = [str(word) for word in command]
    result = subprocess.run(  # type: ignore[call-overload]
        words, capture_output=True, text=True, check=False, **options
    )
    if result.returncode:
        raise Failed(f"{' '.join(words)}\n{result.stdout}{result.stderr}")
    return str(result.stdout)


def version(python: str) -> tuple[int, int] | None:
    """Return the version of a Python, or None if this is no Python that the package runs on."""
    code = "import sys; print(*sys.version_info[:2], sys.implementation.name)"
    try:
        result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        major, minor, name = result.stdout.split()
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    found = int(major), int(minor)
    return found if name == "cpython" and found >= (3, 11) else None


def find_pythons(named: Sequence[str]) -> dict[tuple[int, int], str]:
    """Return one Python of each version: the named ones, or this one and those on the path."""
    names = named or [sys.executable, *(f"python3.{minor}" for minor in range(11, 20))]
    pythons: dict[tuple[int, int], str] = {}
    for name in names:
        if found := version(name):
            pythons.setdefault(found, name)
        elif named:
            raise Failed(f"{name}: expected CPython 3.11 or newer")
    return dict(sorted(pythons.items()))


def python_in(environment: Path) -> Path:
    """Return the Python of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_environment(python: str, folder: Path, *requirements: str | Path) -> Path:
    """Make a virtual environment with some packages; return its Python."""
    shutil.rmtree(folder, ignore_errors=True)
    run([python, "-m", "venv", folder])
    inside = python_in(folder)
    pip = [inside, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "-c", ROOT / "constraints.txt", *requirements])
    return inside


def build(python: str, tag: str) -> Path:
    """Build a wheel; a second build compiles only files that have changed."""
    environment = WORK / tag
    inside = python_in(environment)
    if not inside.exists():
        make_environment(python, environment, "scikit-build-core", "nanobind", "ninja")
    folder = WORK / f"{tag}-made"
    shutil.rmtree(folder, ignore_errors=True)
    command: list[str | Path] = [inside, "-m", "pip", "--disable-pip-version-check", "wheel"]
    command += ["--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    command += [f"--config-settings=build-dir={WORK / 'cmake'}/{{wheel_tag}}"]
    path = os.pathsep.join((str(inside.parent), os.environ["PATH"]))
    run(command, env={**os.environ, "PATH": path})
    (wheel,) = folder.glob("*.whl")
    return wheel


def audit(wheel: Path) -> Path:
    """Check a wheel, strip it and name the platforms that it runs on; return the new wheel."""
    if platform.system() == "Linux":
        folder = wheel.parent / "audited"
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        tool = [sys.executable, "-m", "auditwheel", "repair", "--strip", "-w", folder, wheel]
        run(tool, env={**os.environ, "PATH": path})
        (wheel,) = folder.glob("*.whl")
    if "-abi3-" in wheel.name:
        run([sys.executable, "-m", "abi3audit", "--strict", wheel])
    check_size(wheel)
    HOUSE.mkdir(exist_ok=True)
    return Path(shutil.copy(wheel, HOUSE))


def check_size(wheel: Path) -> None:
    """End with an error if a wheel is too large."""
    size = wheel.stat().st_size
    if size > LARGEST:
        raise Failed(f"{wheel.name}: expected at most {LARGEST} bytes, got {size}")


def try_wheel(python: str, wheel: Path) -> str:
    """Install a wheel with what it needs, decode the golden files, and run the command."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inside = make_environment(python, folder / "environment", wheel)
        # -I: nothing but the environment is on Python's path.
        golden = ROOT / "tests" / "data" / "v1"
        told = run([inside, "-I", "-c", TRY, golden], cwd=folder)
        command = inside.with_name("gaussianimage")
        some = min(golden.glob("*.gimg"))
        run([command, "decode", some, folder / "picture.png"], cwd=folder)
        if not (folder / "picture.png").read_bytes().startswith(b"\x89PNG"):
            raise Failed(f"{wheel.name}: `gaussianimage decode` wrote no PNG file")
        return told.strip()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pythons", nargs="*", metavar="PYTHON")
    pythons = find_pythons(parser.parse_args().pythons)
    wheels: dict[str, Path] = {}
    for found, python in pythons.items():
        tag = "abi3" if found >= FIRST_STABLE else f"cp{found[0]}{found[1]}"
        if tag not in wheels:
            wheels[tag] = audit(build(python, tag))
            print(f"{wheels[tag].name}: {wheels[tag].stat().st_size / 1e6:.2f} MB", flush=True)
        print(f"  {try_wheel(python, wheels[tag])}", flush=True)
    if "abi3" not in wheels:
        print("No Python 3.12 or newer was found: the wheel for the stable ABI was not built.")


if __name__ == "__main__":
    main()
