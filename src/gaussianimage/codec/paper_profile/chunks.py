"""The two chunks of the paper's profile: `QUAN`, its quantizers, and `GAUS`, its Gaussians."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gaussianimage.codec.format.container import GAUSSIANS, LAYER, QUANTIZERS, Chunk
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.paper_profile.quantizers import (
    MAX_BITS,
    MAX_STAGE_BITS,
    MAX_STAGES,
    ColorQuantizer,
    UniformQuantizer,
    VectorQuantizer,
)
from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.codec.paper_profile.stream import STREAMS, read_stream, write_stream
from gaussianimage.errors import FormatError

_FIXED_BYTES = 5
_SHAPE_COMPONENTS = 3
_ROTATION, _OFFSET, _HALF_PIXEL, _ANGLE = 1, 2, 4, 8


@dataclass(frozen=True)
class PaperContent:
    """The content of a file of the paper's profile: its quantizers and the chunk of its Gaussians.

    Attributes
    ----------
    stream : str
        Coding of the Gaussians, one of `gaussianimage.codec.paper_profile.stream.STREAMS`.
    shape_quantizer : UniformQuantizer
        Quantizer of the shapes.
    color_quantizer : UniformQuantizer or VectorQuantizer
        Quantizer of the colors.
    rotation, offset, half_pixel, angle : bool
        As in `gaussianimage.codec.paper_profile.record.PaperRecord`.
    gaussians : Chunk or None
        The chunk of the Gaussians; None if the file has no Gaussians or was cut before them.
    damage : FormatError or None
        The error behind the whole chunks, if the file was parsed with `partial`; else None.
    """

    stream: str
    shape_quantizer: UniformQuantizer
    color_quantizer: ColorQuantizer
    rotation: bool
    offset: bool
    half_pixel: bool
    angle: bool
    gaussians: Chunk | None
    damage: FormatError | None = None

    @property
    def color_stages(self) -> int:
        """The number of codebooks of the color; 0 if the color has an index for each channel."""
        quantizer = self.color_quantizer
        return len(quantizer.codebooks) if isinstance(quantizer, VectorQuantizer) else 0

    def formula_bits(self, header: Header) -> int:
        """Return the bits of a file by the paper's count, as in `PaperRecord.formula_bits`."""
        empty = self._empty(header)
        return header.gaussians * sum(empty.widths) + empty.formula_bits

    def record(self, header: Header, *, layers: int = 1) -> PaperRecord:
        """Decode the Gaussians.

        Parameters
        ----------
        header : Header
            The header of the same file.
        layers : int, default 1
            Number of layers to use, 0 or 1; with 0 the record is empty.

        Raises
        ------
        FormatError
            The Gaussians do not decode, or the file was cut before them.
        """
        empty, chunk = self._empty(header), self.gaussians
        if layers == 0:
            return empty
        if chunk is None:
            if self.damage is not None:
                raise self.damage
            return empty
        rows = read_stream(
            bytes(chunk.payload),
            header.gaussians,
            empty.widths,
            self.stream,
            offset=chunk.payload_offset,
        )
        try:
            return empty.with_rows(rows)
        except ValueError as error:
            raise FormatError(f"impossible Gaussians: {error}", chunk.payload_offset) from None

    def _empty(self, header: Header) -> PaperRecord:
        """Return a record without Gaussians."""
        return PaperRecord(
            positions=np.empty((0, 2), np.float16),
            shapes=np.empty((0, _SHAPE_COMPONENTS), np.uint16),
            colors=np.empty((0, len(self.color_quantizer.widths)), np.uint16),
            shape_quantizer=self.shape_quantizer,
            color_quantizer=self.color_quantizer,
            height=header.height,
            width=header.width,
            q_max=header.q_max,
            rotation=self.rotation,
            offset=self.offset,
            half_pixel=self.half_pixel,
            angle=self.angle,
        )


