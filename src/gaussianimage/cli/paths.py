"""Pairing inputs with outputs, and checks of their names."""

import errno
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from gaussianimage._util.files import is_stream, is_terminal
from gaussianimage.cli.errors import printable

__all__ = ["Item", "check_names", "check_output", "files_in", "identity", "plan", "refuse_folder"]


@dataclass(frozen=True)
class Item:
    """One input and its output; ``-`` is stdin or stdout."""

    source: str
    target: str
    in_folder: bool = False  # The folder is made if it does not exist.
    whole_name: bool = False  # The target's name includes the source's extension.

    @property
    def name(self) -> str:
        """The name of the input, for messages."""
        return "stdin" if is_stream(self.source) else printable(self.source)

    @property
    def target_name(self) -> str:
        """The name of the output, for messages."""
        return "stdout" if is_stream(self.target) else printable(self.target)


def plan(
    files: Sequence[str],
    output: str | None,
    *,
    suffix: str,
    refuse: Callable[[str], str | None],
    recursive: bool = False,
    extensions: Callable[[], Collection[str]] = frozenset,
) -> list[Item]:
    """Pair inputs and outputs.

    An output is a folder if it exists as one, or if its name ends in ``/`` or has no extension.
    Every other output is a file.

    Parameters
    ----------
    files : sequence of str
        INPUT OUTPUT, or INPUT... FOLDER. If `output` is given, all files are inputs.
    output : str, optional
        File or folder given with -o.
    suffix : str
        Extension of the outputs in a folder, such as ``.png``. The suffix replaces the input's
        extension, or follows it if two inputs differ only in their extensions.
    refuse : callable
        Called with the name of an output file; returns an error message, or None for a valid name.
    recursive : bool
        Take the files in folders and their subfolders. Outputs go to subfolders of the same names.
    extensions : callable
        Returns the extensions, in lower case, of the files to take from a folder.

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
    check_names(*inputs, output)
    several = len(inputs) > 1 or (recursive and _is_folder(inputs[0]))
    if _names_folder(output):
        items = [
            Item(source, os.path.join(output, folder, _stem(source) + suffix), True)  # noqa: PTH118
            for given in inputs
            for source, folder in _found(given, extensions, recursive=recursive)
        ]
        items = _distinct(items, suffix)
    elif several:
        raise click.UsageError(f"{printable(output)}: {_why_no_folder(output)}")
    else:
        if reason := refuse(output):
            raise click.UsageError(f"{printable(output)}: {reason}")
        items = [Item(inputs[0], output)]
    _check_clashes(items)
    if is_stream(output) and is_terminal(sys.stdout):
        raise click.UsageError("stdout is a terminal: redirect it, or name an output file.")
    return items


def files_in(folder: str, extensions: Collection[str]) -> list[str]:
    """Return the sorted paths of the files in a folder and its subfolders, without hidden ones.

    Parameters
    ----------
    folder : str
    extensions : collection of str
        Extensions of the files to take, in lower case.

    Raises
    ------
    UsageError
        If no file has one of the extensions.
    OSError
        If a folder can't be read.
    """

    def fail(error: OSError) -> None:
        raise error

    found: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.extend(
            os.path.join(parent, name)  # noqa: PTH118
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in extensions
        )
    if not found:
        listed = f" {next(iter(extensions))}" if len(extensions) == 1 else ""
        raise click.UsageError(f"{printable(folder)}: no{listed} files to take from this folder.")
    return found


def check_names(*names: str) -> None:
    """Refuse empty names, as of an unset shell variable; `Path` would read the working folder.

    Raises
    ------
    UsageError
        If a name is empty.
    """
    if not all(names):
        raise click.UsageError("a file's name is empty.")


def check_output(target: str, *, overwrite: bool) -> None:
    """Fail before a long computation if an output cannot be written.

    Raises
    ------
    OSError
        If the file may not be replaced, or its folder does not exist or is write-protected.
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


def refuse_folder(source: str) -> None:
    """Fail if a source is a folder, for a command that takes folders only with -r.

    Raises
    ------
    IsADirectoryError
        If the source is a folder.
    """
    if _is_folder(source):
        told = "Is a directory (-r takes the files in it)"
        raise IsADirectoryError(errno.EISDIR, told, source)


def identity(path: str) -> str:
    """Return a name that is the same for all names of one file."""
    return os.path.normcase(Path(path).resolve())


def _is_folder(path: str) -> bool:
    return not is_stream(path) and Path(path).is_dir()


def _names_folder(output: str) -> bool:
    """Whether an output is a folder. An existing file or folder decides, or else the name."""
    path = Path(output)
    if is_stream(output) or (path.exists() and not path.is_dir()):
        return False
    return output.endswith(("/", os.sep)) or path.is_dir() or not path.suffix


def _why_no_folder(output: str) -> str:
    if is_stream(output) or Path(output).exists():
        return "several inputs need a folder, and this is not one."
    return f"several inputs need a folder; name one with -o, such as {printable(output)}/."


def _stem(source: str) -> str:
    return "stdin" if is_stream(source) else Path(source).stem


def _found(
    given: str, extensions: Callable[[], Collection[str]], *, recursive: bool
) -> list[tuple[str, str]]:
    """Return the inputs of one argument, each with its folder relative to the argument."""
    if not (recursive and _is_folder(given)):
        return [(given, "")]
    sources = files_in(given, extensions())
    folders = [os.path.relpath(Path(source).parent, given) for source in sources]
    return [
        (source, "" if folder == os.curdir else folder)
        for source, folder in zip(sources, folders, strict=True)
    ]


def _distinct(items: list[Item], suffix: str) -> list[Item]:
    """Rename outputs that share one name after the whole names of their inputs."""
    names = Counter(identity(item.target) for item in items)
    return [
        replace(
            item,
            target=os.fspath(Path(item.target).with_name(Path(item.source).name + suffix)),
            whole_name=True,
        )
        if names[identity(item.target)] > 1 and not is_stream(item.source)
        else item
        for item in items
    ]


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
