"""Which output belongs to which input."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gaussianimage.cli.errors import printable
from gaussianimage.files import is_stream, is_terminal

__all__ = ["Item", "check_names", "check_output", "identity", "plan"]


@dataclass(frozen=True)
class Item:
    """One input and its output; ``-`` is stdin or stdout."""

    source: str
    target: str
    in_folder: bool = False  # which is made if it isn't there

    @property
    def name(self) -> str:
        """The input, for messages."""
        return "stdin" if is_stream(self.source) else printable(self.source)

    @property
    def target_name(self) -> str:
        """The output, for messages."""
        return "stdout" if is_stream(self.target) else printable(self.target)


def plan(
    files: Sequence[str],
    output: str | None,
    *,
    suffix: str,
    refuse: Callable[[str], str | None],
) -> list[Item]:
    """Pair inputs and outputs as `cp` does.

    Parameters
    ----------
    files : sequence of str
        INPUT OUTPUT, or INPUT... FOLDER; with `output`, all are inputs.
    output : str, optional
        File or folder given with -o. A folder exists or ends in ``/`` or is for several inputs.
    suffix : str
        Of the names of outputs in a folder, such as ``.png``.
    refuse : callable
        Given the name of an output file, returns why it can't be one, or None.

    Returns
    -------
    list of Item

    Raises
    ------
    UsageError
        If a name is empty, the files can't be paired, or an output would replace an input or
        another output.
    """
    if not files:
        raise click.UsageError("no input is given.")
    inputs = list(files)
    if output is None:
        if len(inputs) == 1:
            raise click.UsageError("no output is given: name it after the input, or with -o.")
        output = inputs.pop()
        if len(inputs) > 1 and not _is_folder(output):
            raise click.UsageError("several inputs need a folder for their outputs: -o FOLDER.")
    check_names(*inputs, output)
    if len(inputs) == 1 and not _is_folder(output):
        if reason := refuse(output):
            raise click.UsageError(f"{printable(output)}: {reason}")
        items = [Item(inputs[0], output)]
    else:
        if is_stream(output) or (Path(output).exists() and not Path(output).is_dir()):
            raise click.UsageError(f"{output}: several inputs need a folder, and this is none.")
        stems = ["stdin" if is_stream(source) else Path(source).stem for source in inputs]
        targets = [os.path.join(output, stem + suffix) for stem in stems]  # noqa: PTH118
        items = [Item(*pair, True) for pair in zip(inputs, targets, strict=True)]
    _check_clashes(items)
    if is_stream(output) and is_terminal(sys.stdout):
        raise click.UsageError("stdout is a terminal: redirect it, or name an output file.")
    return items


def check_names(*names: str) -> None:
    """Refuse empty names: a shell's variable that is not set, to Path the working folder.

    Raises
    ------
    UsageError
        One of the names is empty.
    """
    if not all(names):
        raise click.UsageError("a file's name is empty.")


def check_output(target: str, *, overwrite: bool) -> None:
    """Fail now, and not after a long computation, if an output can't be written.

    Raises
    ------
    OSError
        The file may not be replaced, or its folder isn't there and can't be written to.
    """
    if is_stream(target):
        return
    path = Path(target)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", target)
    if path.exists():
        if not overwrite:
            raise FileExistsError(errno.EEXIST, "exists already (--no-overwrite)", target)
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "is write-protected", target)
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "its folder does not exist", target)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, "its folder is write-protected", target)


def identity(path: str) -> str:
    """Return what two names of one file have in common."""
    return os.path.normcase(Path(path).resolve())


def _is_folder(path: str) -> bool:
    return path.endswith(("/", os.sep)) or Path(path).is_dir()


def _check_clashes(items: list[Item]) -> None:
    sources = {identity(item.source) for item in items if not is_stream(item.source)}
    taken: dict[str, Item] = {}
    for item in items:
        if is_stream(item.target):
            continue
        key = identity(item.target)
        if key in sources:
            raise click.UsageError(f"{item.target_name}: the output would replace an input.")
        if key in taken:
            raise click.UsageError(
                f"{taken[key].name} and {item.name} would both become {item.target_name}."
            )
        taken[key] = item
