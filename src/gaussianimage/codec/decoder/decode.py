"""Decoding a file to pixels or Gaussians: the public functions and `Decoder`."""

import threading
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import Size, side, thread_count, within
from gaussianimage.codec.decoder.draw import DecodeRequest, decode_parsed_file, draw_pixels
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS, enough_layers, parse_file
from gaussianimage.codec.decoder.source import Source, reading
from gaussianimage.codec.decoder.tile_cache import TileCache
from gaussianimage.codec.format.header import Limits
from gaussianimage.gaussians import Gaussians

if TYPE_CHECKING:
    from gaussianimage.picture import Picture


class _Context(threading.local):
    """The native decoder of each thread, for the function `decode`."""

    def __init__(self) -> None:
        self.native = _native.Decoder(keep_all=False)


_of_this_thread = _Context()


class Decoder:
    """A decoder for many files, which reuses its memory from file to file.

    Parameters
    ----------
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    limits : Limits, optional
        Limits above which a file is refused.

    Raises
    ------
    TypeError, ValueError
        An argument is of a wrong type or out of range.

    Notes
    -----
    The function `decode` reuses memory too, but frees it after a picture of very many Gaussians.
    Of tiled files, a decoder also keeps the tiles that it used last, 128 MiB of them at most.
    Several Python threads may use the same decoder; a call that finds the decoder busy allocates
    its own memory. A pickled decoder keeps its options, not its memory.
    """

    def __init__(self, *, threads: int | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._threads = thread_count(threads)
        self._limits = Limits.checked(limits)
        self._native = _native.Decoder(keep_all=True)
        self._tiles = TileCache()

    def __repr__(self) -> str:
        threads = self._threads or None
        limits = "" if self._limits == DEFAULT_LIMITS else f", limits={self._limits}"
        return f"Decoder(threads={threads}{limits})"

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_threads", "_limits")
        return {name: value for name, value in vars(self).items() if name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _native=_native.Decoder(keep_all=True), _tiles=TileCache())

    def _stop(self) -> None:
        """Raise KeyboardInterrupt in all threads that use this decoder, now and later."""
        self._native.stop()

    def decode(
        self,
        source: Source,
        out: NDArray[Any] | None = None,
        *,
        size: Size | None = None,
        crop: tuple[int, int, int, int] | None = None,
        dtype: DTypeLike | None = None,
        layers: int | None = None,
        partial: bool = False,
        grain: bool = True,
    ) -> NDArray[Any]:
        """Decode a ``.gimg`` file to pixels, as the function `decode` does.

        Parameters
        ----------
        source : path-like, bytes-like or binary stream
            The whole file.
        out : ndarray, optional
            Array for the pixels, with the shape and type of the result, C-contiguous and
            writable. Its content is undefined after an error.
        dtype : uint8, uint16 or float32, optional
            Type of the pixels; by default the type of `out`, or uint8.
        size, crop, layers, partial, grain
            As for `decode`.

        Returns
        -------
        ndarray, (height, width) for gray, (height, width, C) otherwise
            The pixels; `out` itself if it is given.

        Raises
        ------
        FormatError, TruncatedError, UnsupportedError, LimitError, OSError
            As for `decode`.
        TypeError, ValueError
            An argument is of a wrong type or out of range, or `out` does not fit.
        """
        if dtype is None:
            dtype = out.dtype if isinstance(out, np.ndarray) else np.dtype(np.uint8)
        request = DecodeRequest.checked(size, crop, dtype, layers, self._threads, grain)
        with reading(source) as data:
            return draw_pixels(self._native, data, request, out, partial, self._limits, self._tiles)


def decode(
    source: Source,
    *,
    size: Size | None = None,
    crop: tuple[int, int, int, int] | None = None,
    dtype: DTypeLike = np.uint8,
    threads: int | None = None,
    layers: int | None = None,
    partial: bool = False,
    grain: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> NDArray[Any]:
    """Decode a ``.gimg`` file to pixels.

    Parameters
    ----------
    source : path-like, bytes-like or binary stream
        The whole file: its name (``-`` is stdin), its bytes, or a stream, which is read to its end.
        Of a tiled file, only what the size and the crop need is read, also from a seekable stream
        and from a web server (``https://…``) that answers requests for ranges.
    size : (int, int), optional
        Height and width to draw at, in pixels; the nominal size by default. One of them may be
        None: (480, None) keeps the aspect ratio. A smaller size is anti-aliased, as in `render`.
    crop : (int, int, int, int), optional
        Top, left, height and width of the part to draw, in pixels of the picture at `size`. Only
        this part is computed, and its pixels equal those of the whole picture exactly.
    dtype : uint8, uint16 or float32, default uint8
        Type of the pixels; floats are 0 to 1. Pictures without alpha are drawn in faster arithmetic
        for uint8, and a few percent of the values differ by 1 from the nearest value.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    layers : int, optional
        Number of first layers to use, 0 or more; all by default. Of a tiled file, the number of
        levels, of which the first is the preview.
    partial : bool, default False
        Accept a file that is cut off or damaged behind its header, and use the layers that are
        whole before the damage. Of a tiled file, leave out damaged tiles, with a
        `DamagedTileWarning`; coarser levels show in their place.
    grain : bool, default True
        Add the file's grain, if it has one (`grain` of `encode`), unless the picture is drawn
        smaller than its nominal size or from a part of its layers.
    limits : Limits, optional
        Limits above which a file is refused.

    Returns
    -------
    ndarray, (height, width) for gray, (height, width, C) otherwise
        The pixels; colors are not premultiplied by alpha. If the file has a map of alpha
        (`alpha_quality` of `encode`), pixels that were fully transparent or fully opaque are so
        again; at another size, if all source pixels that they cover were.

    Raises
    ------
    FormatError
        The bytes are not a valid file; `offset` is the place of the error. `TruncatedError` if
        they end early, `TileError` if a tile that is needed is damaged.
    UnsupportedError
        The file needs a newer reader.
    LimitError
        The file exceeds a limit.
    OSError
        The file can't be read.
    TypeError, ValueError
        An argument is of a wrong type or out of range.

    Notes
    -----
    If `source` has a name, a note of the error contains it.
    """
    request = DecodeRequest.checked(size, crop, dtype, layers, thread_count(threads), grain)
    with reading(source) as data:
        return draw_pixels(_of_this_thread.native, data, request, None, partial, limits)


def decode_picture(
    source: Source,
    *,
    size: Size | None = None,
    crop: tuple[int, int, int, int] | None = None,
    threads: int | None = None,
    layers: int | None = None,
    partial: bool = False,
    grain: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> "Picture":
    """Decode a ``.gimg`` file to a picture with its ICC profile, EXIF and XMP.

    Parameters
    ----------
    source, size, crop, threads, layers, partial, grain, limits
        As for `decode`.

    Returns
    -------
    Picture
        The picture, in the bit depth of the source. ``numpy.asarray`` of the picture equals the
        result of `decode` for that type, and `gaussianimage.write` writes the picture to a file.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError, OSError, TypeError, ValueError
        As for `decode`.
    """
    from gaussianimage.picture import from_array  # imports Pillow, which only this function needs

    with reading(source) as data:
        file = parse_file(data, limits=limits, partial=partial)
        depth: Literal[8, 16] = 16 if file.header.bit_depth == 16 else 8
        dtype = np.uint16 if depth == 16 else np.uint8
        request = DecodeRequest.checked(size, crop, dtype, layers, thread_count(threads), grain)
        pixels = draw_pixels(_of_this_thread.native, data, request, None, partial, limits)
    return from_array(
        pixels,
        bit_depth=depth,
        icc=file.metadata.icc,
        exif=file.metadata.exif,
        xmp=file.metadata.xmp,
    )


def thumbnail(
    source: Source,
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
    source : path-like, bytes-like or binary stream
        The whole file, as for `decode`; with `partial`, its first layers are enough.
    longest : int
        Largest side of the result in pixels. The aspect ratio is kept, and a smaller picture is not
        enlarged.
    dtype, threads, partial, limits
        As for `decode`.

    Returns
    -------
    ndarray, (height, width) for gray, (height, width, C) otherwise
        The result of `decode` at that size, from the fewest first layers that have at least as many
        Gaussians as the result has pixels, or from all layers.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError, OSError
        As for `decode`.
    TypeError, ValueError
        An argument is of a wrong type or out of range.
    """
    most = side("longest", longest)
    with reading(source) as data:
        file = parse_file(data, limits=limits, partial=partial)
        size = within((file.header.height, file.header.width), most)
        layers = enough_layers(file, size[0] * size[1])
        request = DecodeRequest.checked(
            size, None, dtype, layers, thread_count(threads), grain=False
        )
        return draw_pixels(_of_this_thread.native, data, request, None, partial, limits)


def decode_gaussians(
    source: Source,
    *,
    threads: int | None = None,
    layers: int | None = None,
    partial: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Gaussians:
    """Decode a ``.gimg`` file to Gaussians.

    Parameters
    ----------
    source, threads, layers, partial, limits
        As for `decode`.

    Returns
    -------
    Gaussians
        The background, then the Gaussians of the layers, the most important layer first. The
        background is a Gaussian with a sigma of 100,000 times the longer side; a file of the
        paper's profile has none. Colors are multiplied by alpha. The map of alpha is not applied.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError, OSError, TypeError, ValueError
        As for `decode`.
    """
    with reading(source) as data:
        file = parse_file(data, limits=limits, partial=partial)
        return decode_parsed_file(file, threads=threads, layers=layers, limits=limits)
