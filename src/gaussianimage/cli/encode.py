"""The command `encode`: pictures to .gimg files."""

from typing import Any

import click

from gaussianimage import Encoded, encode_picture
from gaussianimage.cli.batch import Job, Outcome, run
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import (
    BatchOptions,
    Target,
    alpha_options,
    batch_options,
    effort_option,
    max_pixels_option,
    seed_option,
    target_options,
    white_option,
)
from gaussianimage.cli.outputs import refuse_pictures
from gaussianimage.cli.paths import Item, plan
from gaussianimage.cli.report import result_line
from gaussianimage.codec.search import QUALITY_TOLERANCE, decibels_of_ssim
from gaussianimage.files import write_output
from gaussianimage.picture import read

EXAMPLES = """
gaussianimage encode photo.png photo.gimg
gaussianimage encode photo.png photo.gimg -q 60
gaussianimage encode photo.png photo.gimg --bpp 0.25 -e 8
gaussianimage encode photo.png photo.gimg --size 20000
gaussianimage encode logo.png logo.gimg --background white
gaussianimage encode *.jpg -o small/ -n 9000 -j 2
gaussianimage encode - - < photo.png > photo.gimg
"""


@subcommand(
    "Encode pictures as .gimg files.",
    EXAMPLES,
    more_when_verbose="Show progress even where stderr is no terminal.",
)
@click.argument("files", nargs=-1, required=True, metavar="INPUT... [OUTPUT]")
@target_options
@alpha_options
@effort_option
@seed_option
@batch_options
@white_option
@max_pixels_option
def command(
    files: tuple[str, ...],
    target: Target,
    alpha: dict[str, Any],
    effort: int,
    seed: int | None,
    batch: BatchOptions,
    white: float | None,
    max_pixels: int,
) -> None:
    """Encode pictures as .gimg files.

    INPUT is a picture in any format that Pillow reads, or - for stdin. OUTPUT is a file, or - for
    stdout. Several inputs need a folder as OUTPUT.

    Ctrl-C ends a fit early; the file is written all the same, with the best so far.
    """

    def work(item: Item, job: Job) -> Outcome:
        source = read(item.source, white=white, max_pixels=max_pixels, warn=job.warn)
        encoded = encode_picture(
            source,
            **target.as_arguments(),
            **alpha,
            effort=effort,
            seed=seed or 0,
            threads=job.threads,
            progress=job.progress,
        )
        write_output(item.target, encoded.data)
        if not encoded.interrupted and (missed := _missed(target, encoded)):
            job.reporter.warn(f"gaussianimage: {item.name}: {missed}")
        line = result_line(
            source.height,
            source.width,
            encoded.gaussians,
            n_bytes=len(encoded.data),
            psnr=encoded.psnr,
            seconds=encoded.seconds,
        )
        return Outcome(line, encoded.interrupted)

    run(plan(files, batch.output, suffix=".gimg", refuse=refuse_pictures), work, batch)


def _missed(target: Target, encoded: Encoded) -> str | None:
    """Return what to say of a target that the file does not meet."""
    too_many_bits = target.bpp is not None and encoded.bpp > target.bpp
    if too_many_bits or (target.size is not None and len(encoded.data) > target.size):
        return "larger than asked for, as it is without any Gaussians"
    if target.psnr is not None and abs(encoded.psnr - target.psnr) > QUALITY_TOLERANCE:
        return f"the nearest PSNR that was found is {encoded.psnr:.2f} dB, not {target.psnr:g}"
    if target.ssim is not None and encoded.ssim is not None:
        off = decibels_of_ssim(encoded.ssim) - decibels_of_ssim(target.ssim)
        if abs(off) > QUALITY_TOLERANCE:
            return f"the nearest SSIM that was found is {encoded.ssim:.4f}, not {target.ssim:g}"
    return None
