"""A run over pictures and settings: progress, Ctrl-C, failures, and the tables at its end."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaussianimage._util.files import write_atomic
from gaussianimage.batching.engines import check_engine
from gaussianimage.cli.errors import INTERRUPTED, printable
from gaussianimage.cli.options import BatchOptions
from gaussianimage.cli.paper.options import RunOptions
from gaussianimage.cli.paths import Item, check_names
from gaussianimage.cli.run_items import JobContext, Outcome, RayOptions, run
from gaussianimage.paper.datasets import find_dataset
from gaussianimage.paper.results import Results

if TYPE_CHECKING:
    from gaussianimage.paper.represent import Job

__all__ = ["run_pictures", "show_tables"]

TABLES = "tables.md"


def run_pictures(
    files: Sequence[str],
    options: RunOptions,
    settings: Sequence[Any],
    work: "Callable[[Job, Any], str]",
) -> int:
    """Work on every picture with every setting, print the tables, and return the exit code.

    Parameters
    ----------
    files : sequence of str
        Paths of pictures or of folders of pictures.
    options : RunOptions
    settings : sequence
        Settings of the fits or codecs; the `setting` of each names the folder of its results.
    work : callable
        Works on one picture and returns the line to print about it.

    Returns
    -------
    int
        0 if all pictures succeeded, 1 if a picture failed, or 130 after Ctrl-C.
    """
    import torch

    from gaussianimage.paper.represent import Job

    check_names(*files, str(options.output))
    try:
        check_engine(options.engine, address=options.address, jobs=options.jobs)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    on_ray = options.engine == "ray"
    if options.jobs is not None and not on_ray:
        raise click.UsageError("--jobs goes with --engine ray.")
    if Path(options.output).exists() and not Path(options.output).is_dir():
        raise click.UsageError(f"{options.output}: results need a folder, and this is a file.")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if on_ray:  # workers have another working folder
        files = [os.path.realpath(name) for name in files]
    dataset = find_dataset(files, max_pixels=options.max_pixels, only=options.only)
    results = Results(os.path.realpath(options.output) if on_ray else options.output)
    todo = {}
    for setting in settings:
        for sample in dataset.samples:
            target = results.folder / setting.setting.folder / f"{sample.name}.json"
            todo[str(target)] = (sample, setting)
    items = [Item(str(sample.path), key, True) for key, (sample, _) in todo.items()]

    def do(item: Item, context: JobContext) -> Outcome:
        sample, setting = todo[item.target]
        if on_ray:
            torch.set_num_threads(options.threads or 1)
        job = Job(sample, dataset, results, context.progress, options.timed)
        return Outcome(work(job, setting))

    batch = BatchOptions(
        options.output, 1, options.threads, no_overwrite=False, quiet=options.quiet
    )
    ray = None
    if on_ray:
        fits = {key: getattr(setting, "fit", setting) for key, (_, setting) in todo.items()}

        def together(item: Item) -> tuple[str, str]:
            # Codecs of one fit share it; two workers would compute it twice.
            return item.source, str(fits[item.target].setting.folder)

        gpu = any(fit.device.startswith("cuda") for fit in fits.values())
        ray = RayOptions(options.address, options.jobs, 1.0 if gpu else 0.0, together)
    code = run(items, do, batch, ray, resumes=True)
    if code == INTERRUPTED:
        click.echo("gaussianimage: the same command does what is missing", err=True)
    elif any(Path(key).is_file() for key in todo):
        show_tables(results, settings[0].setting.kind, quiet=options.quiet)
    return code


def show_tables(results: Results, kind: str | None = None, *, quiet: bool = False) -> None:
    """Print the tables of a folder of results, and write the tables and figures into the folder.

    Parameters
    ----------
    results : Results
    kind : str, optional
        Kind of the results whose tables are printed, "represent" or "compress"; all by default.
    quiet : bool
        Write the tables without printing them.

    Raises
    ------
    ClickException
        If the folder has no results for a table.
    FormatError, OSError
        If the results can't be read, or the tables can't be written.
    """
    from gaussianimage.paper.tables.make import make_tables

    records = results.all()
    tables = make_tables(records)
    if not tables:
        raise click.ClickException(f"{printable(str(results.folder))}: no results in it")
    text = "\n".join(table.markdown() for table in tables)
    write_atomic(results.folder / TABLES, text.encode())
    if not quiet:
        chosen = [record for record in records if kind in (None, record.kind)]
        click.echo("\n".join(table.markdown() for table in make_tables(chosen)), nl=False)
    _draw_figures(results, records, quiet=quiet)


def _draw_figures(results: Results, records: Sequence[Any], *, quiet: bool) -> None:
    from gaussianimage.paper.figures import MissingMatplotlibError, draw_rate_distortion
    from gaussianimage.paper.tables.make import rate_distortion_groups

    for number, group in enumerate(rate_distortion_groups(records), 1):
        path = results.folder / f"rate-distortion-{group.dataset}-{number}.png"
        try:
            draw_rate_distortion(group, path)
        except MissingMatplotlibError as error:
            if not quiet:
                click.echo(f"gaussianimage: {error}", err=True)
            return
