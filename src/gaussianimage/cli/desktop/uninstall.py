"""The command `desktop uninstall`: without the files that `desktop install` wrote."""

from pathlib import Path

import click

from gaussianimage.cli.command import subcommand
from gaussianimage.cli.desktop.entries import FILES
from gaussianimage.cli.desktop.place import folder_options, update_databases
from gaussianimage.cli.errors import printable

EXAMPLES = """
gaussianimage desktop uninstall
gaussianimage desktop uninstall --system --dry-run
"""


@subcommand("Remove these files.", EXAMPLES)
@folder_options
@click.option("--dry-run", is_flag=True, help="Print the names of the files, but remove nothing.")
def command(folder: Path, dry_run: bool) -> None:
    """Remove the files that `desktop install` writes, and no others.

    Their names are printed. update-mime-database and update-desktop-database are run if they are
    installed.
    """
    found = [path for path in (folder / name for name in FILES) if path.is_file()]
    if not found:
        click.echo(printable(f"gaussianimage: nothing is installed in {folder}"), err=True)
        return
    for path in found:
        if not dry_run:
            path.unlink()
        click.echo(printable(str(path)))
    if not dry_run:
        update_databases(folder)
