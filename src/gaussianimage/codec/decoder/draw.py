"""Drawing the pixels of a file, in one native call if possible, and decoding its Gaussians."""

import math
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import (
    MAX_PICTURE_SIDE,
    Size,
    crop_box,
    full_size,
    integer,
    rectangle,
    size_pair,
    thread_count,
)
from gaussianimage.codec.decoder.draw_tiles import draw_tiled
from gaussianimage.codec.decoder.file import (
    DEFAULT_LIMITS,
    LayerContent,
    ParsedFile,
    TiledContent,
    bad_alpha_map,
    check_layers,
    layer_chunks,
    layer_count,
    parse_file,
    too_much_work,
)
from gaussianimage.codec.decoder.pixel_kinds import PIXEL_KINDS
from gaussianimage.codec.decoder.ranges import ByteRanges
from gaussianimage.codec.decoder.tile_cache import TileCache, read_tile, reading_work
from gaussianimage.codec.format.grain import Grain, around_blocks
from gaussianimage.codec.format.header import MAX_LAYERS, Limits
from gaussianimage.codec.format.varint import Buffer
from gaussianimage.errors import LimitError
from gaussianimage.gaussians import Gaussians, resized
from gaussianimage.rendering import render

# Standard deviation of the background's Gaussian, in units of the picture's longer side.
BACKGROUND_SIGMA = 1e5


class DecodeRequest(NamedTuple):
    """The arguments of a decoding, in the native decoder's form.

    Attributes
    ----------
    kind : int
        The native decoder's code of the type of the pixels.
    dtype : dtype
        Type of the pixels.
    size : (int or None, int or None), or None
        Height and width to draw at; None for the nominal size.
    crop : (int, int, int, int) or None
        Top, left, height and width in pixels of the picture at `size`; None for the whole picture.
    layers : int or None
        Number of first layers to use; None for all.
    threads : int
        Number of threads; 0 for all CPUs.
    grain : bool
        Whether to add the file's grain.
    """

    kind: int
    dtype: np.dtype[Any]
    size: Size | None
    crop: tuple[int, int, int, int] | None
    layers: int | None
    threads: int
    grain: bool = True

    @classmethod
    def checked(
        cls,
        size: Size | None,
        crop: tuple[int, int, int, int] | None,
        dtype: DTypeLike,
        layers: int | None,
        threads: int,
        grain: bool = True,
    ) -> "DecodeRequest":
        """Check the arguments of `gaussianimage.decode` as far as possible without the file.

        Raises
        ------
        TypeError, ValueError
            An argument is of a wrong type or out of range.
        """
        dtype = np.dtype(dtype)
        kind = PIXEL_KINDS.get(dtype)
        if kind is None:
            raise TypeError(f"dtype: expected uint8, uint16 or float32, got {dtype}")
        return cls(
            kind,
            dtype,
            None if size is None else size_pair("size", size),
            None if crop is None else rectangle("crop", crop),
            None if layers is None else integer("layers", layers),
            threads,
            grain,
        )

    @property
    def for_any_file(self) -> bool:
        """Whether the request can be carried out, or refused, before the header is read."""
        return (
            (self.layers is None or 0 <= self.layers <= MAX_LAYERS)
            and (self.crop is None or all(0 <= side <= MAX_PICTURE_SIDE for side in self.crop))
            and (self.size is None or None not in self.size)
        )

    def at(self, height: int, width: int) -> "DecodeRequest":
        """Return the request with a complete size, for a picture of this nominal size."""
        if self.size is None:
            return self
        return self._replace(size=full_size("size", self.size, (height, width)))


