"""Helpers for the tests of golden files."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest(array: NDArray[Any]) -> str:
    """Return the SHA-256 of an array's bytes in little-endian order."""
    little = array.astype(array.dtype.newbyteorder("<"), order="C")
    return hashlib.sha256(np.ascontiguousarray(little).tobytes()).hexdigest()
