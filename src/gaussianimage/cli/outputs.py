"""Which names an output may have, and the format that follows from a name."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from PIL import Image

from gaussianimage._util.files import is_stream
from gaussianimage.cli.options import Function, packed
from gaussianimage.cli.paths import Item
from gaussianimage.picture.writer import extensions, takes_quality

__all__ = ["PictureFormat", "picture_format_options", "refuse_pictures", "require_picture"]

_OF_PIPES = ".png"  # and of folders, where nothing is said


def refuse_pictures(target: str) -> str | None:
    """Return why an output cannot hold Gaussians: its name is that of a picture; else None.

    It is likely to be meant as a second input, and would be lost.
    """
    suffix = Path(target).suffix.lower()
    if is_stream(target) or suffix in ("", ".gimg", ".safetensors"):
        return None
    if suffix in Image.registered_extensions():
        return f"{suffix} is for pictures; for several inputs, name a folder with -o."
    return None


def require_picture(target: str) -> str | None:
    """Return why an output cannot hold a picture, its extension being unknown; else None."""
    if _is_pipe(target):
        return None
    suffix = Path(target).suffix.lower()
    if suffix in extensions():
        return None
    given = f"no picture format has the extension {suffix}" if suffix else "it has no extension"
    return f"{given}; known are {' '.join(extensions())}"


def _is_pipe(target: str) -> bool:
    """Whether an output is stdout, or a pipe or device, whose name says nothing."""
    if is_stream(target):
        return True
    path = Path(target)
    if path.suffix.lower() in extensions():
        return False
    # A redirected /dev/stdout is a regular file of another name.
    return path.exists() and (
        not (path.is_file() or path.is_dir()) or target.startswith((f"{os.sep}dev", "/proc/"))
    )


@dataclass(frozen=True)
class PictureFormat:
    """The format and quality of the pictures that a command writes.

    Parameters
    ----------
    given : str or None
        An extension such as ``.png``, for every output; by default the name of each says it.
    quality : int or None
        1 to 100, of a format that has qualities.
    """

    given: str | None
    quality: int | None

    @property
    def suffix(self) -> str:
        """The extension of the outputs in a folder."""
        return self.given or _OF_PIPES

    def refuse(self, target: str) -> str | None:
        """Return why a file cannot be an output, or None if it can."""
        return require_picture(target) if self.given is None else None

    def check(self, items: Sequence[Item]) -> None:
        """Fail before the work if --quality is given for an output whose format has none.

        Raises
        ------
        UsageError
            There is one.
        """
        for item in items:
            if self.quality is not None and not takes_quality(item.target, self._of(item.target)):
                raise click.UsageError(
                    f"{item.target_name}: --quality is for JPEG, WebP and AVIF files."
                )

    def options(self, target: str) -> dict[str, Any]:
        """Return arguments of `gaussianimage.write` for an output."""
        options: dict[str, Any] = {"format": self._of(target)}
        if self.quality is not None:
            options["quality"] = self.quality
        return options

    def _of(self, target: str) -> str | None:
        return self.given or (_OF_PIPES if _is_pipe(target) else None)


def _suffix(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    suffix = f".{value.lower().removeprefix('.')}"
    if reason := require_picture(f"x{suffix}"):
        raise click.BadParameter(reason, ctx, param)
    return suffix


def picture_format_options(function: Function) -> Function:
    """Add --format and --quality; the function gets them as `picture_format`."""
    return packed(
        function,
        "picture_format",
        PictureFormat,
        click.option(
            "--format",
            "given",
            metavar="EXT",
            callback=_suffix,
            help="Extension, and so format, of every output, whatever it is called.  [default: as "
            "its name says; png in a folder and on stdout]",
        ),
        click.option(
            "-q",
            "--quality",
            type=click.IntRange(1, 100),
            metavar="Q",
            help="Of JPEG, WebP and AVIF files, 1 to 100.  [default: 95, 95 and 90]",
        ),
    )
