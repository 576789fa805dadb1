"""The command `thumbnail`: a small PNG file of one .gimg file, as file managers ask for it."""

import sys

import click
import numpy as np

from gaussianimage import Limits, picture, thumbnail
from gaussianimage._util.arguments import MAX_PICTURE_SIDE
from gaussianimage._util.files import is_stream, is_terminal
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.errors import describe
from gaussianimage.cli.options import FILE, partial_option
from gaussianimage.cli.paths import check_names, check_output, identity
from gaussianimage.cli.sources import limit_options, naming_partial, naming_source
from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.decoder.source import opening

EXAMPLES = """
gaussianimage thumbnail photo.gimg photo.png
gaussianimage thumbnail photo.gimg photo.png --size 96
gaussianimage thumbnail - - < photo.gimg > photo.png
"""


@subcommand("Draw a .gimg file as a small PNG file.", EXAMPLES)
@click.argument("source", metavar="INPUT", type=FILE)
@click.argument("target", metavar="OUTPUT", type=FILE)
@click.option(
    "--size",
    type=click.IntRange(1, MAX_PICTURE_SIDE),
    default=256,
    metavar="N",
    help="Most pixels a side.  [default: 256]",
)
@partial_option
@limit_options
def command(source: str, target: str, size: int, partial: bool, limits: Limits) -> None:
    """Draw a .gimg file as a small PNG file, from no more layers than it needs.

    OUTPUT is a PNG file whatever its name is. It has 8 bits a sample and the ICC profile of INPUT,
    but no EXIF and no XMP. A picture that is smaller than N is not enlarged. - stands for stdin or
    stdout. `decode --thumbnail` draws many files, in other formats, with their metadata.
    """
    check_names(source, target)
    if is_stream(target):
        if is_terminal(sys.stdout):
            raise click.UsageError("stdout is a terminal: redirect it, or name an output file.")
    elif not is_stream(source) and identity(source) == identity(target):
        raise click.UsageError("OUTPUT is INPUT.")
    check_output(target, overwrite=True)
    with opening(source) as (data, _), naming_source(source):
        with naming_partial(data, limits):
            file = parse_file(data, limits=limits, partial=partial)
        pixels = thumbnail(data, size, dtype=np.uint8, partial=partial, limits=limits)
    picture.write(target, pixels, format=".png", icc=file.metadata.icc)
    if file.damage is not None:
        told = describe(file.damage, source)
        click.echo(f"gaussianimage: {told}; drawn in part", err=True)
