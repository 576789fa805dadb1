"""Warnings about pictures that may be read with a wrong meaning."""

import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

from gaussianimage.errors import PictureWarning

Warn: TypeAlias = Callable[[str], object]

_PACKAGE = __name__.partition(".")[0]


def issue(message: str) -> None:
    """Issue a `PictureWarning` for the line that called the package."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and _is_ours(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, PictureWarning, stacklevel=level)


def ignore(_message: str) -> None:
    """Ignore a message about an array that this package made."""


def _is_ours(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] in (_PACKAGE, "contextlib")
