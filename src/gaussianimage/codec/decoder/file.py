"""The bytes of a file, checked: its header, its settings and its chunks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gaussianimage._util.arguments import MAX_SIDE, integer
from gaussianimage.codec.format.container import (
    GAUSSIANS,
    LAYER,
    QUANTIZERS,
    Chunk,
    read_chunks,
    read_whole_chunks,
    require_known,
)
from gaussianimage.codec.format.header import Header, Limits
from gaussianimage.codec.format.metadata import TYPES, Metadata
from gaussianimage.codec.format.quantizer import SHAPE_STEP_ONE, QuantizerParameters
from gaussianimage.codec.format.varint import Buffer, read_varint
from gaussianimage.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from gaussianimage.codec.paper_profile.chunks import Profile

_KNOWN = (b"HEAD", LAYER, QUANTIZERS, GAUSSIANS, *TYPES.values())

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class File:
    """A file that has been checked but whose Gaussians have not been decoded.

    Attributes
    ----------
    header : Header
    settings : QuantizerParameters
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
    settings: QuantizerParameters
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
    Limits.checked(limits)
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
        from gaussianimage.codec.paper_profile.chunks import read_profile

        profile = read_profile(header, chunks, damage)
        settings = QuantizerParameters(0, SHAPE_STEP_ONE, (0,) * header.channels)
        return File(header, settings, metadata, chunks, damage, profile)
    settings = QuantizerParameters.from_bytes(
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


def layer_chunks(file: File, layers: int | None) -> list[Chunk]:
    """Return the chunks of the first layers; of all by default."""
    return [chunk for chunk in file.chunks if chunk.type == LAYER][: layer_count(file, layers)]


def layer_count(file: File, layers: int | None) -> int:
    """Return how many layers to use, all if None; a `ValueError` for more than there are."""
    if layers is None:
        return file.header.layers
    if not 0 <= integer("layers", layers) <= file.header.layers:
        raise ValueError(f"layers: expected 0 to {file.header.layers}, got {layers}")
    return layers


def enough_layers(file: File, gaussians: int) -> int | None:
    """Return how many first layers have as many Gaussians; None if it takes all of them."""
    count = 0
    for index, chunk in enumerate(layer_chunks(file, None)):
        count += _gaussians_in(chunk)
        if count >= gaussians:
            return index + 1
    return None


def _gaussians_in(layer: Chunk) -> int:
    """Return how many Gaussians a layer says that it has."""
    data, offset = layer.payload, layer.payload_offset
    if len(data) < 2:
        raise FormatError("a layer does not decode", offset)
    classes = int.from_bytes(data[:2], "little").bit_count()
    total, position = 0, 2
    for _ in range(classes):
        count, position = read_varint(data, position, offset=offset)
        total += count
    return total


def bad_alpha_map(file: File) -> FormatError:
    """Return the error of a file whose map of alpha does not decode."""
    head = file.chunks[0]
    end = head.payload_offset + len(head.payload)
    return FormatError("the map of alpha does not decode", end - len(file.header.alpha_map))


def check_layers(file: File, chunks: list[Chunk], whole: int, found: int) -> None:
    """Raise what is wrong with layers that have been decoded."""
    header = file.header
    if whole < len(chunks):
        raise FormatError("a layer does not decode", chunks[whole].payload_offset)
    if len(chunks) == header.layers and found != header.gaussians:
        raise FormatError(
            f"the header announces {header.gaussians} Gaussians, found {found}",
            file.chunks[0].payload_offset,
        )


def too_much_work(file: File) -> FormatError:
    """Return the error of a file that takes more work than its header says."""
    announced = f"the header announces work of {file.header.work} blocks, found more"
    return FormatError(announced, file.chunks[0].payload_offset)


def _settings_offset(head: Chunk, header: Header) -> int:
    """Return where in the file the settings start, in bytes."""
    end = head.payload_offset + len(head.payload)
    return end - len(header.alpha_map) - len(header.settings)
