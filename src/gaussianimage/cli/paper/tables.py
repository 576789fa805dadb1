"""The command `paper tables`: what a folder of results comes to."""

import click

from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import FILE
from gaussianimage.cli.paths import check_names

EXAMPLES = """
gaussianimage paper tables out/
gaussianimage paper tables out/ > tables.md
"""


@subcommand("Print the tables of results.", EXAMPLES)
@click.argument("files", nargs=1, metavar="FOLDER", type=FILE)
@click.option("--quiet", is_flag=True, help="Only write tables.md and the figures.")
def command(files: str, quiet: bool) -> None:
    """Print the paper's tables of a folder of results, its figures beside the measured ones.

    FOLDER is the -o of `represent` or `compress`. The tables also go to its tables.md, and the
    rate-distortion figure to a PNG there if matplotlib is installed. Needs no PyTorch.
    """
    from gaussianimage.cli.paper.run import show_tables
    from gaussianimage.paper.results import Results

    check_names(files)
    show_tables(Results(files), quiet=quiet)
