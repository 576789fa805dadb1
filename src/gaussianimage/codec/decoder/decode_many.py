"""Decoding many files to pixels, one file on each core at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import Size, thread_count
from gaussianimage.codec.decoder.decode import Decoder
from gaussianimage.codec.decoder.draw import DecodeRequest
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS
from gaussianimage.codec.decoder.source import Source
from gaussianimage.codec.format.header import Limits

# Pictures per thread that are queued, in work or finished but not yet yielded.
AHEAD = 2


def decode_many(
    sources: Iterable[Source],
    *,
    threads: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    size: Size | None = None,
    crop: tuple[int, int, int, int] | None = None,
    dtype: DTypeLike = np.uint8,
    layers: int | None = None,
) -> Iterator[NDArray[Any]]:
    """Decode many ``.gimg`` files, several at a time.

    Parameters
    ----------
    sources : iterable of path-like, bytes-like or binary stream
        File names, bytes of files, or streams. The iterable is read only a few items ahead of the
        result, so it may be endless, and at most 2 pictures for each thread are in memory.
    threads : int, optional
        Number of files to decode at a time, each on one thread, 1 to 256; by default the number of
        CPUs that this process may run on.
    limits, size, crop, dtype, layers
        As for `decode`; they apply to every file.

    Yields
    ------
    ndarray, (height, width) for gray, (height, width, C) otherwise
        The result of `decode` for each source, in the order of the sources.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As for `decode`, raised when the file's turn comes; a note of the error names the file. No
        more files are decoded after an error.
    OSError
        A file can't be read; raised in the same way.
    TypeError, ValueError
        An argument is of a wrong type or out of range.
    """
    one = isinstance(sources, str | PathLike | bytes | bytearray | memoryview)
    if one or hasattr(sources, "read"):
        raise TypeError(f"sources: expected several files, got one ({type(sources).__name__})")
    DecodeRequest.checked(size, crop, dtype, layers, thread_count(threads))
    options = {"size": size, "crop": crop, "dtype": dtype, "layers": layers}
    count = thread_count(threads) or _native.cpus()
    decoder_options = {"threads": 1, "limits": Limits.checked(limits)}
    return _decode_many(iter(sources), count, decoder_options, options)


def _decode_many(
    sources: Iterator[Source], threads: int, of_decoder: dict[str, Any], options: dict[str, Any]
) -> Iterator[NDArray[Any]]:
    decoders = [Decoder(**of_decoder) for _ in range(threads)]
    idle = deque(decoders)

    def work(source: Source) -> NDArray[Any]:
        decoder = idle.pop()  # a deque is safe in several threads
        try:
            return decoder.decode(source, **options)
        finally:
            idle.append(decoder)

    pool = ThreadPoolExecutor(threads, "decode_many")
    pending: deque[Future[NDArray[Any]]] = deque()
    try:
        for source in sources:
            pending.append(pool.submit(work, source))
            if len(pending) >= AHEAD * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for decoder in decoders:
            decoder._stop()  # unneeded pictures need not be finished
        pool.shutdown(cancel_futures=True)
