"""The errors that a caller may want to tell apart, all under `GaussianImageError`; warnings."""

import os
import sys
import warnings

_PACKAGE = os.path.dirname(__file__)  # noqa: PTH120 - pathlib takes long to import


class GaussianImageError(Exception):
    """Base class of every error that this package raises about data.

    Plain misuse of a function (a wrong type, a value out of range) is a `TypeError` or a
    `ValueError`; a file that cannot be opened or written is an `OSError`.
    """


class PictureError(GaussianImageError):
    """The source is not a readable picture, or not one that can be stored."""


class FormatError(GaussianImageError):
    """The bytes are not a valid ``.gimg`` file.

    Parameters
    ----------
    message : str
        What was expected and what came.
    offset : int, optional
        Where in the file, in bytes from its start.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at byte {offset})")
        self.offset = offset


class TruncatedError(FormatError):
    """The file ends before the data that it announces."""


class LimitError(GaussianImageError):
    """The data may be fine but exceeds a limit, which the caller can raise."""


class UnsupportedError(GaussianImageError):
    """The file is valid but needs a newer version or a feature that is not here."""


class GaussianImageWarning(UserWarning):
    """What this package warns of: the call does what it says, but maybe not what is wanted."""


class PictureWarning(GaussianImageWarning):
    """A picture was read, but perhaps not as its owner means it.

    For instance it has several pages, of which the first counts, or the file is cut short.
    """


class LargePictureWarning(GaussianImageWarning):
    """A file asks for very many pixels: `Limits.warn_pixels` says from how many on."""


def warn_outside(message: str, category: type[GaussianImageWarning]) -> None:
    """Issue a warning for the line outside of this package that called it."""
    level = 1
    frame = sys._getframe(0)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
