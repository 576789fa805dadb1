"""The command `desktop install`: the files that file managers read."""

from pathlib import Path

import click

from gaussianimage._util.files import write_atomic
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.desktop.entries import desktop_files
from gaussianimage.cli.desktop.place import find_program, folder_options, update_databases
from gaussianimage.cli.errors import printable

EXAMPLES = """
gaussianimage desktop install
gaussianimage desktop install --system --dry-run
gaussianimage desktop install --prefix build/usr
"""


@subcommand("Write the files that file managers read.", EXAMPLES)
@folder_options
@click.option("--dry-run", is_flag=True, help="Print the names of the files, but write nothing.")
def command(folder: Path, dry_run: bool) -> None:
    """Write the files by which file managers know, preview and open .gimg files.

    These are a file type for shared-mime-info, a thumbnailer that runs `gaussianimage thumbnail`,
    and an application that runs `gaussianimage desktop view`. Their names are printed.
    update-mime-database and update-desktop-database are run if they are installed.
    """
    program = find_program()
    for name, content in desktop_files(program).items():
        path = folder / name
        if not dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, content)
        click.echo(printable(str(path)))
    if not dry_run:
        update_databases(folder)
    if not Path(program[0]).is_relative_to("/usr"):
        click.echo(
            printable(
                f"gaussianimage: {program[0]} is not in /usr, so GNOME's file manager, which runs "
                "thumbnailers in a sandbox, shows no thumbnails"
            ),
            err=True,
        )
