"""Arrays that know how much of them NumPy works on at a time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class WatchedArray(np.ndarray[Any, np.dtype[Any]]):
    """An array whose parts remember, in `sizes`, the values of each operation on them.

    What an operation makes is not watched.
    """

    sizes: list[int]

    @classmethod
    def of(cls, values: NDArray[Any]) -> "WatchedArray":
        """Return a watched view of some values."""
        watched = values.view(cls)
        watched.sizes = []
        return watched

    def __array_finalize__(self, source: Any) -> None:
        self.sizes = getattr(source, "sizes", [])

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        self.sizes.append(max(np.size(value) for value in inputs))
        # Python's numbers stay what they are, because they take the type of the array beside them.
        plain = [np.asarray(v) if isinstance(v, WatchedArray) else v for v in inputs]
        return getattr(ufunc, method)(*plain, **options)
