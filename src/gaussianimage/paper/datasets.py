"""The pictures of a run: the Kodak set, DIV2K at half size, or other pictures."""

import errno
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage._util.files import StrPath
from gaussianimage.errors import PictureError
from gaussianimage.picture import MAX_PIXELS, read

__all__ = ["EXTENSIONS", "Dataset", "Sample", "find_dataset", "pixels_digest"]

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})

# Names of the files and number of pictures of the paper's sets.
_NAMES = {"kodak": re.compile(r"kodim\d\d"), "div2k": re.compile(r"\d{4}x2")}
_SIZES = {"kodak": 24, "div2k": 100}
# Longer and, for Kodak, shorter side in pixels; a picture of another size is not of the set.
_SIDES = {"kodak": (768, 512), "div2k": (1020, None)}
# Folders of the pictures in DIV2K's archive of the validation set at half size.
_INNER = ("X2", "DIV2K_valid_LR_bicubic/X2")


@dataclass(frozen=True)
class Sample:
    """A picture by its path; its pixels are read on first use and then kept.

    Parameters
    ----------
    path : Path
    max_pixels : int
        Largest number of pixels to accept.
    """

    path: Path
    max_pixels: int = MAX_PIXELS

    @property
    def name(self) -> str:
        """The picture's name in tables: its file's name without the extension."""
        return self.path.stem

    @cached_property
    def pixels(self) -> NDArray[np.float32]:
        """RGB in 0..1, (H, W, 3), read-only; gray has three equal channels.

        Raises
        ------
        PictureError
            If the file is no picture, or has transparency, which the paper's models lack.
        LimitError, OSError
            In the same cases as `gaussianimage.picture.read`.
        """
        pixels = read(self.path, max_pixels=self.max_pixels).pixels
        if pixels.shape[2] in (2, 4):
            if pixels[..., -1].min() < 1:
                raise PictureError(f"{self.path}: it is transparent; the paper's models aren't")
            pixels = pixels[..., :-1]
        rgb = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
        rgb.flags.writeable = False
        return rgb

    @cached_property
    def digest(self) -> str:
        """A hash of the pixels: 16 hexadecimal digits."""
        return pixels_digest(self.pixels)


@dataclass(frozen=True)
class Dataset:
    """Pictures, and the name of the paper's set that they belong to.

    Parameters
    ----------
    name : str
        ``kodak``, ``div2k`` (its validation set at half size) or ``other``.
    samples : tuple of Sample
        The pictures, ordered by name; names are unique.
    """

    name: str
    samples: tuple[Sample, ...]

    @property
    def complete(self) -> bool:
        """Whether the dataset is complete, as one of the paper's sets."""
        return len(self.samples) == _SIZES.get(self.name)

    def name_for(self, sample: Sample) -> str:
        """Return the dataset's name, or ``other`` for a picture of another size than the set's.

        Raises
        ------
        PictureError, LimitError, OSError
            If the picture can't be read.
        """
        if self.name not in _SIDES:
            return self.name
        sides = sorted(sample.pixels.shape[:2], reverse=True)
        fits = all(e in (None, side) for e, side in zip(_SIDES[self.name], sides, strict=True))
        return self.name if fits else "other"


def pixels_digest(pixels: NDArray[Any]) -> str:
    """Return a hash of pixels of one type: 16 hexadecimal digits."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:16]


def find_dataset(
    paths: Sequence[StrPath], *, max_pixels: int = MAX_PIXELS, only: Sequence[str] = ()
) -> Dataset:
    """Find the pictures of folders.

    Parameters
    ----------
    paths : sequence of str or os.PathLike
        Paths of pictures or of folders of pictures. The folder ``DIV2K_valid_LR_bicubic`` of
        DIV2K's archive, or the folder that holds it, stands for its ``X2``. Subfolders, hidden
        files and files without a picture's extension are skipped.
    max_pixels : int
        Largest number of pixels of a picture.
    only : sequence of str
        Names of the pictures to use, without extensions; all by default.

    Returns
    -------
    Dataset
        Named by the files' names: ``kodim01`` … for Kodak, ``0801x2`` … for DIV2K.

    Raises
    ------
    OSError
        If a path doesn't exist or can't be read.
    PictureError
        If a folder has no pictures, two pictures have the same name, or a name in `only` is
        missing.
    """
    found = [path for given in paths for path in _pictures(Path(given))]
    by_name: dict[str, Path] = {}
    for path in found:
        other = by_name.setdefault(path.stem, path)
        if other.resolve() != path.resolve():
            raise PictureError(f"{path}: results go by name, and {other} has the same")
    missing = [name for name in only if name not in by_name]
    if missing:
        raise PictureError(f"{missing[0]}: no picture has this name; there are {_some(by_name)}")
    names = sorted(name for name in by_name if not only or name in only)
    if not names:
        raise PictureError("no pictures: no folder is given")
    kinds = (kind for kind, pattern in _NAMES.items() if all(map(pattern.fullmatch, names)))
    samples = tuple(Sample(by_name[name], max_pixels) for name in names)
    return Dataset(next(kinds, "other"), samples)


def _pictures(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    if not path.is_dir():
        return [path]
    inner = next((path / part for part in _INNER if (path / part).is_dir()), path)
    inside = sorted(inner.iterdir())
    found = [p for p in inside if _is_picture(p)]
    if found:
        return found
    folders = [p.name for p in inside if p.is_dir()]
    if folders:
        raise PictureError(f"{path}: no pictures in it, but folders: {_some(folders)}; name one")
    if inside:
        raise PictureError(f"{path}: no pictures in it, but other files: {_some(_names(inside))}")
    raise PictureError(f"{path}: the folder is empty")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and not path.is_dir()


def _names(paths: Sequence[Path]) -> list[str]:
    return [path.name for path in paths]


def _some(names: "Sequence[str] | dict[str, Path]") -> str:
    shown = ", ".join(sorted(names)[:3])
    return f"{shown}, …" if len(names) > 3 else shown
