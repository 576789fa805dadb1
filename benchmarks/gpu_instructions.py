"""The instructions of the GPU's kernels by entry, and the launches of an iteration, without a GPU.

Usage: python benchmarks/gpu_instructions.py [--capability 90] [-n 1000 10000]

The kernels are compiled for a GPU and disassembled. Counted is the loop over the entries of a tile:
the instructions of a warp, times its warps, over the entries of a turn. A picture is fitted on the
CPU to count how many entries its Gaussians have, on tiles of 8 and of 16 pixels. An iteration of
the paper's recipe is run in Triton's interpreter to count what a GPU would be given to do. No
figure is a time.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from lib.gpu_code import entry_costs, tiles_touched
from lib.gpu_launches import count_launches
from lib.harness import environment, print_environment, print_table, write_json
from PIL import Image

import gaussianimage
from gaussianimage.torch.cuda.batch import TILE

HERE = Path(__file__).resolve().parent
TILES = (8, 16)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count what the kernels of a GPU execute.")
    parser.add_argument("--image", type=Path, default=HERE.parent / "examples/pictures/kodim23.png")
    parser.add_argument("--capability", type=int, default=90, help="of the GPU, times ten (90)")
    parser.add_argument("-n", type=int, nargs="+", default=[1000, 10_000], help="Gaussians to fit")
    parser.add_argument("--iterations", type=int, default=100, help="of a fit (100)")
    parser.add_argument("--output", type=Path, default=HERE / "results/gpu_instructions.json")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    report = environment(threads=[os.cpu_count() or 1])
    print_environment(report)
    costs = entry_costs(arguments.capability)
    print(f"\nTiles of {TILE} pixels, capability {arguments.capability / 10}\n")
    print_table(
        ["kernel", "instructions an entry", "registers", "bytes spilled"],
        [[c.kernel, f"{c.instructions:.2f}", str(c.registers), str(c.spilled)] for c in costs],
    )
    pixels = np.asarray(Image.open(arguments.image).convert("RGB"))
    entries = {}
    for count in arguments.n:
        g = gaussianimage.fit(pixels, count, iterations=arguments.iterations).gaussians
        entries[count] = {tile: int(tiles_touched(g, tile).sum()) for tile in TILES}
    print(f"\nEntries of {arguments.image.name}\n")
    print_table(
        ["N", *(f"tiles of {tile}" for tile in TILES)],
        [[str(n), *(f"{found[tile]:,}" for tile in TILES)] for n, found in entries.items()],
    )
    launches = count_launches()
    print(f"\nAn iteration of the paper's recipe: {sum(launches.values())} launches\n")
    print_table(["launched", "times"], [[name, str(n)] for name, n in launches.items()])
    write_json(
        arguments.output,
        {
            "benchmark": "gpu_instructions",
            "environment": report,
            "settings": {"capability": arguments.capability, "tile": TILE},
            "results": {
                "kernels": [cost._asdict() for cost in costs],
                "entries": entries,
                "launches": launches,
            },
        },
    )
    print(f"\nWritten to {arguments.output}")


if __name__ == "__main__":
    main()
