"""The option --reference of the commands that make pages: a picture to compare with."""

import io
from pathlib import Path

import click

from gaussianimage import Limits, picture
from gaussianimage._util.files import read_input
from gaussianimage.cli.options import FILE
from gaussianimage.cli.sources import read_picture

__all__ = ["read_for_browser", "reference_option"]

# Formats that every browser of these years shows.
_SHOWN = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".svg"})

reference_option = click.option(
    "--reference",
    type=FILE,
    metavar="PICTURE",
    help="Picture to compare with, by a slider and as a difference.",
)


def read_for_browser(source: str, limits: Limits) -> tuple[str, bytes]:
    """Return the name and the bytes of a picture in a format that browsers show.

    A picture in another format becomes a PNG file.
    """
    path = Path(source)
    if path.suffix.lower() in _SHOWN:
        return path.name, read_input(source)
    converted = io.BytesIO()
    picture.write(converted, read_picture(source, limits), format=".png")
    return f"{path.name}.png", converted.getvalue()
