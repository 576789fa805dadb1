"""The command `batch`: any number of pictures, on this machine or on a Ray cluster."""

import json
from typing import Any

import click

from gaussianimage._util.arguments import MAX_PICTURE_SIDE
from gaussianimage.batching.batch import BatchProgress, BatchSummary, batch
from gaussianimage.cli.command import subcommand, verbosity
from gaussianimage.cli.errors import FAILED, INTERRUPTED, printable
from gaussianimage.cli.options import (
    FILE,
    TargetOptions,
    alpha_options,
    effort_option,
    engine_options,
    json_option,
    max_pixels_option,
    metadata_options,
    seed_option,
    target_options,
    white_option,
)
from gaussianimage.cli.progress import Reporter
from gaussianimage.cli.report import bytes_text, plural, seconds_text
from gaussianimage.cli.run_items import terminable
from gaussianimage.codec.encoder.effort import DEFAULT_EFFORT
from gaussianimage.picture import MAX_PIXELS, Kept

EXAMPLES = """
gaussianimage batch photos/ small/ -q 60
gaussianimage batch photos/ small/ --engine ray -j 16 -e 3
gaussianimage batch 's3://bucket/photos/**/*.jpg' s3://bucket/small --engine ray --address auto
gaussianimage batch @names.txt small/ --retry-failed
gaussianimage batch small/ web/ --decode --format webp -q 80
gaussianimage batch small/ previews/ --thumbnail 256 --format jpg
"""

# Options of encoding with their defaults; --decode and --thumbnail have no use for them.
_ENCODING = {
    "gaussians": None,
    "bpp": None,
    "size": None,
    "psnr": None,
    "ssim": None,
    "alpha": True,
    "alpha_quality": None,
    "background": None,
    "effort": DEFAULT_EFFORT,
    "seed": 0,
    "white": None,
    "max_pixels": MAX_PIXELS,
}


@subcommand(
    "Encode or decode any number of pictures, here or on a Ray cluster.",
    EXAMPLES,
    more_when_verbose="Print a line after each picture where stderr is no terminal.",
)
@click.argument("source", metavar="INPUT", type=FILE)
@click.argument("folder", metavar="OUTPUT", type=FILE)
@click.option("--decode", is_flag=True, help="Decode .gimg files to pictures.")
@click.option(
    "--thumbnail",
    "longest",
    type=click.IntRange(1, MAX_PICTURE_SIDE),
    metavar="N",
    help="Draw .gimg files as pictures with sides of at most N pixels.",
)
@click.option(
    "--format",
    "suffix",
    metavar="EXT",
    help="Extension of the pictures of --decode and --thumbnail, for which -q is 1 to 100, of "
    "JPEG, WebP and AVIF.  [default: png]",
)
@engine_options
@click.option(
    "--manifest",
    type=FILE,
    metavar="FILE",
    help="File or URL of one JSON line for each picture, or .parquet.  [default: manifest.jsonl "
    "in OUTPUT]",
)
@click.option(
    "--root",
    type=FILE,
    metavar="FOLDER",
    help="For a list, the folder whose names and subfolders outputs keep.  [default: the last "
    "that all inputs are in]",
)
@click.option("--retry-failed", is_flag=True, help="Try the pictures again that failed before.")
@target_options
@alpha_options
@metadata_options
@effort_option
@seed_option
@white_option
@max_pixels_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@json_option
def command(
    source: str,
    folder: str,
    decode: bool,
    longest: int | None,
    suffix: str | None,
    engine: str,
    address: str | None,
    jobs: int | None,
    manifest: str | None,
    root: str | None,
    retry_failed: bool,
    target: TargetOptions,
    alpha: dict[str, Any],
    metadata: Kept,
    quiet: bool,
    as_json: bool,
    **others: Any,
) -> int:
    """Encode or decode any number of pictures, on this machine or on a Ray cluster.

    INPUT is a folder, whose subfolders OUTPUT gets too; a pattern in quotes; a file; or @FILE, a
    file with a path or URL on each line. INPUT, OUTPUT and the listed names may be URLs, such as
    s3://bucket/photos, where fsspec and the store's package are installed.

    The manifest gets a row for each picture: sizes, Gaussians, PSNR, seconds, worker, or the error.
    The same command does what is missing after Ctrl-C, a crash or a full disk. A picture that ends
    its worker is tried again alone.
    """
    values = {**target.as_arguments(), **alpha, "metadata": metadata, **others}
    values["seed"] = values["seed"] or 0
    task, options = _choose(values, decode=decode, longest=longest, suffix=suffix)
    with Reporter(quiet=quiet, verbose=verbosity()) as reporter, terminable():
        last: list[BatchProgress] = []
        try:
            with reporter.overview("pictures") as show:

                def tell(now: BatchProgress) -> None:
                    last[:] = [now]
                    show(now.skipped + now.done + now.failed, now.total, _news(now))

                summary = batch(
                    source,
                    folder,
                    task=task,
                    engine=engine,
                    address=address,
                    jobs=jobs,
                    manifest=manifest,
                    root=root,
                    retry_failed=retry_failed,
                    progress=tell,
                    **options,
                )
        except (TypeError, ValueError) as error:
            raise click.UsageError(f"{printable(str(error))}.") from error
        except ImportError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            left = ""
            if last:
                now = last[0]
                count = now.total - now.skipped - now.done - now.failed
                left = f"{count} of {now.total} not done; "
            reporter.warn(f"gaussianimage: interrupted; {left}the same command goes on from here")
            return INTERRUPTED
        if as_json:
            click.echo(json.dumps(summary.as_dict()))
        else:
            reporter.say(_line(summary))
        if summary.failed:
            again = "" if retry_failed else "; --retry-failed tries them again"
            reporter.warn(
                f"gaussianimage: {summary.failed} of {summary.total} failed; their errors are in "
                f"{printable(summary.manifest)}{again}"
            )
    return FAILED if summary.failed else 0


