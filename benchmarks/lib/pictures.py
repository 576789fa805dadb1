"""The pictures of a benchmark: every picture file of a folder, as 8-bit RGB."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gaussianimage.paper.datasets import EXTENSIONS, pixels_digest

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """A picture file. Every process reads the pixels by itself."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the picture in tables."""
        return self.path.stem

    @cached_property
    def pixels(self) -> Bytes:
        """The pixels, (H, W, 3), uint8."""
        with Image.open(self.path) as picture:
            return np.asarray(picture.convert("RGB"))

    @cached_property
    def digest(self) -> str:
        """Hash of the pixels."""
        return pixels_digest(self.pixels)


def find_pictures(folders: Sequence[Path]) -> list[Sample]:
    """Return the pictures of folders, sorted by name in each, and single picture files."""
    paths: list[Path] = []
    for folder in folders:
        if folder.is_dir():
            inside = (path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS)
            paths += sorted(inside)
        else:
            paths.append(folder)
    if not paths:
        raise SystemExit(f"no pictures in {', '.join(map(str, folders))}")
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise SystemExit(f"no such picture: {missing[0]}")
    names = [path.stem for path in paths]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SystemExit(f"two pictures of one name: {min(twice)}")
    return [Sample(path) for path in paths]


def middle(pixels: Bytes, crop: tuple[int, int]) -> Bytes:
    """Return a crop of a width and a height from the middle, or all of a smaller picture."""
    width, height = (min(pair) for pair in zip(crop, pixels.shape[1::-1], strict=True))
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
