"""The command `decode`: .gimg files to pictures."""

import time
from typing import Any

import click

from gaussianimage import Limits, decode, picture, thumbnail
from gaussianimage.arguments import MAX_SIDE
from gaussianimage.cli.batch import Job, Outcome, run
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.errors import describe
from gaussianimage.cli.options import (
    BatchOptions,
    background_option,
    batch_options,
    bit_depth_option,
)
from gaussianimage.cli.outputs import format_option, require_picture
from gaussianimage.cli.paths import Item, plan
from gaussianimage.cli.report import result_line
from gaussianimage.cli.sources import limit_options, output_type
from gaussianimage.cli.viewport import Viewport, viewport_options
from gaussianimage.codec.opened import open_file
from gaussianimage.files import is_stream, read_input

EXAMPLES = """
gaussianimage decode photo.gimg photo.png
gaussianimage decode photo.gimg preview.jpg --size 320x
gaussianimage decode *.gimg -o previews/ --thumbnail 96
gaussianimage decode photo.gimg detail.png --scale 4 --crop 800,400,640,480
gaussianimage decode *.gimg -o pictures/ --format webp
gaussianimage decode - - < photo.gimg > photo.png
"""


@subcommand(
    "Decode .gimg files to pictures.",
    EXAMPLES,
)
@click.argument("files", nargs=-1, required=True, metavar="INPUT... [OUTPUT]")
@viewport_options
@click.option(
    "--thumbnail",
    "longest",
    type=click.IntRange(1, MAX_SIDE),
    metavar="N",
    help="Draw at most N pixels a side, from no more layers than these need.",
)
@bit_depth_option("as the encoded picture had")
@click.option(
    "--partial",
    is_flag=True,
    help="Accept a file that is cut off or damaged, and draw what comes before that place.",
)
@background_option("Put pictures with alpha on a color")
@format_option
@batch_options
@limit_options
def command(
    files: tuple[str, ...],
    viewport: Viewport,
    longest: int | None,
    bit_depth: int | None,
    partial: bool,
    background: str | None,
    suffix: str,
    batch: BatchOptions,
    limits: Limits,
) -> None:
    """Decode .gimg files to pictures.

    INPUT is a .gimg file, or - for stdin. OUTPUT is a picture in any format that Pillow writes,
    which its extension tells, or - for stdout. Several inputs need a folder as OUTPUT. An ICC
    profile, EXIF and XMP are carried over where the format can hold them.
    """
    if longest is not None and viewport != Viewport(None, None, None):
        raise click.UsageError("--thumbnail goes without --size, --scale and --crop.")

    def work(item: Item, job: Job) -> Outcome:
        began = time.perf_counter()
        data = read_input(item.source)
        file = open_file(data, limits=limits, partial=partial)
        header, metadata = file.header, file.metadata
        options: dict[str, Any] = {
            "dtype": output_type(bit_depth or header.bit_depth),
            "threads": job.threads,
            "partial": partial,
            "limits": limits,
        }
        if longest is None:
            size, crop = viewport.resolve(header.height, header.width)
            pixels = decode(data, size=size, crop=crop, **options)
        else:
            pixels = thumbnail(data, longest, **options)
        icc = metadata.icc
        if background is not None and header.has_alpha:
            pixels = picture.flatten_array(pixels, background)
            if header.channels == 2 and pixels.ndim == 3:
                icc = None  # one for gray, which the picture no longer is
        picture.write(
            item.target,
            pixels,
            format=suffix if is_stream(item.target) else None,
            icc=icc,
            exif=metadata.exif,
            xmp=metadata.xmp,
        )
        if file.damage is not None:
            job.reporter.warn(f"gaussianimage: {describe(file.damage, item.source)}; drawn in part")
        height, width = pixels.shape[:2]
        seconds = time.perf_counter() - began
        return Outcome(result_line(height, width, header.gaussians, seconds=seconds))

    items = plan(files, batch.output, suffix=suffix, refuse=require_picture)
    run(items, work, batch)
