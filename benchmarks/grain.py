"""Energy of fine texture with grain and without, against the source.

Usage: python benchmarks/grain.py --images FOLDER [--bpp 0.3] [--sheet FILE.png]

Each picture is encoded once at each rate. The energy is that of the luma in the highest octave, in
the half of the blocks of 8 × 8 pixels that has most of it in the source. A picture that looks as
rough as its source has a share of 1.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json
from lib.pictures import Sample, find_pictures
from PIL import Image

import gaussianimage
from gaussianimage.metrics import psnr

HERE = Path(__file__).resolve().parent
BLOCK = 8
CROP = 256  # px a side of a crop in the sheet


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure grain.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--bpp", type=float, nargs="+", default=[0.3], help="(0.3)")
    parser.add_argument("--effort", type=int, default=2, help="(2)")
    parser.add_argument("--rounds", type=int, default=9, help="of the timed decodes (9)")
    parser.add_argument("--sheet", type=Path, help="writes source, file, and file with grain")
    parser.add_argument("--output", type=Path, default=HERE / "results/grain.json")
    return parser.parse_args()


def highest_octave(pixels: np.ndarray) -> np.ndarray:
    """Return the energy of each block of 8 × 8 px in the highest octave of the luma."""
    luma = pixels.astype(np.float64) @ (0.25, 0.5, 0.25)
    blurred = luma
    for axis in (0, 1):
        padding = [(2, 2) if axis == k else (0, 0) for k in (0, 1)]
        padded = np.pad(blurred, padding, "reflect")
        rows = [np.take(padded, range(i, i + luma.shape[axis]), axis) for i in range(5)]
        blurred = sum(w * row for w, row in zip((1, 4, 6, 4, 1), rows, strict=True)) / 16
    height, width = (side // BLOCK for side in luma.shape)
    detail = (luma - blurred)[: height * BLOCK, : width * BLOCK]
    return (detail.reshape(height, BLOCK, width, BLOCK) ** 2).mean(axis=(1, 3))


def textured_share(pixels: np.ndarray, source: np.ndarray) -> float:
    """Return the energy of the textured blocks, relative to the source's."""
    wanted, found = highest_octave(source), highest_octave(pixels)
    textured = wanted >= np.median(wanted)
    return float(found[textured].sum() / wanted[textured].sum())


def roughest(source: np.ndarray) -> tuple[slice, slice]:
    """Return a part of the picture whose median block has the most texture."""
    energy = highest_octave(source)
    side = CROP // BLOCK
    places = [
        (float(np.median(energy[y : y + side, x : x + side])), y, x)
        for y in range(0, max(energy.shape[0] - side, 0) + 1, 4)
        for x in range(0, max(energy.shape[1] - side, 0) + 1, 4)
    ]
    _, y, x = max(places)
    return slice(y * BLOCK, y * BLOCK + CROP), slice(x * BLOCK, x * BLOCK + CROP)


def decode_seconds(data: bytes, grain: bool) -> float:
    began = time.process_time()
    gaussianimage.decode(data, threads=1, grain=grain)
    return time.process_time() - began


def measure(
    picture: Sample, bpp: float, arguments: argparse.Namespace
) -> tuple[dict[str, Any], np.ndarray]:
    source = picture.pixels
    data = gaussianimage.encode(source, bpp=bpp, effort=arguments.effort, grain=True)
    smooth, rough = (gaussianimage.decode(data, grain=grain) for grain in (False, True))
    # CPU time of one thread, so that other load on the machine counts less.
    seconds = {
        grain: min(decode_seconds(data, grain) for _ in range(arguments.rounds))
        for grain in (False, True)
    }
    crop = roughest(source)
    return {
        "picture": picture.name,
        "bpp": bpp,
        "bytes": len(data),
        "grain_bytes": gaussianimage.info(data).grain or 0,
        "share_without": textured_share(smooth, source),
        "share_with": textured_share(rough, source),
        "psnr_without": psnr(source, smooth),
        "psnr_with": psnr(source, rough),
        "milliseconds_without": 1e3 * seconds[False],
        "milliseconds_with": 1e3 * seconds[True],
    }, np.concatenate([pixels[crop] for pixels in (source, smooth, rough)], axis=1)


def write_sheet(path: Path, strips: list[np.ndarray]) -> None:
    """Write crops below one another, at twice their size."""
    height = sum(strip.shape[0] for strip in strips)
    sheet = np.zeros((height, max(strip.shape[1] for strip in strips), 3), np.uint8)
    top = 0
    for strip in strips:
        sheet[top : top + strip.shape[0], : strip.shape[1]] = strip
        top += strip.shape[0]
    Image.fromarray(sheet.repeat(2, axis=0).repeat(2, axis=1)).save(path)


def main() -> int:
    arguments = parse_arguments()
    report = environment(threads=[1])
    print_environment(report)
    runs, strips = [], []
    for picture in find_pictures(arguments.images):
        for bpp in arguments.bpp:
            run, strip = measure(picture, bpp, arguments)
            runs.append(run)
            strips.append(strip)
    header = ["picture", "bpp", "bytes", "grain", "texture", "with grain", "dB", "with grain", "ms"]
    rows = [
        [
            run["picture"],
            f"{run['bpp']:g}",
            run["bytes"],
            run["grain_bytes"],
            f"{run['share_without']:.2f}",
            f"{run['share_with']:.2f}",
            f"{run['psnr_without']:.2f}",
            f"{run['psnr_with']:.2f}",
            f"{run['milliseconds_without']:.2f} + "
            f"{run['milliseconds_with'] - run['milliseconds_without']:.2f}",
        ]
        for run in runs
    ]
    print_table(header, rows)
    for bpp in arguments.bpp:
        shares = [
            [run[f"share_{x}"] for run in runs if run["bpp"] == bpp] for x in ("without", "with")
        ]
        middles = [
            f"{np.median(share):.2f} ({min(share):.2f} to {max(share):.2f})" for share in shares
        ]
        print(f"median share at {bpp:g} bpp: {middles[0]} without grain, {middles[1]} with it")
    if arguments.sheet:
        write_sheet(arguments.sheet, strips)
    write_json(arguments.output, {"environment": report, "runs": runs})
    return 0


if __name__ == "__main__":
    sys.exit(main())
