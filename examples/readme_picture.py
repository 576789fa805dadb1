"""Make docs/images/parrots.png: a detail of the source, a JPEG, our file and its ellipses.

Usage: python examples/readme_picture.py
"""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import gaussianimage
from gaussianimage.visualize.ellipses import draw_ellipses

ROOT = Path(__file__).resolve().parent.parent
DETAIL = (20, 20, 404, 404)  # left, top, right, bottom
CAPTION_HEIGHT = 26


def smallest_jpeg(picture: Image.Image, least: int) -> bytes:
    """Return the JPEG of lowest quality that is not smaller than `least` bytes."""
    for quality in range(1, 96):
        stream = io.BytesIO()
        picture.save(
            stream, "JPEG", quality=quality, optimize=True, progressive=True, subsampling="4:2:0"
        )
        if len(stream.getvalue()) >= least:
            break
    return stream.getvalue()


def main() -> None:
    source = Image.open(ROOT / "examples/pictures/kodim23.png").convert("RGB")
    data = gaussianimage.encode(source)
    jpeg = smallest_jpeg(source, len(data))
    gaussians = gaussianimage.decode_gaussians(data)
    panels = [
        ("source", source),
        (f"JPEG, {len(jpeg) / 1000:.1f} kB", Image.open(io.BytesIO(jpeg)).convert("RGB")),
        (f".gimg, {len(data) / 1000:.1f} kB", Image.fromarray(gaussianimage.decode(data))),
        (f"its {len(gaussians) - 1} Gaussians", Image.fromarray(draw_ellipses(gaussians))),
    ]
    width, height = DETAIL[2] - DETAIL[0], DETAIL[3] - DETAIL[1]
    sheet = Image.new("RGB", (width * len(panels), height + CAPTION_HEIGHT), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=16)
    for i, (caption, picture) in enumerate(panels):
        sheet.paste(picture.crop(DETAIL), (i * width, CAPTION_HEIGHT))
        draw.text((i * width + 6, 4), caption, fill="black", font=font)
    sheet.save(ROOT / "docs/images/parrots.png", optimize=True)


if __name__ == "__main__":
    main()
