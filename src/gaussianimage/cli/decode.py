"""The command `decode`: decodes .gimg files to pictures."""

import time
from typing import Any

import click

from gaussianimage import Limits, decode, picture, thumbnail
from gaussianimage._util.arguments import MAX_PICTURE_SIDE
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.errors import describe
from gaussianimage.cli.options import (
    BatchOptions,
    background_option,
    batch_options,
    bit_depth_option,
    files_argument,
    grain_option,
    metadata_options,
    partial_option,
)
from gaussianimage.cli.outputs import PictureFormat, picture_format_options
from gaussianimage.cli.paths import Item, plan
from gaussianimage.cli.report import result_line
from gaussianimage.cli.run_items import JobContext, Outcome, run
from gaussianimage.cli.sources import GIMG, limit_options, naming_partial, output_type
from gaussianimage.cli.viewport import Viewport, viewport_options
from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.decoder.ranges import ByteRanges
from gaussianimage.codec.decoder.source import opening
from gaussianimage.codec.format.varint import Buffer
from gaussianimage.picture.keeping import Kept, keep

EXAMPLES = """
gaussianimage decode photo.gimg photo.png
gaussianimage decode photo.gimg preview.jpg --size 320x
gaussianimage decode *.gimg -o previews/ --thumbnail 96
gaussianimage decode photo.gimg detail.png --scale 4 --crop 800,400,640,480
gaussianimage decode *.gimg -o pictures/ --format webp -q 80
gaussianimage decode -r photos/ -o pictures/ --format jpg
gaussianimage decode - - < photo.gimg > photo.png
"""


@subcommand(
    "Decode .gimg files to pictures.",
    EXAMPLES,
)
@files_argument("INPUT... [OUTPUT]")
@viewport_options
@click.option(
    "--thumbnail",
    "longest",
    type=click.IntRange(1, MAX_PICTURE_SIDE),
    metavar="N",
    help="Draw a picture with sides of at most N pixels, from as few layers as it needs.",
)
@bit_depth_option("as the encoded picture had")
@partial_option
@grain_option
@background_option("Put pictures with alpha on a color")
@picture_format_options
@metadata_options
@batch_options
@limit_options
def command(
    files: tuple[str, ...],
    viewport: Viewport,
    longest: int | None,
    bit_depth: int | None,
    partial: bool,
    grain: bool,
    background: str | None,
    picture_format: PictureFormat,
    metadata: Kept,
    batch: BatchOptions,
    limits: Limits,
) -> int:
    """Decode .gimg files to pictures.

    INPUT is a .gimg file, or - for stdin. OUTPUT is a picture in any format that Pillow writes, or
    - for stdout, or a folder. The extension selects the format. A folder either exists, or its name
    ends in / or has no extension. Several inputs need a folder. ICC profile, EXIF and XMP are
    copied, with the location in them, if the format can hold them; see --strip and --strip-gps.
    """
    if longest is not None and viewport != Viewport(None, None, None):
        raise click.UsageError("--thumbnail goes without --size, --scale and --crop.")

    def work(item: Item, job: JobContext) -> Outcome:
        with opening(item.source) as (data, _):
            return decode_one(item, job, data)

    def decode_one(item: Item, job: JobContext, data: Buffer | ByteRanges) -> Outcome:
        began = time.perf_counter()
        with naming_partial(data, limits):
            file = parse_file(data, limits=limits, partial=partial)
        header, extras = file.header, file.metadata
        options: dict[str, Any] = {
            "dtype": output_type(bit_depth or header.bit_depth),
            "threads": job.threads,
            "partial": partial,
            "limits": limits,
        }
        if longest is None:
            size, crop = viewport.resolve(header.height, header.width)
            pixels = decode(data, size=size, crop=crop, grain=grain, **options)
        else:
            pixels = thumbnail(data, longest, **options)
        icc = extras.icc
        if background is not None and header.has_alpha:
            pixels = picture.flatten_array(pixels, background)
            if header.channels == 2 and pixels.ndim == 3:
                icc = None  # The profile is for gray; the picture is RGB now.
        picture.write(
            item.target,
            pixels,
            **picture_format.options(item.target),
            **keep(metadata, {"icc": icc, "exif": extras.exif, "xmp": extras.xmp}),
        )
        if file.damage is not None:
            job.reporter.warn(f"gaussianimage: {describe(file.damage, item.source)}; drawn in part")
        height, width = pixels.shape[:2]
        seconds = time.perf_counter() - began
        facts = {
            "width": width,
            "height": height,
            "gaussians": file.gaussians_left,
            "seconds": seconds,
            "damaged": file.damage is not None,
        }
        line = result_line(height, width, file.gaussians_left, seconds=seconds)
        return Outcome(line, facts=facts)

    items = plan(
        files,
        batch.output,
        suffix=picture_format.suffix,
        refuse=picture_format.refuse,
        recursive=bool(batch.recursive),
        extensions=lambda: GIMG,
    )
    picture_format.check(items)
    return run(items, work, batch)
