"""The options that the commands of `paper` share: lists, the recipe, and the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gaussianimage.batching.engines import ENGINES
from gaussianimage.cli.options import (
    FILE,
    FiniteRange,
    Function,
    max_pixels_option,
    packed,
    threads_option,
)
from gaussianimage.cli.require import require_torch

if TYPE_CHECKING:
    from gaussianimage.paper.recipe import Recipe
    from gaussianimage.paper.settings import FitSettings

__all__ = [
    "FitOptions",
    "Listed",
    "RunOptions",
    "fit_options",
    "make_recipe",
    "require_torch",
    "run_options",
]

MODELS = ("cholesky", "rs", "opacity", "alpha", "3dgs")
LOSSES = (
    "l2",
    "l1",
    "ssim",
    "l1+ssim",
    "l2+ssim",
    "l2+l1",
    "l1+ms-ssim",
    "l1+ms-ssim-5",
)
OFFSETS = ("with", "without")
# The parts of --as-released that `ReleasedCode` has as a switch; others are parts of quantizers.
_RELEASED = {
    "gradient": "doubled_gradient",
    "tiles": "tile_cut",
    "pixels": "integer_pixels",
}
AS_RELEASED = ("all", *_RELEASED, "entries", "angle", "revival", "scaling")
_MOST = 2**24


class Listed(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """Several values of one type, separated by commas."""

    def __init__(self, one: Any) -> None:
        self.one = one
        self.name = f"{one.name} list"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Return the distinct values in their given order."""
        if isinstance(value, tuple):
            return value
        parts = [self.one.convert(part.strip(), param, ctx) for part in value.split(",")]
        return tuple(dict.fromkeys(parts))


@dataclass(frozen=True)
class FitOptions:
    """The fits to make: every model with every N, loss and offset."""

    gaussians: tuple[int, ...]
    iterations: int
    learning_rate: float
    halve_every: int | None
    optimizer: str
    loss: tuple[str, ...]
    seed: int
    device: str | None
    loop: str
    as_released: tuple[str, ...]

    @property
    def released(self) -> "dict[str, Any]":
        """The switches of `ReleasedCode` that are on."""
        every = "all" in self.as_released
        values: dict[str, Any] = {
            field: True for name, field in _RELEASED.items() if every or name in self.as_released
        }
        if every or "entries" in self.as_released:
            values |= {"tile_cut": True, "tile_entries": 256}
        return values

    def quantizes_as_released(self, name: str) -> bool:
        """Whether a part of the quantizers, "angle", "revival" or "scaling", is as released."""
        return bool({name, "all"} & set(self.as_released))

    def settings(
        self,
        models: Sequence[str],
        offsets: Sequence[bool] = (True,),
        *,
        fill: bool = False,
        sh_degree: int = 3,
    ) -> "list[FitSettings]":
        """Return the settings of every fit.

        Raises
        ------
        UsageError
            If values contradict each other, or the device does not exist.
        """
        from gaussianimage.paper.released_code import ReleasedCode
        from gaussianimage.paper.settings import FitSettings

        device = choose_device(self.device)
        try:
            return [
                FitSettings(
                    count,
                    model,
                    self._recipe(loss),
                    offset,
                    fill and model == "3dgs",
                    device,
                    sh_degree if model == "3dgs" else 3,
                    self.loop,
                    ReleasedCode(**self.released),
                )
                for count in self.gaussians
                for model in models
                for loss in self.loss
                for offset in offsets
            ]
        except ValueError as error:
            raise click.UsageError(f"{error}.") from error

    def _recipe(self, loss: str) -> "Recipe":
        return make_recipe(
            self.iterations,
            self.halve_every,
            learning_rate=self.learning_rate,
            loss=loss,
            seed=self.seed,
            optimizer=self.optimizer,
        )


@dataclass(frozen=True)
class RunOptions:
    """The folder of results, and the pictures to work on."""

    output: str
    only: tuple[str, ...]
    threads: int | None
    max_pixels: int
    timed: float
    quiet: bool
    engine: str
    address: str | None
    jobs: int | None