def _choose(
    values: dict[str, Any], *, decode: bool, longest: int | None, suffix: str | None
) -> tuple[str, dict[str, Any]]:
    """Return the task and its options.

    Raises
    ------
    UsageError
        If options of different tasks are given.
    """
    if not decode and longest is None:
        if suffix is not None:
            raise click.UsageError("--format goes with --decode or --thumbnail.")
        return "encode", values
    if decode and longest is not None:
        raise click.UsageError("--decode and --thumbnail are two tasks; give one of them.")
    task = "decode" if decode else "thumbnail"
    for name, default in _ENCODING.items():
        if values[name] != default:
            option = "no-alpha" if name == "alpha" else name.replace("_", "-")
            raise click.UsageError(f"--{option} is for encoding, not for --{task}.")
    quality = values["quality"]
    if quality is not None and not quality.is_integer():
        raise click.UsageError(f"--quality of pictures is a whole number, not {quality:g}.")
    options = {
        "format": suffix or "png",
        "quality": None if quality is None else int(quality),
        "metadata": values["metadata"],
    }
    return task, options if longest is None else {**options, "longest": longest}


def _news(now: BatchProgress) -> str:
    """Return how far a batch is, as "40 of 99, 1 failed, 19.0 s left, 3.1 pictures/s, 6.2 MP/s"."""
    # A terminal cuts the end off.
    parts = [f"{now.skipped + now.done + now.failed} of {now.total}"]
    if now.failed:
        parts.append(f"{now.failed} failed")
    if now.seconds_left:
        parts.append(f"{seconds_text(now.seconds_left)} left")
    if now.done and now.seconds > 0:
        parts.append(f"{now.done / now.seconds:.1f} pictures/s")
        parts.append(f"{now.pixels / now.seconds / 1e6:.1f} MP/s")
        parts.append(f"{now.bytes_in / now.seconds / 1e6:.1f} MB/s")
    return ", ".join(parts)


def _line(summary: BatchSummary) -> str:
    parts = [f"{plural(summary.done, 'picture')} done"]
    if summary.skipped:
        parts.append(f"{summary.skipped} done before")
    if summary.repeated:
        parts.append(f"{summary.repeated} listed again")
    if summary.done:
        parts.append(f"{summary.pixels / 1e6:.1f} MP")
        parts.append(f"{bytes_text(summary.bytes_in)} to {bytes_text(summary.bytes_out)}")
    parts.append(seconds_text(summary.seconds))
    return ", ".join(parts)
