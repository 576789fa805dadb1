"""The command `render`: draws Gaussians as the picture that they encode, or as ellipses."""

import time
from typing import Any

import click
import numpy as np

from gaussianimage import Limits, UnsupportedError, picture, rendering
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.errors import describe
from gaussianimage.cli.options import (
    BatchOptions,
    FiniteRange,
    Function,
    batch_options,
    bit_depth_option,
    check_device,
    device_option,
    files_argument,
    packed,
    partial_option,
)
from gaussianimage.cli.outputs import PictureFormat, picture_format_options
from gaussianimage.cli.paths import Item, plan
from gaussianimage.cli.report import result_line
from gaussianimage.cli.run_items import JobContext, Outcome, run
from gaussianimage.cli.sources import (
    GIMG,
    Blended,
    limit_options,
    output_type,
    read_gaussians,
)
from gaussianimage.cli.viewport import Viewport, viewport_options
from gaussianimage.visualize.ellipses import draw_ellipses

EXAMPLES = """
gaussianimage render photo.safetensors photo.png
gaussianimage render photo.gimg ellipses.png --ellipses
gaussianimage render photo.gimg lines.png --ellipses --style outline --scale 2
gaussianimage render photo.gimg detail.png --scale 8 --crop 3000,1000,640,480
"""


def _ellipse_options(function: Function) -> Function:
    """Add --ellipses and its styles; the function gets arguments of `draw_ellipses`, or None."""
    return packed(
        function,
        "ellipses",
        _look,
        click.option(
            "--ellipses", "wanted", is_flag=True, help="Draw each Gaussian as an ellipse."
        ),
        click.option(
            "--style",
            type=click.Choice(["filled", "outline"]),
            help="Style of the ellipses.  [default: filled]",
        ),
        click.option(
            "--background",
            type=click.Choice(["black", "white"]),
            help="Color behind the ellipses.  [default: black]",
        ),
        click.option(
            "--sigma",
            type=FiniteRange(0.01, 10),
            metavar="S",
            help="Size of the ellipses in standard deviations.  [default: 1]",
        ),
    )


def _look(*, wanted: bool, **options: Any) -> dict[str, Any] | None:
    given = {name: value for name, value in options.items() if value is not None}
    if given and not wanted:
        raise click.UsageError(f"--{next(iter(given))} is for --ellipses.")
    return given if wanted else None


@subcommand(
    "Draw Gaussians at any size, or as ellipses.",
    EXAMPLES,
)
@files_argument("INPUT... [OUTPUT]")
@viewport_options
@_ellipse_options
@bit_depth_option("8")
@partial_option
@picture_format_options
@device_option
@batch_options
@limit_options
def command(
    files: tuple[str, ...],
    viewport: Viewport,
    ellipses: dict[str, Any] | None,
    bit_depth: int | None,
    partial: bool,
    picture_format: PictureFormat,
    device: str,
    batch: BatchOptions,
    limits: Limits,
) -> int:
    """Draw Gaussians at any size, or as ellipses.

    INPUT is a .gimg file, or - for a .gimg file on stdin, or a .safetensors file of `fit` or of
    the commands of `paper`. Models that blend their Gaussians are drawn at their own size alone.
    OUTPUT is a picture in any format that Pillow writes, or - for stdout, or a folder. The
    extension selects the format. A folder either exists, or its name ends in / or has no extension.
    Several inputs need a folder. The output keeps only the ICC profile of a .gimg file's metadata.

    An ellipse has the color of the picture at its center. Smaller ellipses cover larger ones.
    """
    if ellipses is not None and bit_depth == 16:
        raise click.UsageError("--ellipses are drawn with 8 bits.")
    if ellipses is not None and device != "cpu":
        raise click.UsageError("--ellipses are drawn on the CPU; leave out --device.")
    check_device(device, batch)

    def work(item: Item, job: JobContext) -> Outcome:
        began = time.perf_counter()
        drawing = read_gaussians(item.source, limits, partial=partial)
        gaussians = drawing.gaussians
        size, crop = viewport.resolve(gaussians.height, gaussians.width)
        pixels: np.ndarray[Any, Any]
        if isinstance(gaussians, Blended):
            own = gaussians.height, gaussians.width
            if ellipses is not None or crop is not None or size not in (None, own):
                raise UnsupportedError(
                    f"{item.source}: this model blends its Gaussians, and is drawn whole, at its "
                    "own size, and not as ellipses"
                )
            pixels = picture.to_array(gaussians.draw(), output_type(bit_depth or 8))
        elif ellipses is not None:
            pixels = draw_ellipses(gaussians, size=size, crop=crop, **ellipses)
        else:
            drawn = rendering.render(
                gaussians, size=size, crop=crop, threads=job.threads, device=device
            )
            pixels = picture.to_array(drawn, output_type(bit_depth or 8))
        picture.write(item.target, pixels, icc=drawing.icc, **picture_format.options(item.target))
        if drawing.damage is not None:
            told = describe(drawing.damage, item.source)
            job.reporter.warn(f"gaussianimage: {told}; drawn in part")
        height, width = pixels.shape[:2]
        seconds = time.perf_counter() - began
        return Outcome(result_line(height, width, len(gaussians), seconds=seconds))

    items = plan(
        files,
        batch.output,
        suffix=picture_format.suffix,
        refuse=picture_format.refuse,
        recursive=bool(batch.recursive),
        extensions=lambda: GIMG | {".safetensors"},
    )
    picture_format.check(items)
    return run(items, work, batch)
