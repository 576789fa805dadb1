"""From the bytes of a file to Gaussians and pixels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gaussianimage import _native
from gaussianimage.arguments import MAX_SIDE, crop_box, integer
from gaussianimage.codec.format import (
    GAUSSIANS,
    LAYER,
    QUANTIZERS,
    Chunk,
    read_chunks,
    read_whole_chunks,
    require_known,
)
from gaussianimage.codec.header import Header, Limits
from gaussianimage.codec.metadata import TYPES, Metadata
from gaussianimage.codec.settings import SHAPE_STEP_ONE, Settings
from gaussianimage.codec.varint import Buffer
from gaussianimage.engine import render, thread_count
from gaussianimage.errors import FormatError, UnsupportedError
from gaussianimage.gaussians import Gaussians
from gaussianimage.picture import to_array

if TYPE_CHECKING:
    from gaussianimage.codec.paper.chunks import Profile

_KNOWN = (b"HEAD", LAYER, QUANTIZERS, GAUSSIANS, *TYPES.values())

# Standard deviation of the Gaussian that stands for the background, in sides of the picture.
BACKGROUND_SIGMA = 1000.0

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class File:
    """A file that has been checked but whose Gaussians have not been decoded.

    Attributes
    ----------
    header : Header
    settings : Settings
        Of the layers; a black background for a file of the paper's profile, which has none.
    metadata : Metadata
    chunks : list of Chunk
        All whole chunks, without the closing one.
    damage : FormatError or None
        What is wrong after those, if a broken file was asked for.
    profile : Profile or None
        The quantizers of a file of the paper's profile; None for one with layers.
    """

    header: Header
    settings: Settings
    metadata: Metadata
    chunks: list[Chunk]
    damage: FormatError | None
    profile: "Profile | None" = None


def open_file(data: Buffer, *, limits: Limits = DEFAULT_LIMITS, partial: bool = False) -> File:
    """Check a file: its checksums, its header, and that it stays within the limits.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As `decode`.
    """
    damage = None
    if partial:
        chunks, damage = read_whole_chunks(data)
    else:
        chunks = read_chunks(data)
    require_known(chunks, _KNOWN)
    head = chunks[0]
    header = Header.from_chunk(head)
    header.check(limits)
    if max(header.height, header.width) > MAX_SIDE:
        raise UnsupportedError(
            f"the file's picture is {header.height} x {header.width} pixels (height x width); "
            f"this version draws {MAX_SIDE} a side at most"
        )
    metadata = Metadata.from_chunks(chunks, limits)
    if not header.settings:
        from gaussianimage.codec.paper.chunks import read_profile

        profile = read_profile(header, chunks, damage)
        settings = Settings(0, SHAPE_STEP_ONE, (0,) * header.channels)
        return File(header, settings, metadata, chunks, damage, profile)
    settings = Settings.from_bytes(
        header.settings, header.channels, offset=_settings_offset(head, header)
    )
    for chunk in chunks:
        if chunk.type in (QUANTIZERS, GAUSSIANS):
            raise FormatError(f"chunk {chunk.name} in a file of layers", chunk.offset)
    layers = sum(chunk.type == LAYER for chunk in chunks)
    if layers > header.layers or (damage is None and layers < header.layers):
        raise FormatError(
            f"the header announces {header.layers} layers, found {layers}", head.payload_offset
        )
    return File(header, settings, metadata, chunks, damage)


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
        Height and width to draw at, in pixels; the nominal size by default.
    crop : (int, int, int, int), optional
        Top, left, height and width of the part to draw, in pixels of the picture at `size`.
    dtype : uint8, uint16 or float32, default uint8
        Floats are 0 to 1.
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
    kind = np.dtype(dtype)
    file = open_file(data, limits=limits, partial=partial)
    bytes_alone = kind == np.uint8 and not file.header.has_alpha
    if bytes_alone and size is None and file.profile is None:
        pixels = _drawn(file, crop, layers, threads)
        return pixels[..., 0] if file.header.channels == 1 else pixels
    gaussians = gaussians_of(file, threads=threads, layers=layers)
    if bytes_alone and file.profile is not None:
        pixels = render(gaussians, size=size, crop=crop, dtype=np.uint8, threads=threads)
        return pixels[..., 0] if file.header.channels == 1 else pixels
    return to_array(render(gaussians, size=size, crop=crop, threads=threads), kind)


def _drawn(
    file: File, crop: tuple[int, int, int, int] | None, layers: int | None, threads: int | None
) -> NDArray[np.uint8]:
    """Decode at the nominal size to bytes, in one call of the engine."""
    header = file.header
    nominal = (header.height, header.width)
    top, left, height, width = (0, 0, *nominal) if crop is None else crop_box("crop", crop, nominal)
    chunks = _layer_chunks(file, layers)
    # The strips of a crop begin elsewhere, so a Gaussian may touch one more of them.
    most_work = header.work if crop is None else header.work + header.gaussians * height
    whole, found, pixels = _native.decode_picture(
        file.settings.quantizer(*nominal),
        [bytes(chunk.payload) for chunk in chunks],
        header.layers,
        header.gaussians,
        file.settings.background_color.astype(np.float32),
        header.q_max,
        left,
        top,
        height,
        width,
        min(most_work, 2**64 - 1),
        thread_count(threads),
    )
    _check_layers(file, chunks, whole, found)
    if pixels is None:
        raise _too_much_work(file)
    return pixels


def _layer_chunks(file: File, layers: int | None) -> list[Chunk]:
    """Return the chunks of the first layers; of all by default."""
    return [chunk for chunk in file.chunks if chunk.type == LAYER][: layer_count(file, layers)]


def layer_count(file: File, layers: int | None) -> int:
    """Return how many layers to use, all if None; a `ValueError` for more than there are."""
    if layers is None:
        return file.header.layers
    if not 0 <= integer("layers", layers) <= file.header.layers:
        raise ValueError(f"layers: expected 0 to {file.header.layers}, got {layers}")
    return layers


def _check_layers(file: File, chunks: list[Chunk], whole: int, found: int) -> None:
    """Raise what is wrong with layers that have been decoded."""
    header = file.header
    if whole < len(chunks):
        raise FormatError("a layer does not decode", chunks[whole].payload_offset)
    if len(chunks) == header.layers and found != header.gaussians:
        raise FormatError(
            f"the header announces {header.gaussians} Gaussians, found {found}",
            file.chunks[0].payload_offset,
        )


def _too_much_work(file: File) -> FormatError:
    announced = f"the header announces work of {file.header.work} blocks, found more"
    return FormatError(announced, file.chunks[0].payload_offset)


def decode_gaussians(
    data: Buffer,
    *,
    threads: int | None = None,
    layers: int | None = None,
    partial: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Gaussians:
    """Decode a ``.gimg`` file to Gaussians; the first of them is the background.

    A file of the paper's profile has no background.

    Parameters
    ----------
    data, threads, layers, partial, limits
        As for `decode`.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As for `decode`.
    """
    file = open_file(data, limits=limits, partial=partial)
    return gaussians_of(file, threads=threads, layers=layers)


def gaussians_of(file: File, *, threads: int | None = None, layers: int | None = None) -> Gaussians:
    """Decode the Gaussians of a checked file."""
    header = file.header
    if file.profile is not None:
        from gaussianimage.codec.paper.file import record_of, work_of

        gaussians = record_of(file, layers=layers).gaussians()
        if work_of(gaussians, threads) > header.work:
            raise _too_much_work(file)
        return gaussians
    chunks = _layer_chunks(file, layers)
    counts, arrays = _native.decode_layers(
        file.settings.quantizer(header.height, header.width),
        [bytes(chunk.payload) for chunk in chunks],
        header.layers,
        header.gaussians,
        thread_count(threads),
    )
    _check_layers(file, chunks, len(counts), counts[-1] if counts else 0)
    means, cholesky, colors = arrays
    work = _native.work(*arrays, header.q_max, header.height, header.width, thread_count(threads))
    if work > header.work:
        raise _too_much_work(file)
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


def _settings_offset(head: Chunk, header: Header) -> int:
    """Return where in the file the settings start, in bytes."""
    return head.payload_offset + len(head.payload) - len(header.settings)
