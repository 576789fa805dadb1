"""Readers of the inputs of commands: pictures, .gimg files and safetensors files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from gaussianimage import FormatError, GaussianImageError, Limits, decode
from gaussianimage._util.files import is_stream, read_input
from gaussianimage._util.safetensors import read_kind
from gaussianimage.cli.errors import warning
from gaussianimage.cli.options import Function, packed
from gaussianimage.cli.require import require_torch
from gaussianimage.codec.decoder.draw import decode_parsed_file
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS, parse_file
from gaussianimage.codec.decoder.ranges import ByteRanges
from gaussianimage.codec.decoder.source import opening
from gaussianimage.codec.format.container import SIGNATURE
from gaussianimage.codec.format.varint import Buffer
from gaussianimage.gaussians import Gaussians
from gaussianimage.picture import Picture, from_array, read
from gaussianimage.picture.warn import ignore

__all__ = [
    "GIMG",
    "MODEL_KIND",
    "QUANTIZED_KIND",
    "Blended",
    "Drawing",
    "Saved",
    "is_gimg",
    "limit_options",
    "naming_partial",
    "naming_source",
    "output_type",
    "print_warning",
    "read_gaussians",
    "read_picture",
    "read_saved",
]

GIMG = frozenset({".gimg"})

# The kinds of safetensors files in which `paper represent` and `paper compress` keep their models.
MODEL_KIND = "gaussianimage.paper.model"
QUANTIZED_KIND = "gaussianimage.paper.quantized_model"

_NO_LIMIT = 2**63
_PIXEL_BYTES = 16
"""The largest pixel: four channels in float32."""


@dataclass(frozen=True)
class Blended:
    """A model of `paper represent` or `paper import` that blends its Gaussians in an order.

    It is no sum, so it has one size, and no Gaussians that the package could draw otherwise.
    """

    height: int
    width: int
    count: int
    draw: Callable[[], NDArray[np.float32]]  # returns pixels (H, W, C), not clamped

    channels = 3

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True)
class Drawing:
    """What there is to draw, the ICC profile of its colors, and the damage of its file."""

    gaussians: Gaussians | Blended
    icc: bytes | None = None
    damage: FormatError | None = None


def read_gaussians(source: str, limits: Limits, *, partial: bool = False) -> Drawing:
    """Read Gaussians from a safetensors file, known by its extension, or from a .gimg file.

    A safetensors file is one of `fit`, or a model that a command of `paper` has written.
    """
    if Path(source).suffix.lower() == ".safetensors":
        return Drawing(read_saved(source).gaussians)
    with opening(source) as (data, _):
        with naming_partial(data, limits):
            file = parse_file(data, limits=limits, partial=partial)
        return Drawing(decode_parsed_file(file, limits=limits), file.metadata.icc, file.damage)


@dataclass(frozen=True)
class Saved:
    """The content of a safetensors file, and the name of the paper's model that it is, if any."""

    gaussians: Gaussians | Blended
    model: str | None = None
    is_quantized: bool = False


def read_saved(source: str) -> Saved:
    """Read a safetensors file of `fit`, `paper represent`, `paper compress` or `paper import`.

    Raises
    ------
    ClickException
        If the file holds a model, and PyTorch is not installed.
    FormatError, OSError
        If the file is of another kind or damaged.
    """
    kind = read_kind(source)
    if kind not in (MODEL_KIND, QUANTIZED_KIND):
        return Saved(Gaussians.load(source))
    require_torch()
    from gaussianimage.paper.checkpoints import load_model, load_quantized
    from gaussianimage.torch import (
        BlendedModel,
        CholeskyModel,
        ScaleRotationModel,
        SplattingModel,
    )

    if kind == QUANTIZED_KIND:
        quantized = load_quantized(source)
        return Saved(quantized.record().gaussians(), type(quantized.model).__name__, True)
    model = load_model(source)
    name = type(model).__name__
    if isinstance(model, CholeskyModel | ScaleRotationModel) and not isinstance(
        model, BlendedModel
    ):
        return Saved(model.gaussians(), name)
    assert isinstance(model, BlendedModel | SplattingModel)
    shape = model if isinstance(model, SplattingModel) else model.canvas

    def draw() -> NDArray[np.float32]:
        pixels: NDArray[np.float32] = model.requires_grad_(False)().numpy()
        return pixels

    return Saved(Blended(shape.height, shape.width, len(model.means), draw), name)


@contextmanager
def naming_partial(
    data: Buffer | ByteRanges, limits: Limits, option: str = "--partial"
) -> Iterator[None]:
    """Note in an error about damage that --partial draws the part before it, if it does."""
    try:
        yield
    except FormatError as error:
        with suppress(GaussianImageError):
            parse_file(data, limits=limits, partial=True)
            error.add_note(f"{option} draws what comes before")
        raise


@contextmanager
def naming_source(source: str) -> Iterator[None]:
    """Note in an error about a file's content which file it is."""
    try:
        yield
    except GaussianImageError as error:
        error.add_note(f"in {'stdin' if is_stream(source) else source}")
        raise


def read_picture(
    source: str, limits: Limits, *, white: float | None = None, grain: bool = True
) -> Picture:
    """Read a picture, or decode a .gimg file to the picture that `decode` would write.

    Warnings go to stderr. `white` is for pictures only; see `gaussianimage.picture.read`. `grain`
    is for .gimg files only: whether to add their grain.
    """

    def read_file(data: str | bytes) -> Picture:
        return read(data, white=white, max_pixels=limits.max_pixels, warn=print_warning)

    if not is_stream(source):
        with Path(source).open("rb") as file:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                return read_file(source)
    read_before = read_input(source) if is_stream(source) else None
    if read_before is not None and not is_gimg(read_before):
        return read_file(read_before)
    with opening(read_before or source) as (data, _), naming_source(source):
        with naming_partial(data, limits, "decode --partial"):
            header = parse_file(data, limits=limits).header
        pixels = decode(data, dtype=output_type(header.bit_depth), grain=grain, limits=limits)
        return from_array(pixels, warn=ignore)


def print_warning(message: str) -> None:
    """Print a warning about a picture on stderr."""
    click.echo(warning(message), err=True)


def output_type(bit_depth: int) -> type[np.uint8 | np.uint16]:
    """Return the type of samples of 8 or 16 bits."""
    return np.uint16 if bit_depth == 16 else np.uint8


def is_gimg(data: bytes) -> bool:
    """Whether bytes are a .gimg file, by their start."""
    return data.startswith(SIGNATURE)


def limit_options(function: Function) -> Function:
    """Add --max-pixels and --no-limits; the function gets them as `limits`."""
    return packed(
        function,
        "limits",
        _limits,
        click.option(
            "--max-pixels",
            type=click.IntRange(1),
            metavar="N",
            help="Refuse pictures of more than N pixels.  [default: 178956970, with a warning from "
            "half]",
        ),
        click.option(
            "--no-limits",
            is_flag=True,
            help="Accept any size and amount of work that a file announces.",
        ),
    )


def _limits(*, max_pixels: int | None, no_limits: bool) -> Limits:
    if no_limits:
        return Limits(**{limit.name: _NO_LIMIT for limit in fields(Limits)})
    if max_pixels is None:
        return DEFAULT_LIMITS
    # The user asks for this many pixels, so they are allowed in any format, without a warning.
    room = _PIXEL_BYTES * max_pixels
    return Limits(
        max_pixels=max_pixels,
        warn_pixels=max_pixels,
        max_output=max(DEFAULT_LIMITS.max_output, room),
        max_memory=DEFAULT_LIMITS.max_memory + room,
    )
