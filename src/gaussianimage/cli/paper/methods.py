"""The command `paper methods`: methods after GaussianImage, each by its own recipe."""

from typing import TYPE_CHECKING

import click

from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import files_argument
from gaussianimage.cli.paper.options import (
    Listed,
    RunOptions,
    choose_device,
    require_torch,
    run_options,
)
from gaussianimage.cli.report import result_line

if TYPE_CHECKING:
    from gaussianimage.paper.methods.run import MethodSettings
    from gaussianimage.paper.represent import Job

EXAMPLES = """
gaussianimage paper methods kodak/ -o out/ -n 5000 --method gaussianimage,gaussianimage++,lig
gaussianimage paper methods kodak/ -o out/ -n 5000 --method gaussianimage++ --codec
gaussianimage paper methods kodak/ -o out/ -n 2000 --method image-gs --iterations 300
"""

METHODS = ("gaussianimage", "gaussianimage++", "lig", "image-gs", "smartsplat", "layered")


@subcommand(
    "Fit Gaussians by methods after GaussianImage.",
    EXAMPLES,
    more_when_verbose="Show progress even where stderr is no terminal.",
)
@files_argument("FOLDER...")
@click.option(
    "--method",
    "methods",
    type=Listed(click.Choice(METHODS)),
    required=True,
    metavar="METHOD,...",
    help=f"{', '.join(METHODS)}, or several separated by commas.",
)
@click.option(
    "-n",
    "--gaussians",
    type=Listed(click.IntRange(2, 2**24)),
    required=True,
    metavar="N,...",
    help="Number of Gaussians, or several numbers separated by commas.",
)
@click.option(
    "--iterations",
    type=click.IntRange(1, 10**7),
    default=50_000,
    metavar="N",
    help="Steps of the optimizer; below 10,000 the step sizes are larger.  [default: 50000]",
)
@click.option(
    "--codec",
    is_flag=True,
    help="Quantize too, with half as many iterations more; gaussianimage++ only.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=1,
    metavar="N",
    help="Seed of the random numbers.  [default: 1]",
)
@click.option("--device", metavar="NAME", help="Device.  [default: cuda if there is one]")
@run_options
def command(
    files: tuple[str, ...],
    methods: tuple[str, ...],
    gaussians: tuple[int, ...],
    iterations: int,
    codec: bool,
    seed: int,
    device: str | None,
    options: RunOptions,
) -> int:
    """Fit Gaussians to pictures by other methods, and print a table beside their publications.

    Each method is a page on the training loop of gaussianimage.torch: GaussianImage++ grows where
    the error is largest, LIG has a level at half the size, Image-GS blends the nearest ten,
    SmartSplat starts where the picture varies, and layered fits every layer for itself.

    The folder of -o gets one JSON for each picture and method. Existing results are kept.
    """
    require_torch()
    from gaussianimage.cli.paper.run import run_pictures
    from gaussianimage.paper.methods.run import MethodSettings, run_method

    chosen = choose_device(device)
    try:
        settings = [
            MethodSettings(method, count, iterations, seed, codec, chosen)
            for count in gaussians
            for method in methods
        ]
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error

    def work(job: "Job", settings: "MethodSettings") -> str:
        record = run_method(job, settings)
        measured = record.measured
        line = result_line(
            record.height,
            record.width,
            settings.gaussians,
            n_bytes=measured.get("bytes"),
            psnr=measured.get("coded_psnr", measured["psnr"]),
            seconds=measured["seconds"],
        )
        return f"{settings.method}: {line}"

    return run_pictures(files, options, settings, work)
