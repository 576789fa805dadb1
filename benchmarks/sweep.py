"""Encode every picture file in some folders, and find pictures that lose detail.

Usage: python benchmarks/sweep.py FOLDER ... [--quality 60] [--effort 1] [--most-pixels 3e6]
                                  [--beside jpeg,webp,avif-psnr]

The source packages of Pillow, scikit-image and imageio have more than a thousand test pictures of
all kinds. For each picture the output has the bytes, the PSNR, the seconds per megapixel by the
clock and of CPU time, and by how much the error of the worst block of 16 x 16 pixels exceeds that
of its mean color, in levels of 8 bits. Files that can't be read are counted; errors that are not
the package's own are listed. Other codecs encode the opaque pictures of 8 bits at no lower PSNR.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json
from lib.rivals import RIVALS, Rival, encode_at_psnr
from lib.rivals import decode as decode_rival

from gaussianimage import GaussianImageError, Picture, as_picture, decode, encode_with_result
from gaussianimage.codec.encoder.local_contrast import worst_excess
from gaussianimage.picture.pixels import from_array
from gaussianimage.picture.warn import ignore

RESULTS = Path(__file__).parent / "results" / "sweep.json"
CONTRAST = 0.3 / 255  # range of a picture that counts as one color
SMALL = 1e5  # pixels, below which a picture has no time per megapixel: the start takes most of it

LEVELS = (1, 2, 3, 5, 8)


def look_at(
    picture: Picture, quality: float, effort: int, beside: Sequence[Rival] = ()
) -> dict[str, Any]:
    """Encode and decode a picture, and compare the two."""
    began, began_cpu = time.perf_counter(), time.process_time()
    encoded = encode_with_result(picture, quality=quality, effort=effort)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    depth = np.uint16 if picture.bit_depth == 16 else np.uint8
    decoded = from_array(decode(encoded.data, dtype=depth), warn=ignore).pixels
    pixels = picture.height * picture.width
    spread = picture.pixels - picture.pixels.mean(axis=(0, 1))
    return {
        "pixels": pixels,
        "bytes": len(encoded.data),
        "gaussians": encoded.gaussians,
        "psnr": min(encoded.psnr, 200.0),
        "seconds_a_megapixel": 1e6 * seconds / pixels,
        "cpu_seconds_a_megapixel": 1e6 * cpu_seconds / pixels,
        "excess": 255 * worst_excess(picture.pixels, decoded),
        "blank": encoded.gaussians == 0 and float(np.abs(spread).max()) > CONTRAST,
        "beside": look_beside(picture, encoded.psnr, beside),
    }


def look_beside(picture: Picture, psnr: float, rivals: Sequence[Rival]) -> dict[str, float]:
    """Return by how much the worst block of other codecs' files of no lower PSNR exceeds."""
    if not rivals or picture.has_alpha or picture.bit_depth != 8:
        return {}
    pixels = np.asarray(picture)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    seen = from_array(pixels).pixels
    return {
        rival.key: 255
        * worst_excess(seen, from_array(decode_rival(encode_at_psnr(rival, pixels, psnr))).pixels)
        for rival in rivals
    }


def run(
    folders: list[Path],
    quality: float,
    effort: int,
    most_pixels: float,
    beside: Sequence[Rival] = (),
) -> tuple[dict[str, dict[str, Any]], int, list[str]]:
    """Return the result of each picture, the number of unreadable files, and unexpected errors."""
    found: dict[str, dict[str, Any]] = {}
    unread, errors = 0, []
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.is_file()):
        try:
            picture = as_picture(path)
            if picture.height * picture.width <= most_pixels:
                found[str(path)] = look_at(picture, quality, effort, beside)
                print(path, file=sys.stderr)
        except GaussianImageError:
            unread += 1
        except Exception as error:  # noqa: BLE001 - unexpected errors are a result
            errors.append(f"{path}: {type(error).__name__}: {error}")
    return found, unread, errors


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--quality", type=float, default=60)
    parser.add_argument("--effort", type=int, default=1)
    parser.add_argument("--most-pixels", type=float, default=3e6, help="leave out larger ones")
    parser.add_argument(
        "--beside",
        default="",
        help="codecs, separated by commas: " + ", ".join(r.key for r in RIVALS),
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="the JSON file")
    options = parser.parse_args(arguments)
    report = environment()
    print_environment(report)
    found, unread, errors = run(
        options.folders,
        options.quality,
        options.effort,
        options.most_pixels,
        [rival for rival in RIVALS if rival.key in options.beside.split(",")],
    )
    excess = np.array([one["excess"] for one in found.values()])
    rows = [
        ["pictures", str(len(found))],
        ["files that are none", str(unread)],
        ["unexpected errors", str(len(errors))],
        ["blank", str(sum(one["blank"] for one in found.values()))],
        *(
            [f"a block worse than its mean color by {level} levels", str((excess > level).sum())]
            for level in LEVELS
        ),
    ]
    large = [one for one in found.values() if one["pixels"] > SMALL]
    for key, name in (
        ("seconds_a_megapixel", "seconds a megapixel"),
        ("cpu_seconds_a_megapixel", "CPU seconds a megapixel"),
    ):
        if large:
            values = np.array([one[key] for one in large])
            spread = f"{np.median(values):.1f}, {values.max():.1f}"
            rows.append([f"{name}, above 0.1: median, most", spread])
    print_table(["", "count"], rows)
    compared = [one for one in found.values() if one["beside"]]
    if compared:
        print(f"Of {len(compared)} opaque pictures of 8 bits, those with such a block:")
        names = {"ours": np.array([one["excess"] for one in compared])} | {
            key: np.array([one["beside"][key] for one in compared]) for key in compared[0]["beside"]
        }
        print_table(
            ["worse by levels", *(str(level) for level in LEVELS)],
            [[name, *(str((e > level).sum()) for level in LEVELS)] for name, e in names.items()],
        )
    for line in errors:
        print(line)
    write_json(options.output, {"environment": report, "pictures": found, "errors": errors})


if __name__ == "__main__":
    main()