def draw_pixels(
    native: _native.Decoder,
    data: Buffer | ByteRanges,
    request: DecodeRequest,
    out: NDArray[Any] | None,
    partial: bool,
    limits: Limits,
    cache: TileCache | None = None,
) -> NDArray[Any]:
    """Decode a file to pixels, as `gaussianimage.Decoder.decode` does with these arguments.

    `cache` keeps the tiles of a tiled file for the next call.
    """
    Limits.checked(limits)
    if out is not None:
        _check_out(out, request.dtype)
    if request.for_any_file and not isinstance(data, ByteRanges):
        # This one call decodes a whole and ordinary file.
        pixels = native.decode(
            data,
            request.kind,
            cast("tuple[int, int] | None", request.size),
            request.crop,
            -1 if request.layers is None else request.layers,
            request.threads,
            limits.of_a_picture,
            out,
        )
        if pixels is not None:
            return pixels
    file = parse_file(data, limits=limits, partial=partial)
    header = file.header
    request = request.at(header.height, header.width)
    size = full_size("size", request.size, (header.height, header.width))
    crop = (0, 0, *size) if request.crop is None else crop_box("crop", request.crop, size)
    layer_count(file, request.layers)
    shape = crop[2:] if header.channels == 1 else (*crop[2:], header.channels)
    if out is not None and out.shape != shape:
        raise ValueError(f"out: expected shape {shape}, got {out.shape}")
    limits.check_output(math.prod(shape) * request.dtype.itemsize, header.gaussians)
    if isinstance(file.content, TiledContent):
        drawn = draw_tiled(
            file,
            size,
            crop,
            levels=request.layers,
            dtype=request.dtype,
            cache=TileCache() if cache is None else cache,
            limits=limits,
            threads=request.threads,
            partial=partial,
        )
        if out is None:
            return drawn
        out[...] = drawn
        return out
    if not isinstance(file.content, LayerContent):
        pixels = _drawn_from_gaussians(file, request, size, limits)
        if out is None:
            return pixels
        out[...] = pixels
        return out
    chunks = layer_chunks(file, request.layers)
    grain = None
    if request.grain and len(chunks) == header.layers:
        grain = _grain_at(file, size)
    # Noise depends on whole blocks.
    box = crop if grain is None else around_blocks(crop, size)
    layers = _native.Layers(
        file.content.parameters.quantizer(header.height, header.width),
        file.content.parameters.background_color.astype(np.float32),
        header.q_max,
        header.work,
        header.gaussians,
        header.layers,
        [bytes(chunk.payload) for chunk in chunks],
        header.alpha_map,
    )
    most_work = min(limits.max_work, 2**64 - 1)
    whole, found, good_map, honest, pixels = native.draw(
        layers, request.kind, size, box, request.threads, most_work, out if box == crop else None
    )
    check_layers(file, chunks, whole, found)
    if not good_map:
        raise bad_alpha_map(file)
    if pixels is None:
        raise _too_large(size, limits) if honest else too_much_work(file)
    if grain is None:
        return pixels
    _add_grain(grain, pixels, file, size, box, request.threads)
    if box == crop:
        return pixels
    top, left = crop[0] - box[0], crop[1] - box[1]
    part = pixels[top : top + crop[2], left : left + crop[3]]
    if out is None:
        return np.ascontiguousarray(part)
    out[...] = part
    return out


