"""The command `paper represent`: fits in floating point, by the paper's recipe."""

from typing import TYPE_CHECKING

import click

from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import files_argument
from gaussianimage.cli.paper.options import (
    MODELS,
    OFFSETS,
    FitOptions,
    Listed,
    RunOptions,
    fit_options,
    require_torch,
)
from gaussianimage.cli.report import result_line

if TYPE_CHECKING:
    from gaussianimage.paper.represent import Job
    from gaussianimage.paper.settings import FitSettings

EXAMPLES = """
gaussianimage paper represent kodak/ -o out/ -n 70000
gaussianimage paper represent kodak/ -o out/ -n 30000 --model cholesky,rs --offset with,without
gaussianimage paper represent kodak/ -o out/ -n 30000 --loss l2,l1,ssim,l1+ssim,l2+ssim
gaussianimage paper represent kodak/ -o out/ -n 3000 --iterations 2000 --only kodim03,kodim05
"""


@subcommand(
    "Fit Gaussians to pictures (Tables 1, 3, 5).",
    EXAMPLES,
    more_when_verbose="Show progress even where stderr is no terminal.",
)
@files_argument("FOLDER...")
@click.option(
    "--model",
    "models",
    type=Listed(click.Choice(MODELS)),
    default="cholesky",
    metavar="MODEL,...",
    help="cholesky, rs (scales and rotation), opacity (a sum with opacities), alpha (blended) or "
    "3dgs, or several separated by commas.  [default: cholesky]",
)
@click.option(
    "--offset",
    "offsets",
    type=Listed(click.Choice(OFFSETS)),
    default="with",
    metavar="with,without",
    help="Whether half a pixel is added to the lengths (Table 5).  [default: with]",
)
@click.option(
    "--fill",
    is_flag=True,
    help="Start 3dgs all over the picture, for runs of less than about 10,000 iterations.",
)
@click.option(
    "--sh-degree",
    type=click.IntRange(0, 3),
    default=3,
    metavar="D",
    help="Degree of the spherical harmonics of 3dgs.  [default: 3]",
)
@click.option(
    "--save-imgs",
    is_flag=True,
    help="Write each fit's picture as a PNG beside it.",
)
@fit_options
def command(
    files: tuple[str, ...],
    models: tuple[str, ...],
    offsets: tuple[str, ...],
    fill: bool,
    sh_degree: int,
    save_imgs: bool,
    fits: FitOptions,
    options: RunOptions,
) -> int:
    """Fit Gaussians to pictures by the paper's recipe, and print its Tables 1, 3 and 5.

    FOLDER holds pictures: the Kodak set, DIV2K's validation set at half size, or any others.
    The folder of -o gets one JSON and one safetensors file for each picture, and at the end all
    tables in tables.md.

    Several commands can share a folder of results, and the same command continues after Ctrl-C.
    Existing results are kept, and the tables show all results of the folder.
    """
    require_torch()
    from gaussianimage.cli.paper.run import run_pictures
    from gaussianimage.paper.represent import represent, save_picture

    def work(job: "Job", settings: "FitSettings") -> str:
        kept = job.results.find(settings.setting, job.sample) is not None
        record = represent(job, settings)
        if save_imgs:
            save_picture(job, settings)
        line = result_line(
            record.height,
            record.width,
            settings.gaussians,
            psnr=record.measured["psnr"],
            seconds=record.measured["seconds"],
        )
        offset = "" if settings.offset else ", no offset"
        name = f"{settings.model}, {settings.recipe.loss}{offset}"
        return f"{name}: {line}{', kept' if kept else ''}"

    chosen = [offset == "with" for offset in offsets]
    return run_pictures(
        files, options, fits.settings(models, chosen, fill=fill, sh_degree=sh_degree), work
    )
