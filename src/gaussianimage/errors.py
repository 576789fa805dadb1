"""The errors and warnings of the package.

Every error about data is a `GaussianImageError`.
"""

import os
import sys
import warnings

_PACKAGE = os.path.dirname(__file__)  # noqa: PTH120 - pathlib takes long to import


class GaussianImageError(Exception):
    """Base class of every error that this package raises about data.

    An argument of a wrong type or out of range raises a `TypeError` or a `ValueError`, and a file
    that cannot be opened or written an `OSError`.
    """


class PictureError(GaussianImageError):
    """The source is not a picture that this package can read and store."""


class FormatError(GaussianImageError):
    """The bytes are not a valid ``.gimg`` file.

    Parameters
    ----------
    message : str
        What the reader expected and what it found.
    offset : int, optional
        Offset of the error in the file, in bytes.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at byte {offset})")
        self.offset = offset


class TruncatedError(FormatError):
    """The file ends before the data that it announces."""


class TileError(FormatError):
    """A tile of a tiled file is damaged or missing; the others can be drawn with `partial`.

    Parameters
    ----------
    message : str
        What is wrong.
    offset : int or None
        Offset of the error in the file, in bytes.
    place : (int, int, int)
        Level of the tile, 0 for the coarsest, and its row and column in the level.
    """

    def __init__(self, message: str, offset: int | None, place: tuple[int, int, int]) -> None:
        level, row, column = place
        super().__init__(f"tile {level}/{row}/{column}: {message}", offset)
        self.place = place


class LimitError(GaussianImageError):
    """The data exceeds a limit, which the caller can raise."""


class UnsupportedError(GaussianImageError):
    """The file is valid but needs a newer version, or a feature that this build lacks."""


class GaussianImageWarning(UserWarning):
    """Base class of the package's warnings: the result may not be what the caller wants."""


class PictureWarning(GaussianImageWarning):
    """The picture that was read may not be what its owner means.

    For instance, the file has several pages, of which only the first is read, or its end is
    missing.
    """


class LargePictureWarning(GaussianImageWarning):
    """A file has more than `Limits.warn_pixels` pixels."""


class DamagedTileWarning(GaussianImageWarning):
    """A damaged tile was left out of a picture that was drawn with `partial`."""


def warn_outside(message: str, category: type[GaussianImageWarning]) -> None:
    """Issue a warning whose location is the caller's line outside of this package."""
    level = 1
    frame = sys._getframe(0)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