def make_recipe(iterations: int, halve_every: int | None, **values: Any) -> "Recipe":
    """Return a recipe; without `halve_every`, its schedule is in proportion to its length."""
    from gaussianimage.paper.recipe import Recipe

    if halve_every is None:
        halve_every = Recipe().shortened(max(iterations, 1)).halve_every
    return Recipe(iterations=iterations, halve_every=halve_every, **values)


def choose_device(name: str | None) -> str:
    """Return the name of a device; without a name, a GPU if there is one, else the CPU.

    Raises
    ------
    UsageError
        If the device does not exist.
    """
    import torch

    from gaussianimage.paper.environment import parse_device

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        parse_device(name)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    return name


def run_options(function: Function) -> Function:
    """Add the options of runs; the function gets them as `options`."""
    return packed(
        function,
        "options",
        RunOptions,
        click.option(
            "-o",
            "--output",
            required=True,
            type=FILE,
            metavar="FOLDER",
            help="Folder of results, made if it does not exist; existing results are kept.",
        ),
        click.option(
            "--only",
            type=Listed(click.STRING),
            default=(),
            metavar="NAMES",
            help="Names of the pictures to work on, without extensions.  [default: all]",
        ),
        threads_option,
        max_pixels_option,
        click.option(
            "--timed",
            type=FiniteRange(0, 60),
            default=1.0,
            metavar="S",
            help="Seconds of measuring frames a second.  [default: 1]",
        ),
        click.option("--quiet", is_flag=True, help="Print nothing but errors."),
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            default="local",
            help="local works on one picture at a time, ray on several, in processes here or on a "
            "cluster; it needs gaussianimage[ray].  [default: local]",
        ),
        click.option(
            "--address",
            metavar="ADDRESS",
            help="Ray cluster to work on, such as auto on one of its machines.  [default: Ray "
            "starts on this machine]",
        ),
        click.option(
            "-j",
            "--jobs",
            type=click.IntRange(1),
            metavar="N",
            help="Pictures to work on at once with --engine ray.  [default: all CPUs]",
        ),
    )


def fit_options(function: Function) -> Function:
    """Add the options of fits and of runs; the function gets them as `fits` and `options`."""
    function = run_options(function)
    return packed(
        function,
        "fits",
        FitOptions,
        click.option(
            "-n",
            "--gaussians",
            type=Listed(click.IntRange(1, _MOST)),
            required=True,
            metavar="N,...",
            help="Number of Gaussians, or several numbers separated by commas.",
        ),
        click.option(
            "--iterations",
            type=click.IntRange(0, 10**7),
            default=50_000,
            metavar="N",
            help="Steps of the optimizer.  [default: 50000]",
        ),
        click.option(
            "--learning-rate",
            type=FiniteRange(0, min_open=True),
            default=1e-3,
            metavar="R",
            help="Initial step size.  [default: 0.001]",
        ),
        click.option(
            "--halve-every",
            type=click.IntRange(1, 10**7),
            metavar="N",
            help="Number of iterations after which the step size is halved.  [default: 2/5 of all]",
        ),
        click.option(
            "--optimizer",
            type=click.Choice(["adan", "adam"]),
            default="adan",
            help="Optimizer.  [default: adan]",
        ),
        click.option(
            "--loss",
            type=Listed(click.Choice(LOSSES)),
            default="l2",
            metavar="LOSS,...",
            help=f"{', '.join(LOSSES)}, or several separated by commas.  [default: l2]",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**31 - 1),
            default=1,
            metavar="N",
            help="Seed of the random start.  [default: 1]",
        ),
        click.option(
            "--device",
            metavar="NAME",
            help="cpu, cuda or cuda:1 ...  [default: cuda if there is one]",
        ),
        click.option(
            "--loop",
            type=click.Choice(["auto", "native", "torch"]),
            default="auto",
            help="What does the iterations: the compiled module, for cholesky and rs with adan and "
            "l2 on a CPU, or PyTorch, ten times as slowly.  [default: native where it can]",
        ),
        click.option(
            "--as-released",
            type=Listed(click.Choice(AS_RELEASED)),
            default=(),
            metavar="PART,...",
            help="What to do as the released code does where it differs: gradient (doubled off the "
            "diagonal), tiles (which cut Gaussians off), entries (256 a tile), pixels (integer "
            "coordinates), angle (quantized in radians), revival (none of dead codebook entries), "
            "scaling (none of the quantizers' gradients), or all.",
        ),
    )
