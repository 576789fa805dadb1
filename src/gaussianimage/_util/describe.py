"""The description of an error in one line, for the command line and for manifests."""

import os

from gaussianimage.errors import GaussianImageError

__all__ = ["describe_error", "printable"]


def describe_error(error: BaseException, source: str = "", *, text: str | None = None) -> str:
    """Return the description of an error in one line.

    Parameters
    ----------
    error : BaseException
    source : str
        The file that the error is about; ``-`` is stdin. The line starts with this name unless the
        error's own message names a file.
    text : str, optional
        The message, instead of the error's own.
    """
    name = "stdin" if source == "-" else source
    if text is not None:
        pass
    elif isinstance(error, OSError) and error.strerror:
        filename = error.filename
        if isinstance(filename, bytes | str | os.PathLike):
            name = os.fsdecode(filename)
        else:
            name = "stdout"  # Errors in opening a file name it; those in writing to stdout do not.
        text = error.strerror
    elif isinstance(error, MemoryError):
        text = "not enough memory"
    elif isinstance(error, GaussianImageError | OSError | ValueError):
        text = str(error) or type(error).__name__
    else:
        text = f"internal error: {type(error).__name__}: {error} (-vv shows where)"
    text += "".join(f", {note}" for note in getattr(error, "__notes__", ()))
    if name and not text.startswith((f"{name}:", f"{source}:")):
        text = f"{name}: {text}"
    return printable(text)


def printable(text: str) -> str:
    """Return a text as one line; control characters, which a file's name may hold, are escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