def write_content(record: PaperRecord, stream: str) -> list[Chunk]:
    """Return the chunks of a record, with a stream of the kind `stream`, one of `STREAMS`.

    Raises
    ------
    ValueError
        The record has more Gaussians than the stream can hold.
    """
    quantizer = record.color_quantizer
    stages = len(quantizer.codebooks) if isinstance(quantizer, VectorQuantizer) else 0
    flags = _ROTATION * record.rotation | _OFFSET * record.offset
    flags |= _HALF_PIXEL * record.half_pixel | _ANGLE * record.angle
    fixed = [STREAMS.index(stream), flags, record.shape_quantizer.bits, quantizer.bits, stages]
    chunks = [Chunk(QUANTIZERS, bytes(fixed) + record.side_information())]
    if len(record):
        chunks.append(Chunk(GAUSSIANS, write_stream(record.rows(), record.widths, stream)))
    return chunks


def read_content(
    header: Header, chunks: Sequence[Chunk], damage: FormatError | None
) -> PaperContent:
    """Check a file's chunks and read its quantizers; `damage` is the error behind them.

    Raises
    ------
    FormatError
        A chunk is missing, out of order, repeated or invalid.
    """
    kinds = [chunk.type for chunk in chunks if chunk.type in (QUANTIZERS, GAUSSIANS, LAYER)]
    expected = [QUANTIZERS, GAUSSIANS][: 1 + min(header.gaussians, 1)]
    if damage is not None and not kinds:
        raise damage
    if kinds != (expected if damage is None else expected[: len(kinds)]):
        names, found = (b", ".join(types).decode() for types in (expected, kinds))
        raise FormatError(f"expected chunks {names}, found {found or 'none'}", chunks[0].offset)
    if header.layers != min(header.gaussians, 1):
        raise FormatError("a file of this profile has one layer", chunks[0].payload_offset)
    found_chunks = {chunk.type: chunk for chunk in chunks}
    content = _read_quantizers(found_chunks[QUANTIZERS], header.channels)
    return replace(content, gaussians=found_chunks.get(GAUSSIANS), damage=damage)


def _read_quantizers(chunk: Chunk, channels: int) -> PaperContent:
    """Return the content of a ``QUAN`` chunk, without Gaussians."""
    data, offset = bytes(chunk.payload), chunk.payload_offset
    if len(data) < _FIXED_BYTES:
        raise FormatError(f"chunk {chunk.name} is too short", offset)
    stream, flags, shape_bits, color_bits, stages = data[:_FIXED_BYTES]
    most_color_bits = MAX_STAGE_BITS if stages else MAX_BITS
    for place, (value, least, most) in enumerate(
        (
            (stream, 0, len(STREAMS) - 1),
            (flags, 0, _ROTATION | _OFFSET | _HALF_PIXEL | _ANGLE),
            (shape_bits, 1, MAX_BITS),
            (color_bits, 1, most_color_bits),
            (stages, 0, MAX_STAGES),
        )
    ):
        if not least <= value <= most:
            raise FormatError(f"expected {least} to {most}, found {value}", offset + place)
    if flags & _ANGLE and not flags & _ROTATION:
        raise FormatError("an angle without a rotation", offset + 1)
    colors = stages * 2**color_bits * channels if stages else 2 * channels
    size = _FIXED_BYTES + 4 * (2 * _SHAPE_COMPONENTS + colors)
    if len(data) != size:
        raise FormatError(f"expected {size} bytes of quantizers, found {len(data)}", offset)
    numbers = np.frombuffer(data, "<f4", offset=_FIXED_BYTES)
    shape, color = np.split(numbers, [2 * _SHAPE_COMPONENTS])
    try:
        return PaperContent(
            stream=STREAMS[stream],
            shape_quantizer=UniformQuantizer(shape_bits, *np.split(shape, 2)),
            color_quantizer=(
                VectorQuantizer(color.reshape(stages, 2**color_bits, channels))
                if stages
                else UniformQuantizer(color_bits, *np.split(color, 2))
            ),
            rotation=bool(flags & _ROTATION),
            offset=bool(flags & _OFFSET),
            half_pixel=bool(flags & _HALF_PIXEL),
            angle=bool(flags & _ANGLE),
            gaussians=None,
        )
    except ValueError as error:
        raise FormatError(f"impossible quantizers: {error}", offset) from None
