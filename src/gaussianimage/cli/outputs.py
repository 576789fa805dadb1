"""What may be the name of an output."""

from pathlib import Path

import click
from PIL import Image

from gaussianimage.files import is_stream
from gaussianimage.picture.writer import extensions

__all__ = ["format_option", "refuse_pictures", "require_picture"]


def refuse_pictures(target: str) -> str | None:
    """Tell why a file can't hold Gaussians: it is, by its name, a picture.

    It is likely to be meant as a second input, and would be lost.
    """
    suffix = Path(target).suffix.lower()
    if is_stream(target) or suffix in ("", ".gimg", ".safetensors"):
        return None
    if suffix in Image.registered_extensions():
        return f"{suffix} is for pictures; for several inputs, name a folder with -o."
    return None


def require_picture(target: str) -> str | None:
    """Tell why a file can't hold a picture: nothing is known to be written by that name."""
    if is_stream(target):
        return None
    suffix = Path(target).suffix.lower()
    if suffix in extensions():
        return None
    given = f"no picture format has the extension {suffix}" if suffix else "it has no extension"
    return f"{given}; known are {' '.join(extensions())}"


def _suffix(ctx: click.Context, param: click.Parameter, value: str) -> str:
    suffix = f".{value.lower().removeprefix('.')}"
    if reason := require_picture(f"x{suffix}"):
        raise click.BadParameter(reason, ctx, param)
    return suffix


format_option = click.option(
    "--format",
    "suffix",
    default="png",
    metavar="EXT",
    callback=_suffix,
    help="Extension, and so format, of pictures in a folder or on stdout.  [default: png]",
)
