"""What came of a call, so that calls can be compared and errors told apart from findings."""

import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gaussianimage.errors import GaussianImageError, GaussianImageWarning

_PATH = re.compile(r"^/\S+: ")
_NUMBER = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*|\b[A-Za-z][A-Z0-9]{3}\b")


class Outcome(NamedTuple):
    """A result, or the error that came instead.

    Attributes
    ----------
    value : object
        The result; None after an error.
    error : Exception or None
    """

    value: Any
    error: Exception | None

    @property
    def name(self) -> str:
        """The type of the result, or the error without path, numbers and types of chunks."""
        if self.error is not None:
            text = _NUMBER.sub("#", _PATH.sub("", str(self.error)))
            return f"{type(self.error).__name__}: {text[:100]}"
        if isinstance(self.value, np.ndarray):
            return f"{self.value.dtype} in {self.value.ndim} dimensions"
        return type(self.value).__name__

    def agrees(self, other: "Outcome") -> bool:
        """Whether both are the same array, or errors of one type with the same message."""
        if self.error is not None or other.error is not None:
            return type(self.error) is type(other.error) and str(self.error) == str(other.error)
        return bool(np.array_equal(self.value, other.value))


def attempt(call: Callable[[], Any], *allowed: type[Exception]) -> Outcome:
    """Call a function; only the package's errors and the `allowed` ones may come of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", GaussianImageWarning)
        try:
            return Outcome(call(), None)
        except (GaussianImageError, *allowed) as error:
            return Outcome(None, error)
