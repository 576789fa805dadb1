"""Where the files of `desktop` are, and the programs that index them."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import click

from gaussianimage.cli.errors import printable
from gaussianimage.cli.options import Function, packed
from gaussianimage.cli.paths import check_names

__all__ = ["find_program", "folder_options", "update_databases"]

SYSTEM_FOLDER = Path("/usr/local/share")

# Each indexes a folder of the data folder.
_INDEXERS = {"update-mime-database": "mime", "update-desktop-database": "applications"}
_SECONDS = 120


def folder_options(function: Function) -> Function:
    """Add --user, --system and --prefix; the function gets the data folder as `folder`."""
    return packed(
        function,
        "folder",
        _folder,
        click.option(
            "--user",
            is_flag=True,
            help="For this user: in $XDG_DATA_HOME, or ~/.local/share.  [default]",
        ),
        click.option("--system", is_flag=True, help=f"For all users: in {SYSTEM_FOLDER}."),
        click.option(
            "--prefix",
            type=click.Path(file_okay=False),
            metavar="DIR",
            help="In DIR/share, for instance of a package that is being built.",
        ),
    )


def _folder(*, user: bool, system: bool, prefix: str | None) -> Path:
    if user + system + (prefix is not None) > 1:
        raise click.UsageError("--user, --system and --prefix exclude each other.")
    if prefix is not None:
        check_names(prefix)
        return Path(prefix).absolute() / "share"
    if system:
        return SYSTEM_FOLDER
    given = os.environ.get("XDG_DATA_HOME", "")
    # The specification has relative paths ignored.
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local/share"


def find_program() -> list[str]:
    """Return the words that start this program from any folder, the first an absolute path."""
    name = "gaussianimage"
    started = Path(sys.argv[0])
    for path in (started, Path(sysconfig.get_path("scripts")) / name):
        if path.name == name and (found := shutil.which(path)):
            return [os.path.abspath(found)]  # noqa: PTH100 - a link may outlive what it points to
    return [sys.executable, "-m", name]


def update_databases(folder: Path) -> None:
    """Have file types and applications indexed; say on stderr which program isn't there.

    Raises
    ------
    ClickException
        A program fails.
    """
    for name, part in _INDEXERS.items():
        if not (folder / part).is_dir():
            continue
        program = shutil.which(name)
        if program is None:
            click.echo(f"gaussianimage: {name} is not installed, so it was not run", err=True)
            continue
        try:
            done = subprocess.run(
                [program, str(folder / part)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise click.ClickException(f"{name} did not end within {_SECONDS} s") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"exit code {done.returncode}"
            raise click.ClickException(printable(f"{name} failed: {reason}"))
