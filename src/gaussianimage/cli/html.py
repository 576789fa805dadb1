"""The command `html`: a page of a single file that shows a .gimg file."""

from pathlib import Path

import click

from gaussianimage import Limits
from gaussianimage._util.files import is_stream, read_input, write_output
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import FILE
from gaussianimage.cli.paths import check_names, check_output, identity
from gaussianimage.cli.reference import read_for_browser, reference_option
from gaussianimage.cli.sources import limit_options, naming_source
from gaussianimage.web.page import Photo, PictureFile, picture_page, viewer_page

EXAMPLES = """
gaussianimage html photo.gimg photo.html
gaussianimage html photo.gimg photo.html --title Parrots
gaussianimage html photo.gimg viewer.html --viewer --reference photo.png
"""


@subcommand("Make a page of one file that shows a picture.", EXAMPLES)
@click.argument("source", metavar="INPUT", type=FILE)
@click.argument("target", metavar="OUTPUT", type=FILE)
@click.option("--title", metavar="TEXT", help="Title of the page.  [default: the file's name]")
@click.option("--alt", default="", metavar="TEXT", help="Description of what the picture shows.")
@click.option("--viewer", is_flag=True, help="Make the page the viewer, as `view` shows it.")
@reference_option
@limit_options
def command(
    source: str,
    target: str,
    title: str | None,
    alt: str,
    viewer: bool,
    reference: str | None,
    limits: Limits,
) -> None:
    """Make an HTML page that holds a .gimg file with all that draws it.

    The page needs no network and no other file. It zooms without end. INPUT - is stdin, OUTPUT - is
    stdout.
    """
    check_names(source, target)
    if not is_stream(target) and identity(target) in (identity(source), identity(reference or "-")):
        raise click.UsageError("OUTPUT is an input.")
    if reference is not None and not viewer:
        raise click.UsageError("--reference is for --viewer.")
    check_output(target, overwrite=True)
    name = "picture.gimg" if is_stream(source) else Path(source).name
    file = PictureFile(name, read_input(source), alt)
    beside = None if reference is None else Photo(*read_for_browser(reference, limits))
    with naming_source(source):
        page = viewer_page([file], beside) if viewer else picture_page(file, title=title)
    write_output(target, page.encode())
