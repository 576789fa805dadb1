"""The command `tiles`: writes a .gimg file as a Deep Zoom Image."""

from pathlib import Path

import click

from gaussianimage import Limits, _native
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import FILE, partial_option
from gaussianimage.cli.paths import check_names
from gaussianimage.cli.report import plural
from gaussianimage.cli.sources import limit_options, naming_source
from gaussianimage.cli.tile_images import tile_image_options
from gaussianimage.deepzoom.picture_tiles import PictureTiles
from gaussianimage.deepzoom.pyramid import OVERLAP, TILE
from gaussianimage.deepzoom.static import write_dzi

EXAMPLES = """
gaussianimage tiles big.gimg big.dzi
gaussianimage tiles big.gimg site/big.dzi --format webp -q 80
"""


@subcommand("Write a .gimg file as a Deep Zoom Image.", EXAMPLES)
@click.argument("source", metavar="INPUT", type=FILE)
@click.argument("target", metavar="OUTPUT", type=FILE)
@tile_image_options
@click.option(
    "--tile",
    type=click.IntRange(16, 8192),
    default=TILE,
    metavar="N",
    help=f"Pixels of a tile a side, without the overlap.  [default: {TILE}]",
)
@click.option(
    "--overlap",
    type=click.IntRange(0, 8),
    default=OVERLAP,
    metavar="N",
    help=f"Pixels by which tiles reach into their neighbors.  [default: {OVERLAP}]",
)
@click.option("--overwrite", is_flag=True, help="Replace tiles that are there.")
@click.option(
    "-t",
    "--threads",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Number of threads.  [default: the number of CPUs]",
)
@partial_option
@limit_options
def command(
    source: str,
    target: str,
    extension: str,
    quality: int | None,
    tile: int,
    overlap: int,
    overwrite: bool,
    threads: int | None,
    partial: bool,
    limits: Limits,
) -> None:
    """Write a .gimg file as a Deep Zoom Image, for OpenSeadragon and other viewers.

    OUTPUT is the .dzi file; for a.dzi, the tiles go to the folder a_files beside it. Any web server
    can serve both. `gaussianimage serve` draws tiles only when they are asked for.
    """
    check_names(source, target)
    if Path(target).suffix.lower() != ".dzi":
        raise click.UsageError(f"OUTPUT {target} must end in .dzi.")
    with naming_source(source):
        tiles = PictureTiles(
            source,
            extension=extension,
            quality=quality,
            tile=tile,
            overlap=overlap,
            threads=threads,
            limits=limits,
            partial=partial,
        )
        try:
            count = write_dzi(tiles, target, threads=threads or _native.cpus(), overwrite=overwrite)
        except FileExistsError as error:
            raise click.ClickException(f"{error}; --overwrite replaces it") from error
    click.echo(f"{plural(count, 'tile')} in {plural(tiles.pyramid.levels, 'level')}", err=True)
