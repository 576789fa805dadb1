"""Reading what commands work on: pictures, .gimg files and safetensors files."""

from dataclasses import fields
from pathlib import Path

import click
import numpy as np

from gaussianimage import GaussianImageError, Limits, decode, decode_gaussians
from gaussianimage.cli.options import Function, packed
from gaussianimage.codec.format import SIGNATURE
from gaussianimage.codec.opened import DEFAULT_LIMITS, open_file
from gaussianimage.files import is_stream, read_input
from gaussianimage.gaussians import Gaussians
from gaussianimage.picture import Picture, from_array, read

__all__ = ["is_gimg", "limit_options", "output_type", "read_gaussians", "read_picture"]

_NO_LIMIT = 2**63
_PIXEL_BYTES = 16
"""The largest pixel: four channels in float32."""


def read_gaussians(source: str, limits: Limits) -> Gaussians:
    """Read Gaussians: from a safetensors file if it is called so, else from a .gimg file."""
    if Path(source).suffix.lower() == ".safetensors":
        return Gaussians.load(source)
    return decode_gaussians(read_input(source), limits=limits)


def read_picture(source: str, limits: Limits) -> Picture:
    """Read a picture, or decode a .gimg file to one as it would be written."""
    if not is_stream(source):
        with Path(source).open("rb") as file:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                return read(source, max_pixels=limits.max_pixels)
    data = read_input(source)
    if not is_gimg(data):
        return read(data, max_pixels=limits.max_pixels)
    try:
        header = open_file(data, limits=limits).header
        return from_array(decode(data, dtype=output_type(header.bit_depth), limits=limits))
    except GaussianImageError as error:
        error.add_note(f"in {'stdin' if is_stream(source) else source}")
        raise


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
            help="Refuse pictures of more pixels.  [default: 178956970, with a warning from half]",
        ),
        click.option(
            "--no-limits",
            is_flag=True,
            help="Trust the file: accept whatever size and work it announces.",
        ),
    )


def _limits(*, max_pixels: int | None, no_limits: bool) -> Limits:
    if no_limits:
        return Limits(**{limit.name: _NO_LIMIT for limit in fields(Limits)})
    if max_pixels is None:
        return DEFAULT_LIMITS
    # So many pixels are wanted, then, and in any format.
    room = _PIXEL_BYTES * max_pixels
    return Limits(
        max_pixels=max_pixels,
        warn_pixels=max_pixels,
        max_output=max(DEFAULT_LIMITS.max_output, room),
        max_memory=DEFAULT_LIMITS.max_memory + room,
    )
