"""The command `view`: .gimg files in a browser, on this machine."""

import webbrowser
from collections.abc import Callable
from pathlib import Path

import click

from gaussianimage import FormatError, Limits
from gaussianimage._util.files import is_stream, read_input
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import FILE
from gaussianimage.cli.reference import read_for_browser, reference_option
from gaussianimage.cli.sources import is_gimg, limit_options, naming_source
from gaussianimage.codec.format.container import SIGNATURE

EXAMPLES = """
gaussianimage view photo.gimg
gaussianimage view photo.gimg --reference photo.png
gaussianimage view *.gimg --no-browser --port 8000
"""


@subcommand("Show .gimg files in a browser.", EXAMPLES)
@click.argument("files", nargs=-1, metavar="[FILE]...", type=FILE)
@reference_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port of the page's address.  [default: a free one]",
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@limit_options
def command(
    files: tuple[str, ...], reference: str | None, port: int, no_browser: bool, limits: Limits
) -> None:
    """Show .gimg files in a browser: zoom without end, layers, ellipses, and a comparison.

    The page is at an address of this machine (127.0.0.1) that no other machine reaches, until
    Ctrl-C ends the command. Only the given files can be read there. Files may also be dropped on
    the page.
    """
    from gaussianimage.web.server import ViewerServer  # takes long to import

    served = [(source, _checked(source)) for source in files]
    beside = None
    if reference is not None:
        name, picture = read_for_browser(reference, limits)
        beside = (name, lambda: picture)
    with ViewerServer(served, beside, port) as server:
        click.echo(server.url)
        click.echo("Ctrl-C ends it.", err=True)
        if not no_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo(err=True)


def _checked(source: str) -> Path | Callable[[], bytes]:
    """Return a file's path, or a function that returns what was read of stdin.

    The file is checked to be a .gimg file now; a tiled one may be too large to be read whole.
    """
    if is_stream(source):
        data = read_input(source)
    else:
        with naming_source(source), Path(source).open("rb") as file:
            data = file.read(len(SIGNATURE))
    if not is_gimg(data):
        with naming_source(source):
            raise FormatError("this is not a .gimg file", 0)
    return (lambda: data) if is_stream(source) else Path(source)
