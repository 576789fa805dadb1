"""The header of a `.gimg` file, and the limits on the resources that a file may need."""

from dataclasses import dataclass, field, fields

from gaussianimage._util.arguments import integer
from gaussianimage.codec.format.container import HEAD, Chunk
from gaussianimage.codec.format.quantizer import parameters_size
from gaussianimage.codec.format.varint import read_varint, write_varint
from gaussianimage.errors import (
    FormatError,
    LargePictureWarning,
    LimitError,
    UnsupportedError,
    warn_outside,
)

VERSION = 1
"""Version of the format that this package writes, and the newest that it reads."""

# The format's own bounds, which hold for any limits of the caller. Float32 is exact for integers up
# to 2^24.
MAX_SIDE = 2**24
MAX_GAUSSIANS = 2**28
MAX_LAYERS = 255
Q_MAX_UNIT = 1 / 2048
BLOCK_WIDTH = 8
"""Pixels in a block, the unit of `Header.work`: 8 pixels of one row."""
GAUSSIAN_WORK = 64
"""Cost of decoding and preparing a Gaussian, in blocks drawn in the same time."""
STRIP_WORK = 16
"""Cost of listing a Gaussian in a column of blocks, in blocks drawn in the same time."""
WARN_PIXELS = 2**30 // 4 // 3
"""Pixels in a quarter of a gibibyte of 8-bit RGB, above which Pillow warns of the size."""
GAUSSIAN_MEMORY = 200
"""Bytes of memory that drawing needs for each Gaussian, an upper estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits above which a file is refused.

    Attributes
    ----------
    max_pixels, max_side : int
        Height times width, and the longer side, in pixels. By default `max_pixels` is twice
        `warn_pixels`, the size that Pillow refuses.
    warn_pixels : int
        Height times width above which a `LargePictureWarning` is issued; by default the size above
        which Pillow warns.
    max_gaussians : int
        Number of Gaussians.
    max_work : int
        Cost of decoding and drawing, in units of the time that one block (8 pixels of a row)
        takes: 2 to 6 ns of one core. By default a photo of `max_pixels` at quality 75 is within it.
        The limit applies to the work that the file announces and, if the picture is drawn at
        another size, to the work at that size. In a tiled file every tile that is read counts 2¹⁶,
        and every pixel of its map of alpha 8.
    max_output : int
        Bytes of the pixels that are drawn.
    max_memory : int
        Bytes of the pixels that are drawn plus 200 for each Gaussian, about the memory that
        decoding needs.
    max_metadata : int
        Bytes of each of ICC profile, EXIF and XMP, decompressed.

    Raises
    ------
    TypeError, ValueError
        A limit is not an integer, or is negative.
    """

    max_pixels: int = 2 * WARN_PIXELS
    warn_pixels: int = WARN_PIXELS
    max_side: int = 2**16
    max_gaussians: int = 2**22
    max_work: int = 3 * 2**29
    max_output: int = 2**29
    max_memory: int = 10**9
    max_metadata: int = 2**24

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = integer(limit.name, getattr(self, limit.name))
            if value < 0:
                raise ValueError(f"{limit.name}: expected at least 0, got {value}")

    @classmethod
    def checked(cls, limits: object) -> "Limits":
        """Return the argument `limits` of a function; a `TypeError` if it is not `Limits`."""
        if not isinstance(limits, Limits):
            raise TypeError(f"limits: expected Limits, got {type(limits).__name__}")
        return limits

    @property
    def of_a_picture(self) -> tuple[int, int, int, int, int, int]:
        """Limits for native code: unwarned pixels, side, Gaussians, work, output, memory."""
        return (
            _u64(min(self.max_pixels, self.warn_pixels)),
            _u64(self.max_side),
            _u64(self.max_gaussians),
            _u64(self.max_work),
            _u64(self.max_output),
            _u64(self.max_memory),
        )

    def check_output(self, output: int, gaussians: int) -> None:
        """Refuse to draw `output` bytes of pixels from `gaussians` Gaussians.

        Raises
        ------
        LimitError
            A limit is exceeded; the message names it.
        """
        self.require("max_output", output, "the size of the pixels, in bytes,")
        memory = output + GAUSSIAN_MEMORY * gaussians
        self.require("max_memory", memory, "the memory to draw in, in bytes,")

    def require(self, name: str, value: int, what: str) -> None:
        """Refuse a value above the limit called `name`.

        Raises
        ------
        LimitError
            The value is above the limit.
        """
        limit = getattr(self, name)
        if value > limit:
            raise LimitError(f"{what} is {value}, above the limit {name}={limit}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The fields of the ``HEAD`` chunk.

    Attributes
    ----------
    height, width : int
        Nominal size in pixels, 1…2^24.
    channels : int
        1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha.
    bit_depth : int
        Bits per sample of the source picture, 8 or 16; a hint for the decoder's output.
    gaussians : int
        Number of Gaussians in all layers together, 0…2^28.
    layers : int
        Number of ``LAYR`` chunks of the whole file, at most 255 and at most one per Gaussian.
    q_max : float
        Cut-off exponent of the Gaussians, a multiple of 1/2048 between 0 and 32; `nearest_q_max`
        rounds to one.
    work : int
        Upper bound on the cost of decoding and drawing at the nominal size (docs/format.md). Each
        Gaussian costs `GAUSSIAN_WORK`. In each column of blocks (8 pixels of a row, the first at
        the left edge) that it touches with q ≤ q_max, it costs `STRIP_WORK` plus the number of
        rows that it touches there.
    parameters : bytes
        The `QuantizerParameters` of the layers as bytes; empty in a file of the paper's profile.
    alpha_map : bytes
        The map of fully transparent and fully opaque pixels; empty if there is none.
    version, min_reader : int
        Version of the format of the file, and the oldest version whose readers can read the file.

    Raises
    ------
    ValueError
        A value is out of range.
    """

    height: int
    width: int
    channels: int
    bit_depth: int = 8
    gaussians: int
    layers: int
    q_max: float
    work: int
    parameters: bytes = field(default=b"", repr=False)
    alpha_map: bytes = field(default=b"", repr=False)
    version: int = VERSION
    min_reader: int = 1

    def __post_init__(self) -> None:
        blocks = GAUSSIAN_WORK + -(-self.width // BLOCK_WIDTH) * (STRIP_WORK + self.height)
        ranges = {
            "version": (1, 255),
            "min_reader": (1, self.version),
            "height": (1, MAX_SIDE),
            "width": (1, MAX_SIDE),
            "channels": (1, 4),
            "gaussians": (0, MAX_GAUSSIANS),
            "layers": (min(1, self.gaussians), min(MAX_LAYERS, self.gaussians)),
            "work": (0, min(self.gaussians * blocks, 2**64 - 1)),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be in {low}..{high}, got {value}")
        if self.bit_depth not in (8, 16):
            raise ValueError(f"bit_depth must be 8 or 16, got {self.bit_depth}")
        if self.alpha_map and not self.has_alpha:
            raise ValueError(f"a map of alpha in a picture of {self.channels} channels")
        if self.alpha_map and len(self.parameters) != parameters_size(self.channels):
            raise ValueError("a map of alpha needs quantizer parameters")
        if self.q_max != nearest_q_max(self.q_max):
            raise ValueError(f"q_max must be a multiple of 1/2048, got {self.q_max}")

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.channels in (2, 4)

    def check(self, limits: Limits) -> None:
        """Refuse a file that exceeds a limit, and warn of a picture with many pixels.

        Raises
        ------
        LimitError
            A limit is exceeded; the message names it.
        """
        limits.require("max_side", max(self.height, self.width), "the longer side in pixels")
        limits.require("max_pixels", self.height * self.width, "the number of pixels")
        limits.require("max_gaussians", self.gaussians, "the number of Gaussians")
        limits.require("max_work", self.work, "the work to render, in blocks,")
        if self.height * self.width > limits.warn_pixels:
            warn_outside(
                f"the file's picture has {self.height} x {self.width} pixels (height x width), "
                f"more than warn_pixels={limits.warn_pixels}",
                LargePictureWarning,
            )

    def to_chunk(self) -> Chunk:
        """Return the ``HEAD`` chunk."""
        flags = self.channels - 1 | (self.bit_depth == 16) << 2 | bool(self.alpha_map) << 3
        parts = [
            bytes([self.version, self.min_reader, flags]),
            write_varint(self.height),
            write_varint(self.width),
            write_varint(self.gaussians),
            bytes([self.layers]),
            round(self.q_max / Q_MAX_UNIT).to_bytes(2, "little"),
            write_varint(self.work),
            self.parameters,
            self.alpha_map,
        ]
        return Chunk(HEAD, b"".join(parts))

    @classmethod
    def from_chunk(cls, chunk: Chunk) -> "Header":
        """Return the header that a ``HEAD`` chunk holds.

        Raises
        ------
        UnsupportedError
            The file needs a newer reader.
        FormatError
            The chunk is not a valid header.
        """
        data, offset = chunk.payload, chunk.payload_offset
        fixed = bytes(data[:3])
        if len(fixed) < 3:
            raise FormatError("chunk HEAD is too short", offset)
        version, min_reader, flags = fixed
        if min_reader > VERSION:
            raise UnsupportedError(
                f"the file needs a reader of version {min_reader} of the format, this one "
                f"reads up to {VERSION}"
            )
        if flags >> 4:
            raise FormatError(f"reserved flags must be 0, found {flags >> 4:#x}", offset + 2)
        position = 3
        sizes = []
        for _ in range(3):
            value, position = read_varint(data, position, offset=offset)
            sizes.append(value)
        height, width, gaussians = sizes
        tail = bytes(data[position : position + 3])
        if len(tail) < 3:
            raise FormatError("chunk HEAD is too short", offset + position)
        work, position = read_varint(data, position + 3, offset=offset)
        channels = (flags & 3) + 1
        end = position + parameters_size(channels) if flags & 8 else len(data)
        if flags & 8 and len(data) <= end:
            raise FormatError("the map of alpha is empty", offset + len(data))
        try:
            return cls(
                height=height,
                width=width,
                channels=channels,
                bit_depth=16 if flags & 4 else 8,
                gaussians=gaussians,
                layers=tail[0],
                q_max=int.from_bytes(tail[1:], "little") * Q_MAX_UNIT,
                work=work,
                parameters=bytes(data[position:end]),
                alpha_map=bytes(data[end:]),
                version=version,
                min_reader=min_reader,
            )
        except ValueError as error:
            raise FormatError(f"impossible header: {error}", offset) from None


def _u64(value: int) -> int:
    return min(value, 2**64 - 1)


def nearest_q_max(q_max: float) -> float:
    """Round q_max to a value that a header can hold: a multiple of 1/2048 below 32."""
    if not 0 < q_max < 32:
        raise ValueError(f"q_max must be between 0 and 32, got {q_max}")
    return min(max(round(q_max / Q_MAX_UNIT), 1), 65535) * Q_MAX_UNIT
