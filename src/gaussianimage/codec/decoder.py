"""From the bytes of a file to pixels and Gaussians: the functions and the object for it."""

import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gaussianimage import _native
from gaussianimage.arguments import side, thread_count
from gaussianimage.codec.drawing import gaussians_of, order_of, pixels_of
from gaussianimage.codec.header import Limits
from gaussianimage.codec.opened import DEFAULT_LIMITS, enough_layers, open_file
from gaussianimage.codec.varint import Buffer
from gaussianimage.gaussians import Gaussians


class _Context(threading.local):
    """The native decoder of each thread, for the function `decode`."""

    def __init__(self) -> None:
        self.native = _native.Decoder(keep_all=False)


_of_this_thread = _Context()


class Decoder:
    """A decoder for many files, which keeps its memory from one to the next.

    Parameters
    ----------
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    limits : Limits, optional
        What to refuse to decode.

    Raises
    ------
    TypeError, ValueError
        An argument is of a wrong type or out of range.

    Notes
    -----
    `decode`, the function, keeps memory too, but gives it back after a picture of very many
    Gaussians. Several Python threads may use the same decoder; a call that finds it busy takes
    memory of its own.
    """

    def __init__(self, *, threads: int | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._threads = thread_count(threads)
        self._limits = Limits.checked(limits)
        self._native = _native.Decoder(keep_all=True)

    def _stop(self) -> None:
        """End what other threads decode with it: a KeyboardInterrupt there, now and later."""
        self._native.stop()

    def decode(
        self,
        data: Buffer,
        out: NDArray[Any] | None = None,
        *,
        size: tuple[int, int] | None = None,
        crop: tuple[int, int, int, int] | None = None,
        dtype: DTypeLike | None = None,
        layers: int | None = None,
        partial: bool = False,
    ) -> NDArray[Any]:
        """Decode a ``.gimg`` file to pixels, as the function `decode` does.

        Parameters
        ----------
        data : bytes-like
            The whole file.
        out : ndarray, optional
            Where to write the pixels: of the shape and type of the result, C-contiguous and
            writable. After an error its content is undefined.
        dtype : uint8, uint16 or float32, optional
            By default that of `out`, or uint8.
        size, crop, layers, partial
            As for `decode`.

        Returns
        -------
        ndarray, (height, width) for gray, (height, width, C) otherwise
            `out` itself if it is given.

        Raises
        ------
        FormatError, TruncatedError, UnsupportedError, LimitError
            As for `decode`.
        TypeError, ValueError
            An argument is of a wrong type or out of range, or `out` does not fit.
        """
        if dtype is None:
            dtype = out.dtype if isinstance(out, np.ndarray) else np.dtype(np.uint8)
        order = order_of(size, crop, dtype, layers, self._threads)
        return pixels_of(self._native, data, order, out, partial, self._limits)


def decode(
    data: Buffer,
    *,
    size: tuple[int, int] | None = None,
    crop: tuple[int, int, int, int] | None = None,
    dtype: DTypeLike = np.uint8,
    threads: int | None = None,
    layers: int | None = None,
    partial: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> NDArray[Any]:
    """Decode a ``.gimg`` file to pixels.

    Parameters
    ----------
    data : bytes-like
        The whole file.
    size : (int, int), optional
        Height and width to draw at, in pixels; the nominal size by default. A smaller size is
        anti-aliased, as `render` does it.
    crop : (int, int, int, int), optional
        Top, left, height and width of the part to draw, in pixels of the picture at `size`. Only
        this part is computed, and it has the same bits as in the whole picture.
    dtype : uint8, uint16 or float32, default uint8
        Floats are 0 to 1. Bytes without alpha are made faster than others, and a few in a hundred
        are the neighbor of the nearest one.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    layers : int, optional
        Use this many of the file's layers, from 0; all by default.
    partial : bool, default False
        Accept a file that is cut off or damaged behind its header, and use the whole layers
        before that place.
    limits : Limits, optional
        What to refuse to decode.

    Returns
    -------
    ndarray, (height, width) for gray, (height, width, C) otherwise
        Colors are not premultiplied by alpha.

    Raises
    ------
    FormatError
        The bytes are not a valid file; `offset` tells where. `TruncatedError` if they end early.
    UnsupportedError
        The file needs a newer reader.
    LimitError
        It exceeds a limit.
    TypeError, ValueError
        An argument is of a wrong type or out of range.
    """
    order = order_of(size, crop, dtype, layers, thread_count(threads))
    return pixels_of(_of_this_thread.native, data, order, None, partial, limits)


def thumbnail(
    data: Buffer,
    longest: int,
    *,
    dtype: DTypeLike = np.uint8,
    threads: int | None = None,
    partial: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> NDArray[Any]:
    """Decode a ``.gimg`` file to a small picture, from its most important Gaussians.

    Parameters
    ----------
    data : bytes-like
        The whole file; the first layers of it, with `partial`.
    longest : int
        Most pixels a side. The shape is kept, and a smaller picture stays as it is.
    dtype, threads, partial, limits
        As for `decode`.

    Returns
    -------
    ndarray, (height, width) for gray, (height, width, C) otherwise
        What `decode` gives at that size from the fewest first layers that have a Gaussian for each
        pixel of it, or from all of them.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As for `decode`.
    TypeError, ValueError
        An argument is of a wrong type or out of range.
    """
    most = side("longest", longest)
    file = open_file(data, limits=limits, partial=partial)
    height, width = file.header.height, file.header.width
    shrink = min(1.0, most / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    layers = enough_layers(file, size[0] * size[1])
    order = order_of(size, None, dtype, layers, thread_count(threads))
    return pixels_of(_of_this_thread.native, data, order, None, partial, limits)


def decode_gaussians(
    data: Buffer,
    *,
    threads: int | None = None,
    layers: int | None = None,
    partial: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Gaussians:
    """Decode a ``.gimg`` file to Gaussians.

    Parameters
    ----------
    data, threads, layers, partial, limits
        As for `decode`.

    Returns
    -------
    Gaussians
        The first is the background, a Gaussian of 100,000 times the longer side, which a file of
        the paper's profile does not have; then those of the layers, the most important layer first.
        Colors are multiplied by alpha.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError, TypeError, ValueError
        As for `decode`.
    """
    file = open_file(data, limits=limits, partial=partial)
    return gaussians_of(file, threads=threads, layers=layers)
