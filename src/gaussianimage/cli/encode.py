"""The command `encode`: encodes pictures as .gimg files."""

from typing import Any

import click

from gaussianimage import EncodeResult, encode_with_result, info
from gaussianimage._util.files import write_output
from gaussianimage.batching.tasks import encoded_facts
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import (
    BatchOptions,
    TargetOptions,
    alpha_options,
    batch_options,
    check_device,
    device_option,
    effort_option,
    files_argument,
    max_pixels_option,
    metadata_options,
    progressive_option,
    seed_option,
    target_options,
    tune_option,
    white_option,
)
from gaussianimage.cli.outputs import refuse_pictures
from gaussianimage.cli.paths import Item, plan
from gaussianimage.cli.report import bytes_text, result_line
from gaussianimage.cli.run_items import JobContext, Outcome, run
from gaussianimage.cli.tiled import TiledOptions, tile_work, tiled_options
from gaussianimage.codec.encoder.drawings import is_drawing
from gaussianimage.codec.encoder.search import QUALITY_TOLERANCE, decibels_of_ssim
from gaussianimage.codec.encoder.targets import Tune
from gaussianimage.codec.format.metadata import TYPES
from gaussianimage.picture import Kept, read
from gaussianimage.picture.reader import readable_extensions

METADATA = {kind.decode() for kind in TYPES.values()}

NO_PHOTO = "looks like a page, a drawing or a code; PNG or lossless WebP keeps it smaller and exact"

EXAMPLES = """
gaussianimage encode photo.png photo.gimg
gaussianimage encode photo.png photo.gimg -q 85
gaussianimage encode photo.png photo.gimg --bpp 0.25 -e 8
gaussianimage encode photo.png photo.gimg --size 20k
gaussianimage encode logo.png logo.gimg --background white
gaussianimage encode photo.jpg photo.gimg --strip-gps
gaussianimage encode photo.png photo.gimg --bpp 0.2 --grain
gaussianimage encode *.jpg -o small/ -n 9000 -j 2
gaussianimage encode -r photos/ -o small/
gaussianimage encode photo.png photo.gimg --device cuda
gaussianimage encode scan.tif scan.gimg --tiled -e 1
gaussianimage encode - - < photo.png > photo.gimg
"""


@subcommand(
    "Encode pictures as .gimg files.",
    EXAMPLES,
    more_when_verbose="Show progress even where stderr is no terminal.",
)
@files_argument("INPUT... [OUTPUT]")
@target_options
@alpha_options
@click.option(
    "--grain",
    is_flag=True,
    help="Describe fine texture that the file lacks by noise, which decoders add.",
)
@metadata_options
@progressive_option
@tune_option
@effort_option
@seed_option
@device_option
@batch_options
@white_option
@max_pixels_option
@tiled_options
def command(
    files: tuple[str, ...],
    target: TargetOptions,
    alpha: dict[str, Any],
    grain: bool,
    metadata: Kept,
    progressive: bool,
    tune: Tune | None,
    effort: int,
    seed: int | None,
    device: str,
    batch: BatchOptions,
    white: float | None,
    max_pixels: int,
    tiled: TiledOptions | None,
) -> int:
    """Encode pictures as .gimg files.

    INPUT is a picture in any format that Pillow reads, or - for stdin. OUTPUT is a file, or - for
    stdout, or a folder. A folder either exists, or its name ends in / or has no extension. Several
    inputs need a folder. Inputs that differ only in their extensions keep them: a.png.gimg.

    The ICC profile, EXIF and XMP are copied, with the location in them, and count as part of the
    size; see --strip and --strip-gps.

    --device fits the Gaussians; the CPU does the rest of the work.

    --tiled is for pictures larger than memory: a reader then reads only the parts that it draws.
    TIFF, PNG, JPEG and others are read by rows if pyvips is installed (gaussianimage[big]), .npy
    files always. Interrupted, the same command goes on; until then the tiles are in OUTPUT.part.

    Ctrl-C ends the work on a single input early and writes the best result so far. A second Ctrl-C
    ends the program at once. With several inputs, the first Ctrl-C does.
    """
    check_device(device, batch)
    if tiled is not None:
        tiled.check(target, alpha, device=device, white=white, grain=grain)

    def work(item: Item, job: JobContext) -> Outcome:
        source = read(item.source, white=white, max_pixels=max_pixels, warn=job.warn)
        encoded = encode_with_result(
            source,
            **target.as_arguments(),
            **alpha,
            grain=grain,
            metadata=metadata,
            progressive=progressive,
            tune=tune,
            effort=effort,
            seed=seed or 0,
            threads=job.threads,
            device=device,
            progress=job.progress,
            on_interrupt=job.on_interrupt,
        )
        write_output(item.target, encoded.data)
        if not encoded.interrupted and (missed := _missed(target, encoded)):
            job.reporter.warn(f"gaussianimage: {item.name}: {missed}")
        if told := _mostly_metadata(target, encoded):
            job.reporter.warn(f"gaussianimage: {item.name}: {told}")
        if is_drawing(source):
            job.reporter.warn(f"gaussianimage: {item.name}: {NO_PHOTO}")
        line = result_line(
            source.height,
            source.width,
            encoded.gaussians,
            n_bytes=len(encoded.data),
            psnr=encoded.psnr,
            seconds=encoded.seconds,
        )
        facts = {
            **encoded_facts(encoded),
            "bytes": len(encoded.data),
            "bpp": encoded.bpp,
            "seconds": encoded.seconds,
        }
        return Outcome(line, encoded.interrupted, facts=facts)

    items = plan(
        files,
        batch.output,
        suffix=".gimg",
        refuse=refuse_pictures,
        recursive=bool(batch.recursive),
        extensions=readable_extensions,
    )
    if tiled is None:
        return run(items, work, batch)
    by_tiles = tile_work(
        tiled,
        target,
        metadata=metadata,
        progressive=progressive,
        tune=tune,
        effort=effort,
        seed=seed or 0,
    )
    return run(items, by_tiles, batch)


def _mostly_metadata(target: TargetOptions, encoded: EncodeResult) -> str | None:
    """Return a warning if metadata takes more than half of a file with a target size, or None."""
    if target.size is None and target.bpp is None:
        return None
    taken = sum(chunk.size for chunk in info(encoded.data).chunks if chunk.type in METADATA)
    if 2 * taken <= len(encoded.data):
        return None
    return f"{bytes_text(taken)} are ICC profile, EXIF and XMP (--strip leaves them out)"


def _missed(target: TargetOptions, encoded: EncodeResult) -> str | None:
    """Return a warning if the file does not meet its target, or None."""
    too_many_bits = target.bpp is not None and encoded.bpp > target.bpp
    if too_many_bits or (target.size is not None and len(encoded.data) > target.size):
        return "larger than asked for, even without any Gaussians"
    if target.psnr is not None and abs(encoded.psnr - target.psnr) > QUALITY_TOLERANCE:
        return f"the nearest PSNR that was found is {encoded.psnr:.2f} dB, not {target.psnr:g}"
    if target.ssim is not None and encoded.ssim is not None:
        off = decibels_of_ssim(encoded.ssim) - decibels_of_ssim(target.ssim)
        if abs(off) > QUALITY_TOLERANCE:
            return f"the nearest SSIM that was found is {encoded.ssim:.4f}, not {target.ssim:g}"
    return None
