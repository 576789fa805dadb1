"""Compile the native sources for platforms that this machine is not, to find what does not compile.

Usage: python tools/cross_compile.py [TARGET ...] [--compiler COMMAND] [--folder build/cross]

Each target gets a build of CMake in a folder of its own. The compiler is Clang with the standard
libraries of all targets, as the package `ziglang` brings it (extra `wheels`), and for WebAssembly
em++ of an Emscripten on the path, as Debian's package is. `--compiler` names another compiler for a
single target. Nothing that is made here runs on this machine. For macOS and WebAssembly the
objects are compiled and nothing is linked; elsewhere the module is linked too, for Windows against
a library of the names that Python exports.

The headers of Python are those of the Python that runs this tool. Only `pyconfig.h` differs between
platforms, in the sizes of types, which Windows and WebAssembly have of their own.
"""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

# What Python's pyconfig.h says on 64-bit Windows.
WINDOWS_CONFIG = """\
#pragma once
#define MS_WINDOWS
#define MS_WIN32
#define MS_WIN64
#define MS_COREDLL
#define NT_THREADS
#define PLATFORM "win32"
#define Py_ENABLE_SHARED 1
#define WITH_THREAD 1
#define HAVE_SSIZE_T 1
#define HAVE_STDDEF_H 1
#define HAVE_WCHAR_H 1
#define ALIGNOF_MAX_ALIGN_T 8
#define SIZEOF_SHORT 2
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_FLOAT 4
#define SIZEOF_DOUBLE 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_VOID_P 8
#define SIZEOF_WCHAR_T 2
#define SIZEOF_TIME_T 8
#define SIZEOF_PID_T 4
#define SIZEOF_OFF_T 4
"""


class Target(NamedTuple):
    """A platform, as CMake and the compiler call it."""

    system: str
    processor: str
    triple: str
    links: bool = True


TARGETS = {
    "windows-x86_64": Target("Windows", "AMD64", "x86_64-windows-gnu"),
    "macos-arm64": Target("Darwin", "arm64", "aarch64-macos", links=False),
    "macos-x86_64": Target("Darwin", "x86_64", "x86_64-macos", links=False),
    "linux-aarch64": Target("Linux", "aarch64", "aarch64-linux-gnu.2.28"),
    "musl-x86_64": Target("Linux", "x86_64", "x86_64-linux-musl"),
    "musl-aarch64": Target("Linux", "aarch64", "aarch64-linux-musl"),
    "wasm32": Target("Emscripten", "wasm32", "", links=False),
}


def write_tool(path: Path, command: list[str]) -> Path:
    """Write a program that runs a command with further arguments; CMake takes only one word."""
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def copy_headers(folder: Path, target: Target) -> Path:
    """Copy Python's headers, with the pyconfig.h of a target."""
    own = Path(sysconfig.get_path("include"))
    headers = folder / "include"
    shutil.copytree(own, headers, dirs_exist_ok=True)
    text = WINDOWS_CONFIG
    if target.system == "Emscripten":
        # Debian keeps it apart from the other headers, by architecture.
        apart = own.parent / str(sysconfig.get_config_var("MULTIARCH")) / own.name
        config = (apart if apart.is_dir() else own) / "pyconfig.h"
        text = config.read_text(encoding="utf-8")
        names = "LONG|VOID_P|SIZE_T|UINTPTR_T|PTHREAD_T"
        text = re.sub(rf"#define SIZEOF_({names}) .*", r"#define SIZEOF_\1 4", text)
    (headers / "pyconfig.h").write_text(text, encoding="utf-8")
    return headers


def make_import_library(folder: Path, archiver: list[str]) -> Path:
    """Make a library of all names that this machine's Python exports."""
    program = Path(sys.executable).resolve()
    shared = Path(str(sysconfig.get_config_var("LIBDIR"))) / str(
        sysconfig.get_config_var("LDLIBRARY")
    )
    symbols = ""
    for file in (program, shared):
        if file.exists():
            command = ["nm", "--dynamic", "--defined-only", str(file)]
            symbols += subprocess.run(command, capture_output=True, text=True, check=False).stdout
    names = sorted(set(re.findall(r" (_?Py\w+)$", symbols, re.MULTILINE)))
    definition = folder / "python.def"
    definition.write_text("LIBRARY python3.dll\nEXPORTS\n" + "\n".join(names) + "\n", "utf-8")
    # CMake reads the version from the name.
    library = folder / f"libpython{sys.version_info.major}.{sys.version_info.minor}.a"
    options = ["-m", "i386:x86-64", "-d", str(definition), "-l", str(library)]
    subprocess.run([*archiver, *options], check=True)
    return library


def compile_for(name: str, folder: Path, compiler: list[str] | None) -> None:
    """Configure and build; raise CalledProcessError if either fails."""
    target = TARGETS[name]
    folder.mkdir(parents=True, exist_ok=True)
    zig = [sys.executable, "-m", "ziglang"]
    cxx = compiler or [*zig, "c++", "-target", target.triple]
    headers, configure = Path(sysconfig.get_path("include")), ["cmake"]
    options: list[str] = []
    if target.system in ("Windows", "Emscripten"):
        headers = copy_headers(folder, target)
    if target.system == "Windows":
        library = make_import_library(
            folder, ["x86_64-w64-mingw32-dlltool"] if compiler else [*zig, "dlltool"]
        )
        options += [f"-DPython_LIBRARY={library}"]
    if target.system == "Emscripten":
        configure = ["emcmake", "cmake"]  # it names the compiler
        options += ["-DCMAKE_CXX_FLAGS=-fwasm-exceptions"]
    else:
        options += [f"-DCMAKE_SYSTEM_NAME={target.system}"]
        options += [f"-DCMAKE_CXX_COMPILER={write_tool(folder / 'c++', cxx)}"]
    if target.triple and not compiler:
        options += [f"-DCMAKE_AR={write_tool(folder / 'ar', [*zig, 'ar'])}"]
        options += [f"-DCMAKE_RANLIB={write_tool(folder / 'ranlib', [*zig, 'ranlib'])}"]
    options += [
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_SYSTEM_PROCESSOR={target.processor}",
        "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DPython_INCLUDE_DIR={headers}",
    ]
    build = folder / "build"
    subprocess.run([*configure, "-G", "Ninja", "-S", ROOT, "-B", build, *options], check=True)
    wanted = ["all"]
    if not target.links:
        listed = subprocess.run(
            ["ninja", "-C", build, "-t", "targets", "all"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        wanted = re.findall(r"^(\S+\.o(?:bj)?):", listed, re.MULTILINE)
    subprocess.run(["ninja", "-C", build, "-k", "0", *wanted], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--compiler", help="another compiler, for a single target")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "cross")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"unknown target {unknown[0]}; there are {', '.join(TARGETS)}")
    if options.compiler and len(names) != 1:
        parser.error("--compiler needs a single target")
    compiler = shlex.split(options.compiler) if options.compiler else None
    failed = []
    for name in names:
        start = time.perf_counter()
        folder = options.folder / (f"{name}-{Path(compiler[0]).name}" if compiler else name)
        try:
            compile_for(name, folder.absolute(), compiler)
        except subprocess.CalledProcessError:
            failed.append(name)
        print(f"{name}: {'failed' if name in failed else 'compiled'}", end=" ")
        print(f"in {time.perf_counter() - start:.0f} s", flush=True)
    if failed:
        raise SystemExit(f"These do not compile: {', '.join(failed)}")


if __name__ == "__main__":
    main()
