"""The options for the pictures of tiles, which `serve` and `tiles` share."""

import click

from gaussianimage.cli.options import Function
from gaussianimage.deepzoom.picture_tiles import MEDIA_TYPES

__all__ = ["tile_image_options"]


def tile_image_options(function: Function) -> Function:
    """Add --format and --quality; the function gets them as `extension` and `quality`."""
    function = click.option(
        "-q",
        "--quality",
        type=click.IntRange(1, 100),
        metavar="Q",
        help="Quality of JPEG and WebP tiles, 1 to 100.  [default: 95]",
    )(function)
    return click.option(
        "--format",
        "extension",
        type=click.Choice(list(MEDIA_TYPES)),
        default="jpg",
        help="Format of the tiles.  [default: jpg]",
    )(function)
