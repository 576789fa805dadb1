"""The command line: `main`, and the group that imports a command only when it runs."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from gaussianimage._util.leaving import INTERRUPTED, leave_on_interrupt_again
from gaussianimage.cli.errors import our_warnings_alone, show
from gaussianimage.cli.lazy import LazyGroup

__all__ = ["cli", "main"]

# The list repeats the commands' summaries so that `gaussianimage --help` imports no command.
COMMANDS = {
    "encode": "Encode pictures as .gimg files.",
    "decode": "Decode .gimg files to pictures.",
    "batch": "Encode or decode any number of pictures, here or on a Ray cluster.",
    "thumbnail": "Draw a .gimg file as a small PNG file.",
    "view": "Show .gimg files in a browser.",
    "html": "Make a page of one file that shows a picture.",
    "fit": "Fit Gaussians to pictures, without quantizing them.",
    "render": "Draw Gaussians at any size, or as ellipses.",
    "tiles": "Write a .gimg file as a Deep Zoom Image.",
    "serve": "Show .gimg files of any size in a browser.",
    "info": "Tell what .gimg files hold.",
    "compare": "Measure how close two pictures are.",
    "bench": "Time decoding and encoding.",
    "desktop": "Make Linux file managers show .gimg files.",
    "paper": "Reproduce the GaussianImage paper (needs PyTorch).",
}

EPILOG = """\b
Examples:
  gaussianimage encode photo.png photo.gimg
  gaussianimage decode photo.gimg photo.png
  gaussianimage encode *.jpg -o small/ -q 75 -j 2
  gaussianimage render photo.gimg ellipses.png --ellipses

\b
Results go to stdout and messages to stderr; the file name - means stdin or
stdout. Exit codes:
  0    all is done
  1    an input failed; the others are done
  2    the command line is wrong; nothing is done
  130  interrupted by Ctrl-C: several inputs end where they are, one is finished
       with the best so far; a second Ctrl-C ends that too
"""


class CommandGroup(LazyGroup):
    """The group of all commands; it reports errors and ends the process."""

    def main(  # type: ignore[override]  # never standalone: errors are reported here
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run a command and end the process with its exit code."""
        extra.pop("standalone_mode", None)
        try:
            with our_warnings_alone(lambda line: click.echo(line, err=True)):
                code = super().main(args, prog_name, standalone_mode=False, **extra)
        except (click.ClickException, click.Abort) as error:
            sys.exit(show(error))
        sys.exit(code if isinstance(code, int) else 0)


@click.command(
    "gaussianimage",
    cls=CommandGroup,
    home=__name__,
    listed=COMMANDS,
    epilog=EPILOG,
)
@click.version_option(
    None, "-V", "--version", package_name="gaussianimage", prog_name="gaussianimage"
)
def cli() -> None:
    """Store pictures as sums of 2D Gaussians: small files that render at any size."""


def main() -> None:
    """Run the program `gaussianimage`."""
    try:
        cli.main(prog_name="gaussianimage")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            # The system frees the memory of an ended process faster than Python does.
            _close_stdout()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise
    finally:
        _close_stdout()
        leave_on_interrupt_again()


def _close_stdout() -> None:
    """Flush stdout now; at exit, Python would print an error if it could not write the rest."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
