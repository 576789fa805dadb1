"""What is drawn of a file: pixels if it can be in one native call, and its Gaussians."""

import math
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import (
    MAX_SIDE,
    Size,
    crop_box,
    full_size,
    integer,
    rectangle,
    size_pair,
    thread_count,
)
from gaussianimage.codec.decoder.file import (
    File,
    bad_alpha_map,
    check_layers,
    layer_chunks,
    layer_count,
    open_file,
    too_much_work,
)
from gaussianimage.codec.format.header import MAX_LAYERS, Limits
from gaussianimage.codec.format.varint import Buffer
from gaussianimage.errors import LimitError
from gaussianimage.gaussians import Gaussians, resized
from gaussianimage.rendering import render

# Standard deviation of the Gaussian that stands for the background, in sides of the picture.
BACKGROUND_SIGMA = 1e5

# What the native decoder calls them.
_KINDS = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.uint16): 3}


class Order(NamedTuple):
    """What to draw, as the native decoder takes it."""

    kind: int
    dtype: np.dtype[Any]
    size: Size | None
    crop: tuple[int, int, int, int] | None
    layers: int | None
    threads: int

    @property
    def for_any_file(self) -> bool:
        """Whether it does not take the file's header to see what is drawn, or that it can't be."""
        return (
            (self.layers is None or 0 <= self.layers <= MAX_LAYERS)
            and (self.crop is None or all(0 <= side <= MAX_SIDE for side in self.crop))
            and (self.size is None or None not in self.size)
        )

    def at(self, height: int, width: int) -> "Order":
        """Return the order with a whole size for a picture of this nominal one."""
        if self.size is None:
            return self
        return self._replace(size=full_size("size", self.size, (height, width)))


def order_of(
    size: Size | None,
    crop: tuple[int, int, int, int] | None,
    dtype: DTypeLike,
    layers: int | None,
    threads: int,
) -> Order:
    """Check what can be checked without the file; as `gaussianimage.decode` for the arguments."""
    dtype = np.dtype(dtype)
    kind = _KINDS.get(dtype)
    if kind is None:
        raise TypeError(f"dtype: expected uint8, uint16 or float32, got {dtype}")
    return Order(
        kind,
        dtype,
        None if size is None else size_pair("size", size),
        None if crop is None else rectangle("crop", crop),
        None if layers is None else integer("layers", layers),
        threads,
    )


def pixels_of(
    native: _native.Decoder,
    data: Buffer,
    order: Order,
    out: NDArray[Any] | None,
    partial: bool,
    limits: Limits,
) -> NDArray[Any]:
    """Decode a file to pixels; as `gaussianimage.Decoder.decode`."""
    Limits.checked(limits)
    if out is not None:
        _check_out(out, order.dtype)
    if order.for_any_file:
        # A whole and ordinary file takes this one call.
        pixels = native.decode(
            data,
            order.kind,
            cast("tuple[int, int] | None", order.size),
            order.crop,
            -1 if order.layers is None else order.layers,
            order.threads,
            limits.of_a_picture,
            out,
        )
        if pixels is not None:
            return pixels
    file = open_file(data, limits=limits, partial=partial)
    header = file.header
    order = order.at(header.height, header.width)
    size = full_size("size", order.size, (header.height, header.width))
    crop = (0, 0, *size) if order.crop is None else crop_box("crop", order.crop, size)
    layer_count(file, order.layers)
    shape = crop[2:] if header.channels == 1 else (*crop[2:], header.channels)
    if out is not None and out.shape != shape:
        raise ValueError(f"out: expected shape {shape}, got {out.shape}")
    limits.check_output(math.prod(shape) * order.dtype.itemsize, header.gaussians)
    if file.profile is not None:
        pixels = _drawn_from_gaussians(file, order, size, limits)
        if out is None:
            return pixels
        out[...] = pixels
        return out
    chunks = layer_chunks(file, order.layers)
    layers = _native.Layers(
        file.settings.quantizer(header.height, header.width),
        file.settings.background_color.astype(np.float32),
        header.q_max,
        header.work,
        header.gaussians,
        header.layers,
        [bytes(chunk.payload) for chunk in chunks],
        header.alpha_map,
    )
    most_work = min(limits.max_work, 2**64 - 1)
    whole, found, good_map, honest, drawn = native.draw(
        layers, order.kind, size, crop, order.threads, most_work, out
    )
    check_layers(file, chunks, whole, found)
    if not good_map:
        raise bad_alpha_map(file)
    if drawn is None:
        raise _too_large(size, limits) if honest else too_much_work(file)
    return drawn


def _check_out(out: NDArray[Any], dtype: np.dtype[Any]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected an ndarray, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"out: expected dtype {dtype}, got {out.dtype}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError("out: expected a C-contiguous and writable array")


def _too_large(size: tuple[int, int], limits: Limits) -> LimitError:
    return LimitError(
        f"the work to render {size[0]} x {size[1]} pixels (height x width) is above the limit "
        f"max_work={limits.max_work}"
    )


def _drawn_from_gaussians(
    file: File, order: Order, size: tuple[int, int], limits: Limits
) -> NDArray[Any]:
    """Draw a file of the paper's profile, whose Gaussians Python decodes."""
    from gaussianimage.codec.paper_profile.file import work_of
    from gaussianimage.picture import to_array  # Pillow, which nothing else here needs

    threads = order.threads or None
    gaussians = gaussians_of(file, threads=threads, layers=order.layers)
    if order.size is not None:
        drawn = resized(gaussians, size)
        if work_of(drawn, threads, crop=order.crop) > limits.max_work:
            raise _too_large(size, limits)
    in_bytes = order.dtype == np.uint8 and not file.header.has_alpha
    pixels = render(
        gaussians,
        size=order.size,
        crop=order.crop,
        dtype=np.uint8 if in_bytes else np.float32,
        threads=threads,
    )
    if not in_bytes:
        return to_array(pixels, order.dtype)
    return pixels[..., 0] if file.header.channels == 1 else pixels


def gaussians_of(file: File, *, threads: int | None = None, layers: int | None = None) -> Gaussians:
    """Decode the Gaussians of a checked file."""
    header = file.header
    if file.profile is not None:
        from gaussianimage.codec.paper_profile.file import record_of, work_of

        gaussians = record_of(file, layers=layers).gaussians()
        if work_of(gaussians, threads) > header.work:
            raise too_much_work(file)
        return gaussians
    chunks = layer_chunks(file, layers)
    counts, arrays = _native.decode_layers(
        file.settings.quantizer(header.height, header.width),
        [bytes(chunk.payload) for chunk in chunks],
        header.layers,
        header.gaussians,
        thread_count(threads),
    )
    check_layers(file, chunks, len(counts), counts[-1] if counts else 0)
    means, cholesky, colors = arrays
    work = _native.work(
        *arrays, header.q_max, header.height, header.width, None, thread_count(threads)
    )
    if work > header.work:
        raise too_much_work(file)
    side = BACKGROUND_SIGMA * max(header.height, header.width)
    background = file.settings.background_color
    return Gaussians.from_cholesky(
        np.concatenate(([[header.width / 2, header.height / 2]], means)),
        np.concatenate(([[side, 0.0, side]], cholesky)),
        np.concatenate((background[None], colors)),
        header.height,
        header.width,
        header.q_max,
    )
