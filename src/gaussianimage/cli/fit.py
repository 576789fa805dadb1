"""The command `fit`: fits Gaussians in floating point to pictures."""

from typing import Any

import click

from gaussianimage import FitState, fit
from gaussianimage._util.files import is_stream
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.errors import printable
from gaussianimage.cli.options import (
    FILE,
    BatchOptions,
    batch_options,
    check_device,
    device_option,
    files_argument,
    max_pixels_option,
    seed_option,
    white_option,
)
from gaussianimage.cli.outputs import refuse_pictures
from gaussianimage.cli.paths import Item, check_output, identity, plan
from gaussianimage.cli.report import finite, result_line
from gaussianimage.cli.run_items import JobContext, Outcome, run
from gaussianimage.fitting.fit import DEFAULT_ITERATIONS, MOST_BEYOND
from gaussianimage.picture import read
from gaussianimage.picture.reader import readable_extensions

EXAMPLES = """
gaussianimage fit photo.png photo.safetensors
gaussianimage fit photo.png photo.safetensors -n 3000 --state photo.state
gaussianimage fit photo.png photo.safetensors --resume photo.state
gaussianimage fit photo.png photo.safetensors --device cuda
gaussianimage fit *.png -o fitted/ -j 2
"""


@subcommand(
    "Fit Gaussians to pictures, without quantizing them.",
    EXAMPLES,
    more_when_verbose="Show progress even where stderr is no terminal.",
)
@files_argument("INPUT... [OUTPUT]")
@click.option(
    "-n",
    "--gaussians",
    type=click.IntRange(1, 2**24),
    metavar="N",
    help="Number of Gaussians.  [default: 9000]",
)
@click.option(
    "--iterations",
    type=click.IntRange(0, 10**7),
    metavar="N",
    help=f"Steps of the optimizer.  [default: {DEFAULT_ITERATIONS}]",
)
@seed_option
@click.option(
    "--beyond",
    type=click.FloatRange(0, MOST_BEYOND),
    default=0.0,
    metavar="AMOUNT",
    help="How far the drawing may exceed white and black, as where it is clamped.  [default: 0]",
)
@click.option(
    "--state",
    "state_file",
    type=FILE,
    metavar="FILE",
    help="Save the state that --resume continues from.",
)
@click.option(
    "--resume",
    "resume_file",
    type=FILE,
    metavar="FILE",
    help="Continue from a saved state of the same picture.",
)
@device_option
@batch_options
@white_option
@max_pixels_option
def command(
    files: tuple[str, ...],
    gaussians: int | None,
    iterations: int | None,
    seed: int | None,
    beyond: float,
    state_file: str | None,
    resume_file: str | None,
    device: str,
    batch: BatchOptions,
    white: float | None,
    max_pixels: int,
) -> int:
    """Fit Gaussians to pictures and save them as safetensors files.

    INPUT is a picture in any format that Pillow reads, or - for stdin. OUTPUT is a file, or a
    folder. A folder either exists, or its name ends in / or has no extension. Several inputs need a
    folder. Nothing is quantized; `render` draws the file, and the Python function Gaussians.load
    reads it.

    Ctrl-C ends the fit of a single input early and writes the best result so far. A second Ctrl-C
    ends the program at once. With several inputs, the first Ctrl-C does.
    """
    items = plan(
        files,
        batch.output,
        suffix=".safetensors",
        refuse=_refuse,
        recursive=bool(batch.recursive),
        extensions=readable_extensions,
    )
    if len(items) > 1 and (state_file or resume_file):
        raise click.UsageError("--state and --resume are for one input.")
    if state_file:
        _check_state(state_file, items[0])
    settings = {"gaussians": gaussians, "iterations": iterations, "seed": seed}
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    if resume_file and given:
        raise click.UsageError(
            "--resume brings its own -n, --iterations and --seed; leave out "
            f"{' and '.join(f'--{name}' for name in given)}."
        )

    check_device(device, batch)

    def work(item: Item, job: JobContext) -> Outcome:
        if state_file:
            check_output(state_file, overwrite=not batch.no_overwrite)
        source = read(item.source, white=white, max_pixels=max_pixels, warn=job.warn)
        resume = FitState.load(resume_file) if resume_file else None
        result = fit(
            source,
            **given,
            beyond=beyond,
            threads=job.threads,
            device=device,
            progress=job.progress,
            resume=resume,
            on_interrupt=job.on_interrupt,
        )
        result.gaussians.save(item.target)
        if state_file:
            result.state.save(state_file)
        line = result_line(
            source.height,
            source.width,
            len(result.gaussians),
            psnr=result.psnr,
            seconds=result.seconds,
        )
        advice = f"; go on from there with --resume {printable(state_file)}" if state_file else ""
        facts = {
            "width": source.width,
            "height": source.height,
            "gaussians": len(result.gaussians),
            "psnr": finite(result.psnr),
            "iterations": result.iterations,
            "seconds": result.seconds,
        }
        return Outcome(line, result.interrupted, advice, facts)

    return run(items, work, batch)


def _refuse(target: str) -> str | None:
    if is_stream(target):
        return "a safetensors file can't be written to stdout."
    return refuse_pictures(target)


def _check_state(state_file: str, item: Item) -> None:
    reason = _refuse(state_file)
    if identity(state_file) in (identity(item.source), identity(item.target)):
        reason = "it is the input or the output."
    if reason:
        raise click.BadParameter(f"{printable(state_file)}: {reason}", param_hint="--state")
