"""The options of `encode` for pictures larger than memory, and the work on one of them."""

from dataclasses import dataclass
from typing import Any

import click

from gaussianimage import encode_tiled
from gaussianimage._util.files import is_stream
from gaussianimage.batching.engines import ENGINES, check_engine
from gaussianimage.cli.options import Function, TargetOptions, packed
from gaussianimage.cli.paths import Item
from gaussianimage.cli.report import finite, result_line
from gaussianimage.cli.run_items import JobContext, Outcome, Work
from gaussianimage.codec.encoder.targets import DEFAULT_QUALITY, Tune
from gaussianimage.codec.tiled.encode import TILE_SIDE
from gaussianimage.picture import Kept

__all__ = ["TiledOptions", "tile_work", "tiled_options"]


@dataclass(frozen=True)
class TiledOptions:
    """The options of --tiled.

    Attributes
    ----------
    side : int
        Pixels of a tile a side.
    restart : bool
        Whether to start over.
    engine, address : str, str or None
        See `encode_tiled`.
    """

    side: int
    restart: bool
    engine: str
    address: str | None

    def check(
        self,
        target: TargetOptions,
        alpha: dict[str, Any],
        *,
        device: str,
        white: float | None,
        grain: bool,
    ) -> None:
        """Fail before the work if another option does not go with --tiled.

        Raises
        ------
        UsageError
            If one does not.
        """
        others = target.as_arguments() | {"quality": None}
        given = [
            name
            for name, value in (
                ("--device", device != "cpu"),
                ("--white", white is not None),
                ("--grain", grain),
                ("--no-alpha", not alpha["alpha"]),
                ("--alpha-quality", alpha["alpha_quality"] is not None),
                ("--background", alpha["background"] is not None),
                ("any target but --quality", any(others.values())),
            )
            if value
        ]
        if given:
            raise click.UsageError(f"--tiled goes without {given[0]}.")


def tiled_options(function: Function) -> Function:
    """Add --tiled, --tile, --restart, --engine and --address; they become `tiled`, or None."""
    return packed(
        function,
        "tiled",
        _tiled,
        click.option("--tiled", is_flag=True, help="Write a tiled file, a few rows at a time."),
        click.option(
            "--tile",
            type=click.IntRange(64, 16384),
            metavar="N",
            help=f"Pixels of a tile a side.  [default: {TILE_SIDE}]",
        ),
        click.option(
            "--restart", is_flag=True, help="Do not go on with the tiles of an interrupted run."
        ),
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            help="Encode tiles on threads (local), or on processes here or on a cluster (ray); "
            "that needs gaussianimage[ray].  [default: local]",
        ),
        click.option(
            "--address",
            metavar="ADDRESS",
            help="Ray cluster to work on, such as auto on one of its machines.  [default: Ray "
            "starts on this machine]",
        ),
    )


def _tiled(
    *, tiled: bool, tile: int | None, restart: bool, engine: str | None, address: str | None
) -> TiledOptions | None:
    if not tiled:
        if tile is not None or restart or engine or address:
            raise click.UsageError("--tile, --restart, --engine and --address go with --tiled.")
        return None
    engine = engine or "local"
    try:
        check_engine(engine, address=address)
    except ValueError as error:
        raise click.UsageError(f"--{error}.") from error
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    return TiledOptions(tile or TILE_SIDE, restart, engine, address)


def tile_work(
    tiled: TiledOptions,
    target: TargetOptions,
    *,
    metadata: Kept,
    progressive: bool,
    tune: Tune | None,
    effort: int,
    seed: int,
) -> Work:
    """Return the work on one picture with --tiled; the arguments are the options of `encode`."""

    def work(item: Item, job: JobContext) -> Outcome:
        if is_stream(item.target):
            raise click.UsageError("--tiled writes to a file, not to stdout.")
        done = encode_tiled(
            item.source,
            item.target,
            quality=DEFAULT_QUALITY if target.quality is None else target.quality,
            tune=tune,
            effort=effort,
            tile=tiled.side,
            metadata=metadata,
            progressive=progressive,
            seed=seed,
            threads=job.threads,
            engine=tiled.engine,
            address=tiled.address,
            resume=not tiled.restart,
            progress=job.progress,
        )
        line = result_line(
            done.height,
            done.width,
            done.gaussians,
            n_bytes=done.bytes,
            psnr=done.psnr,
            seconds=done.seconds,
        )
        facts = {
            "width": done.width,
            "height": done.height,
            "gaussians": done.gaussians,
            "tiles": done.tiles,
            "bytes": done.bytes,
            "bpp": done.bpp,
            "psnr": finite(done.psnr),
            "seconds": done.seconds,
        }
        return Outcome(line, facts=facts)

    return work
