"""The number of instructions of a decode, function by function, which no load disturbs.

Usage: python benchmarks/instructions.py [--image PICTURE] [-n 3000 9000] [--isa avx2]

The engine is compiled on its own, with its functions' names. In valgrind's callgrind it decodes a
file twice on one thread; only the second decode is counted. valgrind does not support AVX-512.
"""

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json
from PIL import Image

import gaussianimage

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
NATIVE = ROOT / "src/gaussianimage/native"

# The same flags as in CMakeLists.txt.
FLAGS = ["-std=c++20", "-O3", "-g", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
ISAS = {"baseline": [], "avx2": ["-mavx2", "-mfma", "-mbmi", "-mbmi2"]}
# The sources that are compiled once for every instruction set.
_LISTS = re.findall(
    r"set\((?:kernel|narrow)_sources\s([^)]*)\)", (ROOT / "CMakeLists.txt").read_text()
)
KERNELS = [NATIVE / name for names in _LISTS for name in names.split()]
LEFT_OUT = ("bindings", "fit")  # folders

_LINE = re.compile(r"\s*([\d,]+) \([ \d.]+%\)\s+(\S*?):(.+?)(?: \[[^]]*\])?$")


class Count(NamedTuple):
    """Instructions of one function, without those of the functions that it calls."""

    function: str
    instructions: int


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count the instructions of a decode.")
    parser.add_argument(
        "--image", type=Path, default=ROOT / "examples/pictures/kodim23.png", metavar="PICTURE"
    )
    parser.add_argument("-n", type=int, nargs="+", default=[3000, 9000], help="(3000 9000)")
    parser.add_argument("--effort", type=int, default=1, help="of the encoder (1)")
    parser.add_argument("--isa", choices=ISAS, default="avx2", help="(avx2)")
    parser.add_argument("--rows", type=int, default=15, help="functions to print (15)")
    parser.add_argument("--output", type=Path, default=HERE / "results/instructions.json")
    return parser.parse_args()


def build(folder: Path) -> Path:
    """Compile the engine and the program that decodes."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None or shutil.which("valgrind") is None:
        raise SystemExit("instructions.py: needs a C++ compiler and valgrind")
    common = [
        path
        for path in sorted(NATIVE.rglob("*.cpp"))
        if path not in KERNELS and path.parent.name not in LEFT_OUT and path.stem != "module"
    ]
    have = [f"-DGI_HAVE_{isa.upper()}=1" for isa in ISAS]
    jobs = [(path, "", have) for path in (HERE / "native/decode_once.cpp", *common)]
    for isa, flags in ISAS.items():
        jobs += [(path, isa, [f"-DGI_ISA={isa}", *flags]) for path in KERNELS]

    def compiled(job: tuple[Path, str, list[str]]) -> str:
        source, isa, flags = job
        own = flags if isa else [*flags, "-DGI_ISA=baseline"]
        target = str(folder / f"{source.parent.name}_{source.stem}{isa}.o")
        command = [compiler, *FLAGS, *own, f"-I{NATIVE}", "-c", str(source), "-o", target]
        subprocess.run(command, check=True)
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compiled, jobs))
    program = folder / "decode_once"
    subprocess.run([compiler, *objects, "-pthread", "-o", str(program)], check=True)
    return program


def count(program: Path, isa: str, data: bytes, folder: Path) -> list[Count]:
    """Return the functions of a decode by falling number of instructions."""
    file, profile = folder / "picture.gimg", folder / "callgrind.out"
    file.write_bytes(data)
    callgrind = [
        "valgrind",
        "--tool=callgrind",
        "--collect-atstart=no",
        "--toggle-collect=decode_once",
        f"--callgrind-out-file={profile}",
    ]
    subprocess.run([*callgrind, str(program), isa, str(file)], check=True, capture_output=True)
    annotate = ["callgrind_annotate", "--threshold=100", "--auto=no", str(profile)]
    done = subprocess.run(annotate, check=True, capture_output=True, text=True)
    return parse(done.stdout)


def parse(report: str) -> list[Count]:
    """Read the output of callgrind_annotate; a function inlined in several files counts as one."""
    counts: dict[str, int] = {}
    for line in report.splitlines():
        if match := _LINE.match(line):
            name = re.sub(r"'\d+$", "", match[3])
            counts[name] = counts.get(name, 0) + int(match[1].replace(",", ""))
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [Count(*item) for item in ordered]


def print_counts(counts: list[Count], found: Any, rows: int) -> None:
    total = sum(number for _, number in counts)
    shown = [*counts[:rows], Count("all of it", total)]
    print_table(
        ["function", "instructions", "%", "per Gaussian", "per pixel"],
        [
            [
                _short(name),
                f"{number:,}",
                f"{100 * number / total:.1f}",
                f"{number / max(found.gaussians, 1):.0f}",
                f"{number / (found.height * found.width):.2f}",
            ]
            for name, number in shown
        ],
    )


def _short(name: str) -> str:
    name = re.sub(r"\(anonymous namespace\)::", "", name)
    return name if len(name) <= 60 else f"{name[:57]}..."


def main() -> None:
    arguments = parse_arguments()
    pixels = np.asarray(Image.open(arguments.image).convert("RGB"))
    report, results = environment(threads=[1]), {}
    print_environment(report)
    with tempfile.TemporaryDirectory() as name:
        program = build(Path(name))
        for number in arguments.n:
            data = gaussianimage.encode(pixels, gaussians=number, effort=arguments.effort)
            found = gaussianimage.info(data)
            counts = count(program, arguments.isa, data, Path(name))
            print(f"\n{arguments.image.name}, {found.gaussians} Gaussians, {arguments.isa}\n")
            print_counts(counts, found, arguments.rows)
            results[str(number)] = {
                "gaussians": found.gaussians,
                "pixels": found.height * found.width,
                "work": found.work,
                "instructions": sum(c.instructions for c in counts),
                "functions": dict(counts),
            }
    write_json(
        arguments.output,
        {
            "benchmark": "instructions",
            "environment": report,
            "settings": {"isa": arguments.isa, "effort": arguments.effort},
            "results": results,
        },
    )
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
