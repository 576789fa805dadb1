"""Previews of 300 to 1,000 bytes: .gimg beside WebP, AVIF and JPEG XL, and hashes.

Usage: python benchmarks/placeholders.py --images FOLDER [--sizes 300 600 1000] [--side 384]

A rival is scaled down before it is encoded and scaled up after it is decoded, as a page would do.
Of several scales it gets the one of best PSNR. BlurHash and ThumbHash have their own few bytes. A
contact sheet shows all of them.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lib.eye_measures import EYE_MEASURES
from lib.harness import environment, print_environment, print_table, write_json
from lib.hashes import draw_blurhash, draw_thumbhash, encode_blurhash, encode_thumbhash
from lib.pictures import Bytes, find_pictures
from lib.rivals import RIVALS, Rival, decode
from PIL import Image, ImageDraw, ImageFont

import gaussianimage
from gaussianimage.metrics import psnr

HERE = Path(__file__).resolve().parent
SCALES = (1, 2, 3, 4, 6, 8, 12, 16)  # a rival is scaled down by one of these
KEYS = ("webp", "avif", "jpeg-xl")
OURS = "gimg"
SSIMULACRA2 = EYE_MEASURES[0]
GAP, CAPTION = 6, 22

Preview = tuple[int, Bytes]  # bytes of the file, and its picture at the size of the source


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Previews of a few hundred bytes.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 600, 1000], metavar="BYTES")
    parser.add_argument("--side", type=int, default=384, help="longer side of the pictures (384)")
    parser.add_argument("--effort", type=int, default=5, help="of our encoder (5)")
    parser.add_argument("--sheet", type=int, default=6, help="pictures on the contact sheet (6)")
    parser.add_argument("--output", type=Path, default=HERE / "results/placeholders.json")
    return parser.parse_args()


def scaled(pixels: Bytes, width: int, height: int, method: Image.Resampling) -> Bytes:
    return np.asarray(Image.fromarray(pixels).resize((width, height), method))


def encode_small(rival: Rival, pixels: Bytes, most: int) -> Preview | None:
    """Return a rival's preview of at most so many bytes, or None if it has none so small."""
    height, width = pixels.shape[:2]
    best: Preview | None = None
    for scale in SCALES:
        small = scaled(
            pixels, max(1, width // scale), max(1, height // scale), Image.Resampling.BOX
        )
        data = largest_within(rival, small, most)
        if data is None:
            continue
        drawn = scaled(decode(data), width, height, Image.Resampling.BICUBIC)
        if best is None or psnr(pixels, drawn) > psnr(pixels, best[1]):
            best = len(data), drawn
    return best


def largest_within(rival: Rival, pixels: Bytes, most: int) -> bytes | None:
    """Return the file of the highest quality that has at most so many bytes, by bisection."""
    low, high = (int(end) for end in rival.ends)
    best = rival.encode(pixels, low)
    if len(best) > most:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        data = rival.encode(pixels, middle)
        if len(data) <= most:
            low, best = middle, data
        else:
            high = middle
    return best


def previews(pixels: Bytes, sizes: Sequence[int], effort: int) -> dict[tuple[str, int], Preview]:
    """Return the previews of a picture by name and by the bytes that were allowed, 0 for a hash."""
    height, width = pixels.shape[:2]
    text, hashed = encode_blurhash(pixels), encode_thumbhash(pixels)
    found: dict[tuple[str, int], Preview] = {
        ("BlurHash", 0): (len(text), draw_blurhash(text, height, width)),
        ("ThumbHash", 0): (len(hashed), draw_thumbhash(hashed, height, width)),
    }
    for size in sizes:
        data = gaussianimage.encode(pixels, size=size, effort=effort)
        found[OURS, size] = len(data), gaussianimage.decode(data)
        for rival in RIVALS:
            if rival.key in KEYS and rival.available:
                preview = encode_small(rival, pixels, size)
                if preview is not None:
                    found[rival.name, size] = preview
    return found


def draw_sheet(
    rows: Sequence[tuple[Bytes, dict[tuple[str, int], Preview]]], size: int, path: Path
) -> None:
    """Draw a row for each picture: the source, the hashes, and all previews of one size."""
    names = [("BlurHash", 0), ("ThumbHash", 0)]
    names += [(name, size) for name in ("AVIF", "WebP", "JPEG XL", OURS)]
    width = max(pixels.shape[1] for pixels, _ in rows) * 5 // 8
    heights = [min(width, round(pixels.shape[0] * width / pixels.shape[1])) for pixels, _ in rows]
    size_of_sheet = (len(names) + 1) * (width + GAP) + GAP, sum(heights) + len(rows) * CAPTION
    sheet = Image.new("RGB", size_of_sheet, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    top = 0
    for (pixels, found), height in zip(rows, heights, strict=True):
        shown = [("source", pixels)]
        for name, allowed in names:
            if (name, allowed) in found:
                n_bytes, drawn = found[name, allowed]
                shown.append((f"{name}, {n_bytes} bytes", drawn))
            else:
                shown.append((f"{name}: not so small", np.full_like(pixels, 235)))
        for column, (caption, drawn) in enumerate(shown):
            picture = Image.fromarray(drawn)
            picture.thumbnail((width, height), Image.Resampling.LANCZOS)
            left = GAP + column * (width + GAP)
            sheet.paste(picture, (left, top))
            draw.text((left, top + picture.height + 1), caption, fill="black", font=font)
        top += height + CAPTION
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def main() -> None:
    arguments = parse_arguments()
    report = environment()
    runs: list[dict[str, Any]] = []
    rows = []
    for picture in find_pictures(arguments.images):
        image = Image.fromarray(picture.pixels)
        image.thumbnail((arguments.side, arguments.side), Image.Resampling.LANCZOS)
        pixels = np.asarray(image)
        found = previews(pixels, arguments.sizes, arguments.effort)
        rows.append((pixels, found))
        for (name, allowed), (n_bytes, drawn) in found.items():
            run = {"picture": picture.name, "name": name, "allowed": allowed, "bytes": n_bytes}
            run["psnr"] = psnr(pixels, drawn)
            if SSIMULACRA2.available():
                run["ssimulacra2"] = SSIMULACRA2.compare(pixels, drawn)
            runs.append(run)
        print(picture.name, file=sys.stderr)
    groups = defaultdict(list)
    for run in runs:
        groups[run["allowed"], run["name"]].append(run)
    table = []
    for (allowed, name), group in sorted(groups.items()):
        means = {
            key: float(np.mean([run[key] for run in group]))
            for key in ("bytes", "psnr", "ssimulacra2")
            if key in group[0]
        }
        table.append(
            [
                allowed or "",
                name,
                f"{len(group)}/{len(rows)}",
                f"{means['bytes']:.0f}",
                f"{means['psnr']:.2f}",
                f"{means.get('ssimulacra2', float('nan')):.1f}",
            ]
        )
    print_environment(report)
    print()
    print_table(["allowed", "", "pictures", "bytes", "PSNR", "SSIMULACRA 2"], table)
    write_json(arguments.output, {"benchmark": "placeholders", "environment": report, "runs": runs})
    for size in arguments.sizes:
        path = arguments.output.with_name(f"placeholders_{size}.png")
        step = max(1, len(rows) // arguments.sheet)
        draw_sheet(rows[::step][: arguments.sheet], size, path)
        print(f"Written to {path}")
    print(f"Written to {arguments.output}")


if __name__ == "__main__":
    main()
