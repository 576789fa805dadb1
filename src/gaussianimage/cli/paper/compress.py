"""The command `paper compress`: the paper's codec, from pictures to files and measurements."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import files_argument
from gaussianimage.cli.paper.options import (
    FitOptions,
    Listed,
    RunOptions,
    fit_options,
    make_recipe,
    require_torch,
)
from gaussianimage.cli.paper.quantizers import QuantizerOptions, quantizer_options
from gaussianimage.cli.report import result_line

if TYPE_CHECKING:
    from gaussianimage.paper.compress import CompressSettings
    from gaussianimage.paper.quantized_model import QuantizerSettings
    from gaussianimage.paper.represent import Job

EXAMPLES = """
gaussianimage paper compress kodak/ -o out/ -n 800,1000,3000,5000,7000,9000
gaussianimage paper compress kodak/ -o out/ -n 3000,5000,7000 --variants final,v1,v2,v3
gaussianimage paper compress kodak/ -o out/ -n 5000 --model rs
gaussianimage paper compress kodak/ -o out/ -n 5000 --stages 3 --entries 16 --covariance-bits 8
"""


@subcommand(
    "Quantize Gaussians and write files (Tables 2, 4).",
    EXAMPLES,
    more_when_verbose="Show progress even where stderr is no terminal.",
)
@files_argument("FOLDER...")
@click.option(
    "--model",
    "models",
    type=Listed(click.Choice(["cholesky", "rs"])),
    default="cholesky",
    metavar="MODEL,...",
    help="cholesky, rs (scales and rotation) or both.  [default: cholesky]",
)
@click.option(
    "--fine-tuning",
    type=click.IntRange(0, 10**7),
    metavar="N",
    help="Iterations with quantizers, after the fit.  [default: as many as the fit]",
)
@quantizer_options
@fit_options
def command(
    files: tuple[str, ...],
    models: tuple[str, ...],
    fine_tuning: int | None,
    quantizers: QuantizerOptions,
    fits: FitOptions,
    options: RunOptions,
) -> int:
    """Compress pictures with the paper's codec, and print its Tables 2 and 4 and its curve.

    Each picture is fitted as by `represent`, unless the folder of -o has the fit. The fit is
    fine-tuned with quantizers and written as .gimg files, one for each way to code the numbers,
    from fixed widths to partial bits-back coding. Rates are measured from the files' sizes.

    Several commands can share a folder of results, and the same command continues after Ctrl-C.
    Existing results are kept, and the tables show all results of the folder.
    """
    require_torch()
    from gaussianimage.cli.paper.run import run_pictures
    from gaussianimage.paper.compress import CompressSettings, compress

    iterations = fits.iterations if fine_tuning is None else fine_tuning

    def work(job: "Job", settings: "CompressSettings") -> str:
        kept = job.results.find(settings.setting, job.sample) is not None
        record = compress(job, settings)
        line = result_line(
            record.height,
            record.width,
            settings.fit.gaussians,
            n_bytes=record.measured["bytes"]["plain"],
            psnr=record.measured["psnr"],
            seconds=record.measured["encode_seconds"],
        )
        return f"{settings.setting.label}: {line}{', kept' if kept else ''}"

    settings = [
        CompressSettings(
            fit,
            _fine_tuning(fits, fit.recipe.loss, iterations),
            _as_released(fits, fit.model, quantizer),
        )
        for fit in fits.settings(models)
        for quantizer in quantizers.settings()
    ]
    return run_pictures(files, options, settings, work)


def _as_released(
    fits: FitOptions, model: str, quantizer: "QuantizerSettings"
) -> "QuantizerSettings":
    """Return quantizers with the parts of --as-released; only the model rs has an angle."""
    changes = {
        "angle": model == "rs" and fits.quantizes_as_released("angle"),
        "revive": not fits.quantizes_as_released("revival"),
        "scaling": not fits.quantizes_as_released("scaling"),
    }
    # A part that is not as released stays as the quantizers' own options have it.
    kept = {"angle": False, "revive": True, "scaling": True}
    changed: dict[str, Any] = {k: v for k, v in changes.items() if v != kept[k]}
    return replace(quantizer, **changed)


def _fine_tuning(fits: FitOptions, loss: str, iterations: int) -> Any:
    return make_recipe(
        iterations,
        fits.halve_every,
        learning_rate=fits.learning_rate,
        loss=loss,
        seed=fits.seed,
        optimizer=fits.optimizer,
    )
