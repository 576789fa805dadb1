"""The command `compare`: measures of how close two pictures are."""

import json
from collections.abc import Callable, Iterator
from math import isfinite
from typing import TypeAlias

import click
import numpy as np
from numpy.typing import NDArray

from gaussianimage import Limits, Picture
from gaussianimage._util.files import is_stream
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import FILE, FiniteRange, grain_option, json_option, white_option
from gaussianimage.cli.outputs import require_picture
from gaussianimage.cli.paths import check_output, identity
from gaussianimage.cli.report import dimensions
from gaussianimage.cli.sources import limit_options, read_picture
from gaussianimage.metrics import ms_ssim, mse, psnr, ssim
from gaussianimage.picture import write
from gaussianimage.visualize.difference import difference

Pixels: TypeAlias = NDArray[np.float32]  # (H, W, C)

EXAMPLES = """
gaussianimage compare photo.png photo.gimg
gaussianimage compare photo.png photo.jpg --json
gaussianimage compare photo.png photo.gimg --difference difference.png --gain 8
"""


@subcommand("Measure how close two pictures are.", EXAMPLES)
@click.argument("a", metavar="A", type=FILE)
@click.argument("b", metavar="B", type=FILE)
@click.option(
    "--difference",
    "difference_file",
    type=FILE,
    metavar="FILE",
    help="Write B - A as a picture, which is middle gray where A and B are equal.",
)
@click.option(
    "--gain",
    type=FiniteRange(0, min_open=True),
    default=4,
    metavar="G",
    help="Factor on the differences in the picture of --difference.  [default: 4]",
)
@grain_option
@white_option
@json_option
@limit_options
def command(
    a: str,
    b: str,
    difference_file: str | None,
    gain: float,
    grain: bool,
    white: float | None,
    as_json: bool,
    limits: Limits,
) -> None:
    """Measure how close two pictures are: PSNR, SSIM and MS-SSIM.

    A and B are .gimg files or pictures in any format that Pillow reads. They have the same size,
    and one of them may be - for stdin. If only one picture has color, the gray one is compared as
    RGB. If only one has alpha, the other is compared as opaque. Color is multiplied by alpha.
    --white applies to pictures only: a .gimg file holds its own white.
    """
    if difference_file is not None:
        stdout = "stdout is for the figures." if is_stream(difference_file) else None
        if reason := stdout or require_picture(difference_file):
            raise click.BadParameter(f"{difference_file}: {reason}", param_hint="--difference")
        if identity(difference_file) in (identity(a), identity(b)):
            raise click.BadParameter(f"{difference_file}: it is A or B.", param_hint="--difference")
        check_output(difference_file, overwrite=True)
    if is_stream(a) and is_stream(b):
        raise click.UsageError("stdin can be read only once.")
    pair = [read_picture(source, limits, white=white, grain=grain) for source in (a, b)]
    sizes = [dimensions(picture.height, picture.width) for picture in pair]
    if sizes[0] != sizes[1]:
        raise ValueError(f"the pictures differ in size: {sizes[0]} and {sizes[1]}")
    x, y = _alike(*pair)
    figures: dict[str, float | None] = {
        "mse": mse(x, y),
        "psnr": psnr(x, y),
        "ssim": _unless_small(ssim, x, y),
        "ms_ssim": _unless_small(ms_ssim, x, y),
    }
    if difference_file is not None:
        write(difference_file, difference(*pair, gain=gain))
    if as_json:
        # JSON has no infinity; the mse of equal pictures is 0.
        values = {name: v if v is not None and isfinite(v) else None for name, v in figures.items()}
        click.echo(json.dumps({"a": a, "b": b, **values}))
    else:
        click.echo("\n".join(_lines(figures)))


def _alike(a: Picture, b: Picture) -> tuple[Pixels, Pixels]:
    """Give both pictures color, or alpha, if one of them has it."""
    color, alpha = max(a.channels, b.channels) > 2, a.has_alpha or b.has_alpha
    x, y = (_with_channels(picture, color=color, alpha=alpha) for picture in (a, b))
    return x, y


def _with_channels(picture: Picture, *, color: bool, alpha: bool) -> Pixels:
    pixels = picture.pixels
    shades = pixels[..., :-1] if picture.has_alpha else pixels
    if color and shades.shape[2] == 1:
        shades = np.repeat(shades, 3, axis=2)
    if not alpha:
        return shades
    opacity = pixels[..., -1:] if picture.has_alpha else np.ones_like(pixels[..., :1])
    return np.concatenate((shades, opacity), axis=2)


def _unless_small(metric: Callable[[Pixels, Pixels], float], x: Pixels, y: Pixels) -> float | None:
    """Return a metric's value, or None if the pictures are smaller than its window."""
    try:
        return metric(x, y)
    except ValueError:
        return None


def _lines(figures: dict[str, float | None]) -> Iterator[str]:
    yield f"PSNR     {figures['psnr']:.2f} dB" if figures["mse"] else "PSNR     no error"
    for label, name in (("SSIM   ", "ssim"), ("MS-SSIM", "ms_ssim")):
        value = figures[name]
        yield f"{label}  the pictures are too small" if value is None else f"{label}  {value:.5f}"
