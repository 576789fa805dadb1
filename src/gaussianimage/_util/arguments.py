"""Checks of the arguments that several public functions share; each error names the argument."""

import operator
from collections.abc import Collection, Iterable
from numbers import Real
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Height and width in pixels; at most one of them is None, which keeps the aspect ratio.
Size: TypeAlias = tuple[int | None, int | None]

MAX_PICTURE_SIDE = 65536
MAX_Q = 64.0
MAX_THREADS = 256


def real_array(name: str, values: ArrayLike, *, columns: int | None = None) -> NDArray[np.float64]:
    """Return a read-only, C-contiguous float64 copy; `TypeError` unless it holds real numbers.

    If `columns` is given, a last axis of another length raises a `ValueError`.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:  # nested lists differ in length
        raise ValueError(f"{name}: {error}") from None
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if columns is not None and array.shape[-1:] != (columns,):
        raise ValueError(f"{name}: expected shape (N, {columns}), got {array.shape}")
    with np.errstate(all="ignore"):
        copy = np.array(array, dtype=np.float64, order="C")
    copy.flags.writeable = False
    return copy


def integer(name: str, value: object) -> int:
    """Return an integer as `int`; `TypeError` for anything else, a bool included."""
    # Python counts a bool as an int, but a bool is never a size.
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected an integer, got {value}")
    try:
        return operator.index(value)  # type: ignore[arg-type]  # the call checks the type
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{name}: expected an integer, got {value!r} ({kind})") from None


def number(name: str, value: object, low: float, high: float) -> float:
    """Return a number within a range as `float`; `TypeError` for anything else, a bool included."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name}: expected {low:.10g} to {high:.10g}, got {value}")
    return float(value)


def positive(name: str, value: object) -> int:
    """Return a count as `int`; a `ValueError` if it is less than 1."""
    count = integer(name, value)
    if count < 1:
        raise ValueError(f"{name}: expected at least 1, got {count}")
    return count


def side(name: str, value: object) -> int:
    """Return a picture's height or width, an integer from 1 to 65536 pixels."""
    pixels = integer(name, value)
    if not 1 <= pixels <= MAX_PICTURE_SIDE:
        raise ValueError(f"{name}: expected 1 to {MAX_PICTURE_SIDE} pixels, got {pixels}")
    return pixels


def size_pair(name: str, size: object) -> Size:
    """Return a size as (height, width), 1 to 65536 pixels each; one of them may be None."""
    height, width = _items(name, size, "height, width")
    if height is None and width is None:
        raise ValueError(f"{name}: expected a height or a width, got (None, None)")
    return (
        None if height is None else side(f"{name}: height", height),
        None if width is None else side(f"{name}: width", width),
    )


def full_size(name: str, size: object, nominal: tuple[int, int]) -> tuple[int, int]:
    """Return a size as (height, width) in pixels; a None becomes the side that keeps the ratio.

    Parameters
    ----------
    name : str
        Name of the argument.
    size : (int or None, int or None), or None
        Wanted height and width in pixels; None for the nominal size.
    nominal : (int, int)
        Height and width of the picture in pixels.

    Raises
    ------
    TypeError, ValueError
        As `size_pair`; a ValueError also if the computed side is not 1 to 65536 pixels.
    """
    if size is None:
        return nominal
    height, width = size_pair(name, size)
    if height is None and width is not None:
        height = max(1, round(nominal[0] * width / nominal[1]))
        side(f"{name}: height", height)
    elif width is None and height is not None:
        width = max(1, round(nominal[1] * height / nominal[0]))
        side(f"{name}: width", width)
    assert height is not None
    assert width is not None
    return height, width


def within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return a size (height, width), shrunk in proportion if a side is above `longest`."""
    shrink = min(1.0, longest / max(size))
    return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))


def rectangle(name: str, crop: object) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) as integers, without a check of their range."""
    top, left, height, width = _items(name, crop, "top, left, height, width")
    return (
        integer(f"{name}: top", top),
        integer(f"{name}: left", left),
        integer(f"{name}: height", height),
        integer(f"{name}: width", width),
    )


def crop_box(name: str, crop: object, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return a rectangle inside a picture of `size` as (top, left, height, width) in pixels."""
    top, left, height, width = rectangle(name, crop)
    if not (0 <= top < top + height <= size[0] and 0 <= left < left + width <= size[1]):
        raise ValueError(
            f"{name}: expected a rectangle inside {size[0]} x {size[1]} (height x width), "
            f"got top {top}, left {left}, height {height}, width {width}"
        )
    return top, left, height, width


def cutoff(name: str, value: object) -> float:
    """Return a cut-off exponent, a number above 0 and at most 64."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    q = float(value)
    if not 0 < q <= MAX_Q:
        raise ValueError(f"{name}: expected above 0 and at most {MAX_Q:g}, got {q}")
    return q


def _items(name: str, values: object, meaning: str) -> list[object]:
    items = list(values) if isinstance(values, Iterable) else None
    if items is None or len(items) != len(meaning.split(",")):
        raise TypeError(f"{name}: expected ({meaning}), got {values!r}")
    return items


def choice(name: str, value: object, choices: Collection[str]) -> str:
    """Return a string that is one of several; a `ValueError` lists them."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a string, got {type(value).__name__}")
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ValueError(f"{name}: expected one of {listed}, got {value!r}")
    return value


def thread_count(threads: int | None) -> int:
    """Check a number of threads and return it; None becomes 0, which means all CPUs."""
    if threads is None:
        return 0
    count = integer("threads", threads)
    if not 1 <= count <= MAX_THREADS:
        raise ValueError(f"threads: expected 1 to {MAX_THREADS}, got {count}")
    return count
