"""A contact sheet: crops of our pictures and the rivals' at equal bytes, for people to judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import gaussianimage
from gaussianimage.metrics import psnr
from lib.pictures import Bytes, Sample
from lib.rivals import RIVALS, decode, encode_at_least

CROP = (160, 240)  # pixels: height, width
ENLARGED = 2
CAPTION = 22
GAP = 6
COLUMNS = ("jpeg", "jpeg2000", "webp", "avif")
# A rival's file that is larger than ours by this factor gets a red caption.
MUCH_LARGER = 1.05


@dataclass(frozen=True)
class Panel:
    """A crop and its caption."""

    pixels: Bytes
    caption: str
    warns: bool = False


def draw(files: Sequence[tuple[Sample, bytes]], path: Path) -> None:
    """Draw a row for each picture: the original, ours, and every rival's nearest file.

    A rival's file is its smallest that is not smaller than ours, so the rivals never have fewer
    bytes. The crop is where the picture has most detail. A caption has the bytes and the PSNR of
    the whole picture; it is red if the rival has no file nearly as small as ours.
    """
    rows = [_row(picture, data) for picture, data in files]
    height, width = rows[0][0].pixels.shape[:2]
    height = max(panel.pixels.shape[0] for row in rows for panel in row)
    width = max(panel.pixels.shape[1] for row in rows for panel in row)
    cell_height, cell_width = height + CAPTION + GAP, width + GAP
    size = len(rows[0]) * cell_width + GAP, len(rows) * cell_height + GAP
    sheet = Image.new("RGB", size, "white")
    draw_on = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    for y, row in enumerate(rows):
        for x, panel in enumerate(row):
            left, top = GAP + x * cell_width, GAP + y * cell_height
            sheet.paste(Image.fromarray(panel.pixels), (left, top))
            color = "#b00000" if panel.warns else "black"
            place = left, top + panel.pixels.shape[0] + 2
            draw_on.text(place, panel.caption, fill=color, font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def _row(picture: Sample, data: bytes) -> list[Panel]:
    pixels = picture.pixels
    top, left = most_detailed(pixels, CROP)

    def panel(shown: Bytes, caption: str, *, warns: bool = False) -> Panel:
        part = shown[top : top + CROP[0], left : left + CROP[1]]
        return Panel(part.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1), caption, warns)

    def coded(name: str, shown: Bytes, size: int) -> Panel:
        caption = f"{name}: {size:,} bytes, {psnr(pixels, shown):.2f} dB"
        return panel(shown, caption, warns=size > MUCH_LARGER * len(data))

    row = [panel(pixels, f"{picture.name}, original")]
    row.append(coded("gaussianimage", gaussianimage.decode(data), len(data)))
    for rival in RIVALS:
        if rival.key in COLUMNS and rival.available:
            file = encode_at_least(rival, pixels, len(data))
            row.append(coded(rival.name, decode(file), len(file)))
    return row


def most_detailed(pixels: Bytes, crop: tuple[int, int]) -> tuple[int, int]:
    """Return the top and left of the crop that holds the largest sum of gradients."""
    gray = pixels.astype(np.float64).mean(axis=2)
    slopes = np.abs(np.diff(gray, axis=0, append=gray[-1:]))
    slopes += np.abs(np.diff(gray, axis=1, append=gray[:, -1:]))
    sums = np.pad(slopes.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    height, width = (min(c, s) for c, s in zip(crop, gray.shape, strict=True))
    inside = (sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]) + sums[
        :-height, :-width
    ]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(top), int(left)
