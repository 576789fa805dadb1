"""The command `serve`: a web server that draws tiles of .gimg files when they are asked for."""

from pathlib import Path

import click

from gaussianimage import Limits
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import files_argument, partial_option
from gaussianimage.cli.paths import files_in
from gaussianimage.cli.sources import GIMG, limit_options, naming_source
from gaussianimage.cli.tile_images import tile_image_options
from gaussianimage.deepzoom.picture_tiles import PictureTiles
from gaussianimage.deepzoom.server import TileServer, names_of

EXAMPLES = """
gaussianimage serve big.gimg
gaussianimage serve slides/ --port 8080 --format webp
"""


@subcommand("Show .gimg files of any size in a browser.", EXAMPLES)
@files_argument("FILE...")
@click.option("--host", default="127.0.0.1", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    metavar="N",
    help="Port to listen on; 0 is any free one.  [default: 8000]",
)
@tile_image_options
@partial_option
@limit_options
def command(
    files: tuple[str, ...],
    host: str,
    port: int,
    extension: str,
    quality: int | None,
    partial: bool,
    limits: Limits,
) -> None:
    """Show .gimg files of any size in a browser, at the address that is printed.

    FILE is a .gimg file, or a folder of them. NAME.dzi is a tile source for OpenSeadragon, and
    NAME.gimg the file itself, of which decoders elsewhere read only the parts that they need. The
    server is for a person or a team: it has no encryption and no passwords. Ctrl-C ends it.
    """
    pictures = {}
    for name, path in names_of(_paths(files)).items():
        with naming_source(str(path)):
            pictures[name] = PictureTiles(
                path, extension=extension, quality=quality, limits=limits, partial=partial
            )
    with TileServer((host, port), pictures) as server:
        click.echo(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("stopped", err=True)


def _paths(files: tuple[str, ...]) -> list[Path]:
    return [
        Path(item)
        for name in files
        for item in (files_in(name, GIMG) if Path(name).is_dir() else [name])
    ]
