"""Encode a photo, decode it, and write a picture of both side by side, and a page that shows them.

`make demo` runs this.

Usage: python examples/demo.py [PICTURE] [--quality Q | --gaussians N | --bpp B] [-o FOLDER]
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import gaussianimage
from gaussianimage.metrics import psnr
from gaussianimage.web.page import Photo, PictureFile, viewer_page

ROOT = Path(__file__).resolve().parent.parent
CAPTION_HEIGHT = 28  # pixels


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Encode, decode and compare a photo.")
    parser.add_argument(
        "picture", nargs="?", type=Path, default=ROOT / "examples/pictures/kodim23.png"
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "demo", metavar="FOLDER")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--quality", type=float, metavar="Q")
    target.add_argument("--gaussians", type=int, metavar="N")
    target.add_argument("--bpp", type=float, metavar="B")
    return parser.parse_args()


def side_by_side(panels: list[tuple[str, Image.Image]]) -> Image.Image:
    """Return the pictures in a row, each under its caption."""
    width = sum(picture.width for _, picture in panels)
    height = max(picture.height for _, picture in panels) + CAPTION_HEIGHT
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=16)
    left = 0
    for caption, picture in panels:
        draw.text((left + 8, 5), caption, fill="black", font=font)
        sheet.paste(picture, (left, CAPTION_HEIGHT))
        left += picture.width
    return sheet


def main() -> None:
    arguments = parse_arguments()
    with Image.open(arguments.picture) as source:
        original = source.convert("RGB")
    height, width = original.height, original.width
    pixels = np.asarray(original)

    start = time.perf_counter()
    data = gaussianimage.encode(
        pixels, quality=arguments.quality, gaussians=arguments.gaussians, bpp=arguments.bpp
    )
    encode_seconds = time.perf_counter() - start

    decoded = gaussianimage.decode(data)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        gaussianimage.decode(data)
        times.append(time.perf_counter() - start)
    decode_seconds = float(np.median(times))

    # The same file gives any size: here a detail, four times as large.
    detail = gaussianimage.decode(
        data, size=(4 * height, 4 * width), crop=(3 * height // 2, 3 * width // 2, height, width)
    )

    quality = psnr(pixels, decoded)
    rate = 8 * len(data) / (height * width)
    arguments.output.mkdir(parents=True, exist_ok=True)
    encoded_path = arguments.output / f"{arguments.picture.stem}.gimg"
    encoded_path.write_bytes(data)
    sheet = side_by_side(
        [
            (f"{arguments.picture.name}, {3 * height * width / 1000:.0f} kB of pixels", original),
            (
                f"{encoded_path.name}, {len(data) / 1000:.1f} kB, {quality:.2f} dB",
                Image.fromarray(decoded),
            ),
            ("the same file, its center rendered at 4 x", Image.fromarray(detail)),
        ]
    )
    sheet_path = arguments.output / "side_by_side.png"
    sheet.save(sheet_path)

    photo = Photo(arguments.picture.name, arguments.picture.read_bytes())
    page_path = arguments.output / "viewer.html"
    page_path.write_text(
        viewer_page([PictureFile(encoded_path.name, data)], photo), encoding="utf-8"
    )

    n_gaussians = gaussianimage.info(data).gaussians
    print(f"picture    {arguments.picture.name}, {width} x {height}")
    print(f"file       {len(data) / 1000:.1f} kB, {rate:.3f} bpp, {n_gaussians} Gaussians")
    print(f"PSNR       {quality:.2f} dB")
    print(f"encode     {encode_seconds:.1f} s")
    print(f"decode     {1000 * decode_seconds:.2f} ms, from bytes to pixels, median of 20")
    print(f"written    {encoded_path}")
    print(f"           {sheet_path}")
    print(f"           {page_path}: open it in a browser, offline too:")
    print(f"           {page_path.resolve().as_uri()}")


if __name__ == "__main__":
    main()
