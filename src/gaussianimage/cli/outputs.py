"""The names that an output may have, and the format that follows from a name."""

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

_OF_PIPES = ".png"  # The default extension, for folders too.


def refuse_pictures(target: str) -> str | None:
    """Return an error message if an output for Gaussians has a picture's name, or None.

    The user probably meant such a file as a second input, and writing would destroy it.
    """
    suffix = Path(target).suffix.lower()
    if is_stream(target) or suffix in ("", ".gimg", ".safetensors"):
        return None
    if suffix in Image.registered_extensions():
        return f"{suffix} is for pictures; for several inputs, name a folder with -o."
    return None


def require_picture(target: str) -> str | None:
    """Return an error message if no picture format has an output's extension, or None."""
    if _is_pipe(target):
        return None
    suffix = Path(target).suffix.lower()
    if suffix in extensions():
        return None
    given = f"no picture format has the extension {suffix}" if suffix else "it has no extension"
    return f"{given}; known are {' '.join(extensions())}"


def _is_pipe(target: str) -> bool:
    """Whether an output is stdout, a pipe or a device, whose name does not tell a format."""
    if is_stream(target):
        return True
    path = Path(target)
    if path.suffix.lower() in extensions():
        return False
    # A redirected /dev/stdout is a regular file under a device's name.
    return path.exists() and (
        not (path.is_file() or path.is_dir()) or target.startswith((f"{os.sep}dev", "/proc/"))
    )


@dataclass(frozen=True)
class PictureFormat:
    """The format and quality of the pictures that a command writes.

    Parameters
    ----------
    given : str or None
        An extension such as ``.png`` that sets the format of every output; None uses the extension
        of each output's name.
    quality : int or None
        Quality from 1 to 100, for JPEG, WebP and AVIF.
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
            If an output's format has no quality.
        """
        for item in items:
            if self.quality is not None and not takes_quality(item.target, self._of(item.target)):
                raise click.UsageError(
                    f"{item.target_name}: --quality is for JPEG, WebP and AVIF files."
                )

    def options(self, target: str) -> dict[str, Any]:
        """Return the keyword arguments of `gaussianimage.write` for an output."""
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
            help="Extension that sets the format of every output.  [default: the extension of its "
            "name; png in a folder and on stdout]",
        ),
        click.option(
            "-q",
            "--quality",
            type=click.IntRange(1, 100),
            metavar="Q",
            help="Quality of JPEG, WebP and AVIF files, 1 to 100.  [default: 95, 95 and 90]",
        ),
    )
