"""Sizes of the modules of the browser, and times of decoding and drawing in Node.

Usage: python benchmarks/web.py --image PICTURE [-n 9000]

Needs Node 20. The minified sizes need npm, which fetches esbuild.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lib.harness import environment, print_environment, print_table, write_json

import gaussianimage
from gaussianimage.web.bundle import MODULES
from gaussianimage.web.page import PictureFile, picture_page

HERE = Path(__file__).resolve().parent
ESBUILD = "esbuild@0.28.2"
ENTRIES = ("gimg.js", "element.js", "page.js", "viewer.js")
# Loaded by the others when a file needs them.
LATER = ("finish.js", "grain.js", "profile.js", "tiled.js")
SCRIPT = """
import { readFileSync } from 'node:fs';
const [folder, file] = process.argv.slice(1);
const { decode } = await import(`${folder}/gimg.js`);
const { drawPixels } = await import(`${folder}/cpu.js`);
const { wholeView } = await import(`${folder}/view.js`);
const bytes = readFileSync(file);
const rounds = (call) => {
  const found = [];
  for (let i = 0; i < 41; i++) {
    const wall = performance.now();
    const cpu = process.cpuUsage();
    call();
    const used = process.cpuUsage(cpu);
    found.push([performance.now() - wall, (used.user + used.system) / 1000]);
  }
  const part = (i) => found.slice(10).map((times) => times[i]).sort((a, b) => a - b);
  return { first: found[0][0], median: part(0)[15], least: part(0)[0], cpu: part(1)[15] };
};
const picture = decode(bytes);
const { width, height } = picture.header;
const result = { decode: rounds(() => decode(bytes)) };
result.draw = rounds(() => drawPixels(picture, wholeView(picture, width, height)));
console.log(JSON.stringify(result));
"""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Sizes and times of the browser's modules.")
    parser.add_argument("--image", type=Path, required=True, metavar="PICTURE")
    parser.add_argument("-n", "--gaussians", type=int, default=9000, help="to fit (9000)")
    parser.add_argument("--effort", type=int, default=2, help="of the encoder (2)")
    parser.add_argument("--output", type=Path, default=HERE / "results/web.json")
    return parser.parse_args()


def minified(entry: str) -> bytes | None:
    """Return a module and all that it imports at once, minified, or None without npm.

    Modules that are loaded later are minified alone.
    """
    if shutil.which("npm") is None:
        return None
    command = ["npm", "exec", "--yes", f"--package={ESBUILD}", "--", "esbuild", "--bundle"]
    command += ["--minify", "--format=esm", "--target=es2022", str(MODULES / entry)]
    command += [f"--external:./{name}" for name in (["*"] if entry in LATER else LATER)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def times(data: bytes) -> dict[str, dict[str, float]]:
    """Return milliseconds of decoding and drawing in Node: first, median, least, median of CPU."""
    with tempfile.NamedTemporaryFile(suffix=".gimg") as file:
        file.write(data)
        file.flush()
        command = ["node", "--input-type=module", "-e", SCRIPT, MODULES.as_uri(), file.name]
        told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    found: dict[str, dict[str, float]] = json.loads(told)
    return found


def main() -> None:
    arguments = parse_arguments()
    report = environment()
    data = gaussianimage.encode(
        arguments.image, gaussians=arguments.gaussians, effort=arguments.effort
    )
    info = gaussianimage.info(data)
    results: dict[str, Any] = {"bytes": len(data), "gaussians": info.gaussians}
    results["seconds"] = times(data)
    results["page"] = len(picture_page(PictureFile("a.gimg", data))) - 4 * -(-len(data) // 3)
    results["minified"] = {}
    for entry in (*ENTRIES, *LATER):
        if (text := minified(entry)) is not None:
            results["minified"][entry] = [len(text), len(gzip.compress(text, 9))]
    print_environment(report)
    print(f"\n{info.width} x {info.height}, {info.gaussians} Gaussians, {len(data)} bytes\n")
    print_table(
        ["ms in Node", "first", "median", "least", "median of CPU"],
        [
            [name, *(f"{found[key]:.1f}" for key in ("first", "median", "least", "cpu"))]
            for name, found in results["seconds"].items()
        ],
    )
    print(f"\nA page of one file takes {results['page']} bytes beside the picture.\n")
    sizes = results["minified"].items()
    print_table(["minified", "bytes", "gzip"], [[name, *found] for name, found in sizes])
    write_json(arguments.output, {"benchmark": "web", "environment": report, **results})
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
