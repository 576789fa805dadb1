"""The command `desktop view`: a .gimg file in the desktop's picture viewer."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from gaussianimage import decode_picture, picture
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import FILE
from gaussianimage.cli.sources import naming_source

EXAMPLES = """
gaussianimage desktop view photo.gimg
"""

_OPENER = "xdg-open"


@subcommand("Show a .gimg file in the picture viewer.", EXAMPLES)
@click.argument("source", metavar="FILE", type=FILE)
def command(source: str) -> None:
    """Show a .gimg file in the desktop's viewer of PNG files.

    The viewer gets a decoded copy in a folder of its own in the folder for temporary files. The
    copy stays there, as the viewer may read it at any time.
    """
    opener = shutil.which(_OPENER)
    if opener is None:
        raise click.ClickException(f"{_OPENER} is not installed; decode the file instead")
    with naming_source(source):
        decoded = decode_picture(Path(source))
    folder = Path(tempfile.mkdtemp(prefix="gaussianimage-"))
    copy = folder / f"{Path(source).stem}.png"
    try:
        picture.write(copy, decoded)
        code = subprocess.run([opener, str(copy)], check=False).returncode
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if code:
        shutil.rmtree(folder, ignore_errors=True)
        raise click.ClickException(f"{_OPENER} found no viewer of PNG files (exit code {code})")