def _check_out(out: NDArray[Any], dtype: np.dtype[Any]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected an ndarray, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"out: expected dtype {dtype}, got {out.dtype}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError("out: expected a C-contiguous and writable array")


def _grain_at(file: ParsedFile, size: tuple[int, int]) -> Grain | None:
    """Return the grain of a picture drawn at a size, None if that is below the nominal one."""
    nominal = file.header.height, file.header.width
    grain = Grain.from_chunks(file.chunks, *nominal)
    return None if size[0] < nominal[0] or size[1] < nominal[1] else grain


def _add_grain(
    grain: Grain,
    pixels: NDArray[Any],
    file: ParsedFile,
    size: tuple[int, int],
    box: tuple[int, int, int, int],
    threads: int,
) -> None:
    """Add grain to the pixels of a box of whole blocks."""
    _native.add_grain(
        pixels.reshape(*pixels.shape[:2], -1),
        grain.levels,
        (file.header.height, file.header.width),
        grain.seed,
        grain.cell,
        grain.brightness,
        size,
        box,
        threads,
    )


def _too_large(size: tuple[int, int], limits: Limits) -> LimitError:
    return LimitError(
        f"the work to render {size[0]} x {size[1]} pixels (height x width) is above the limit "
        f"max_work={limits.max_work}"
    )


def _drawn_from_gaussians(
    file: ParsedFile, request: DecodeRequest, size: tuple[int, int], limits: Limits
) -> NDArray[Any]:
    """Draw a file of the paper's profile; Python decodes its Gaussians."""
    from gaussianimage.codec.paper_profile.file import measure_work
    from gaussianimage.picture import to_array  # imports Pillow, which only this function needs

    threads = request.threads or None
    gaussians = decode_parsed_file(file, threads=threads, layers=request.layers)
    if request.size is not None:
        drawn = resized(gaussians, size)
        if measure_work(drawn, threads, crop=request.crop) > limits.max_work:
            raise _too_large(size, limits)
    in_bytes = request.dtype == np.uint8 and not file.header.has_alpha
    pixels = render(
        gaussians,
        size=request.size,
        crop=request.crop,
        dtype=np.uint8 if in_bytes else np.float32,
        threads=threads,
    )
    if not in_bytes:
        return to_array(pixels, request.dtype)
    return pixels[..., 0] if file.header.channels == 1 else pixels


def decode_tiled(
    file: ParsedFile,
    content: TiledContent,
    *,
    threads: int | None,
    levels: int | None,
    limits: Limits,
) -> Gaussians:
    """Decode all Gaussians of a tiled file, or those of its first levels."""
    grid = content.index.grid
    if max(grid.height, grid.width) > MAX_PICTURE_SIDE:
        raise LimitError(
            f"Gaussians of {grid.height} x {grid.width} pixels (height x width) can't be one "
            f"value: {MAX_PICTURE_SIDE} a side at most"
        )
    limits.require("max_gaussians", content.index.gaussians, "the number of Gaussians")
    side = BACKGROUND_SIGMA * max(grid.height, grid.width)
    parts = [
        (
            np.array([[grid.width / 2, grid.height / 2]]),
            np.array([[side, 0.0, side]]),
            content.parameters.background_color[None].astype(np.float32),
        )
    ]
    count = layer_count(file, levels)
    places = [
        place
        for place, length in zip(grid.places(), content.index.lengths, strict=True)
        if length and place.level < count
    ]
    reading_work(content, places, limits)
    for place in places:
        tile = read_tile(file, content, place, limits, thread_count(threads))
        scale = grid.scales[place.level]
        parts.append((tile.means * scale, tile.cholesky * scale, tile.colors))
    means, cholesky, colors = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Gaussians.from_cholesky(
        means, cholesky, colors, grid.height, grid.width, file.header.q_max
    )


def decode_parsed_file(
    file: ParsedFile,
    *,
    threads: int | None = None,
    layers: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Gaussians:
    """Decode the Gaussians of a parsed file, as `gaussianimage.decode_gaussians` does."""
    header = file.header
    if isinstance(file.content, TiledContent):
        return decode_tiled(file, file.content, threads=threads, levels=layers, limits=limits)
    if not isinstance(file.content, LayerContent):
        from gaussianimage.codec.decoder.paper_record import read_record
        from gaussianimage.codec.paper_profile.file import measure_work

        gaussians = read_record(file, layers=layers).gaussians()
        if measure_work(gaussians, threads) > header.work:
            raise too_much_work(file)
        return gaussians
    chunks = layer_chunks(file, layers)
    counts, arrays = _native.decode_layers(
        file.content.parameters.quantizer(header.height, header.width),
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
    background = file.content.parameters.background_color
    return Gaussians.from_cholesky(
        np.concatenate(([[header.width / 2, header.height / 2]], means)),
        np.concatenate(([[side, 0.0, side]], cholesky)),
        np.concatenate((background[None], colors)),
        header.height,
        header.width,
        header.q_max,
    )
