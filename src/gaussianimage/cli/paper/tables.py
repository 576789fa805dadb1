"""The command `paper tables`: the tables of a folder of results."""

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
@click.option("--quiet", is_flag=True, help="Write tables.md and the figures without printing.")
def command(files: str, quiet: bool) -> None:
    """Print tables of a folder of results, with the paper's numbers beside the measured ones.

    FOLDER is the -o of `represent` or `compress`. The tables are also written to its tables.md, and
    the rate-distortion figure to a PNG in it if matplotlib is installed. This needs no PyTorch.
    """
    from gaussianimage.cli.paper.run import show_tables
    from gaussianimage.paper.results import Results

    check_names(files)
    show_tables(Results(files), quiet=quiet)
