"""The options that several commands share, each set of them as one value."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from gaussianimage.picture import MAX_PIXELS

__all__ = [
    "BatchOptions",
    "FiniteRange",
    "Target",
    "batch_options",
    "bit_depth_option",
    "json_option",
    "max_pixels_option",
    "packed",
    "quiet_option",
    "seed_option",
    "target_options",
    "threads_option",
]

Function = TypeVar("Function", bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """A number in a range, which "nan" is not."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return float(number)


@dataclass(frozen=True)
class BatchOptions:
    """How a command treats its files."""

    output: str | None
    jobs: int
    threads: int | None
    overwrite: bool
    quiet: bool


@dataclass(frozen=True)
class Target:
    """What an encoder aims at: at most one of these."""

    quality: float | None
    gaussians: int | None
    bpp: float | None

    def as_arguments(self) -> dict[str, Any]:
        """Return it as `gaussianimage.encode` takes it."""
        return {"quality": self.quality, "gaussians": self.gaussians, "bpp": self.bpp}


threads_option = click.option(
    "-t",
    "--threads",
    type=click.IntRange(1, 256),
    help="Threads to use.  [default: all CPUs, shared among the jobs]",
)
quiet_option = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="The same picture, options and seed give the same result.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line instead."
)
bit_depth_option = click.option(
    "--bit-depth",
    type=click.Choice(["8", "16"]),
    help="Bits per sample of the output.  [default: as the source of the file had]",
)
max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    metavar="N",
    help="Refuse pictures of more pixels.",
)


def batch_options(function: Function) -> Function:
    """Add -o, -j, -t, --no-overwrite and --quiet; the function gets them as `batch`."""
    return packed(
        function,
        "batch",
        BatchOptions,
        click.option(
            "-o",
            "--output",
            metavar="FILE_OR_FOLDER",
            help="Output file, or with several inputs a folder, which is made if it isn't there.",
        ),
        click.option(
            "-j",
            "--jobs",
            type=click.IntRange(1, 256),
            default=1,
            show_default=True,
            help="Files to work on at once.",
        ),
        threads_option,
        click.option(
            "--overwrite/--no-overwrite",
            default=True,
            help="Whether to replace outputs that exist already; an input whose output does then "
            "counts as failed.  [default: overwrite]",
        ),
        quiet_option,
    )


def target_options(function: Function) -> Function:
    """Add -q, -n and --bpp; the function gets them as `target`."""
    return packed(
        function,
        "target",
        _one_target,
        click.option(
            "-q",
            "--quality",
            type=FiniteRange(0, 100),
            help="0 (smallest) to 100 (best). This or one of the next two.",
        ),
        click.option(
            "-n",
            "--gaussians",
            type=click.IntRange(1, 2**24),
            help="How many Gaussians.",
        ),
        click.option(
            "--bpp",
            type=FiniteRange(0, min_open=True),
            help="Size of the file in bits per pixel.",
        ),
    )


def _one_target(**values: Any) -> Target:
    names = {"quality": "--quality", "gaussians": "--gaussians", "bpp": "--bpp"}
    given = [names[name] for name, value in values.items() if value is not None]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} are two targets at once; give one of them.")
    return Target(**values)


def packed(
    function: Function,
    name: str,
    pack: Callable[..., Any],
    *options: Callable[[Function], Function],
) -> Function:
    """Add options to a function that gets all of them as one argument."""

    @functools.wraps(function)
    def wrapper(*args: Any, **values: Any) -> Any:
        together = {key: values.pop(key) for key in keys}
        return function(*args, **values, **{name: pack(**together)})

    before = len(getattr(wrapper, "__click_params__", []))
    decorated: Any = wrapper
    for option in reversed(options):
        decorated = option(decorated)
    keys = [parameter.name for parameter in decorated.__click_params__[before:]]
    return decorated  # type: ignore[no-any-return]
