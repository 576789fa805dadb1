"""Quantizing a fit in stages, so that what is still free makes up for what has been rounded."""

from collections.abc import Callable

import numpy as np

from gaussianimage import _native
from gaussianimage.codec.quantize import Levels, normalized_colors, quantize
from gaussianimage.codec.settings import Settings

STAGES = 20
ITERATIONS_PER_STAGE = 20
START_RATES = (0.05, 0.03, 0.015)
END_FRACTION = 0.3


def freeze(
    optimizer: _native.Optimizer,
    settings: Settings,
    *,
    height: int,
    width: int,
    energy: float,
    stages: int = STAGES,
    iterations: int = ITERATIONS_PER_STAGE,
    on_stage: Callable[[int, int, float], None] | None = None,
) -> tuple[list[Levels], bool]:
    """Round all Gaussians of an optimizer, a part at a time, the strongest first.

    Parameters
    ----------
    optimizer : _native.Optimizer
        A fit of the picture less the background. It is empty afterwards.
    settings : Settings
        Steps and background of the file.
    height, width : int
        Of the picture.
    energy : float
        Weight of the penalty on energy, as in `fit`.
    stages, iterations : int
        Number of parts, and the optimizer's steps after each.
    on_stage : callable, optional
        Called after each stage with its number, `stages` and the loss.

    Returns
    -------
    parts : list of Levels
        The stages' Gaussians; those whose color rounded to zero are left out.
    interrupted : bool
        Whether Ctrl-C came: then what was left has been rounded without further iterations.

    Notes
    -----
    A rounded Gaussian is drawn into the target and leaves the optimizer, so later stages are also
    faster. Straight-through gradients, the usual way, were worse than rounding all at once: Adam
    keeps crossing the thresholds.
    """
    quantizer = settings.quantizer(height, width)
    ramp = np.linspace(1, END_FRACTION, iterations)
    rates = (ramp[:, None] * np.array(START_RATES)).astype(np.float32)
    per_stage = -(-len(optimizer) // stages)
    parts = []
    interrupted = False
    for stage in range(stages):
        if len(optimizer) == 0:
            break
        means, cholesky, colors = optimizer.means, optimizer.cholesky, optimizer.colors
        log_size = 0.5 * np.log(cholesky[:, 0] * cholesky[:, 2])
        amplitude = np.square(normalized_colors(log_size, colors)).sum(axis=1)
        chosen = np.argsort(-amplitude, kind="stable")[:per_stage]
        levels = quantize(
            means[chosen],
            cholesky[chosen],
            colors[chosen],
            height=height,
            width=width,
            color_step=settings.color_step,
            shape_step=settings.shape_step,
        )
        means[chosen], cholesky[chosen], colors[chosen] = quantizer.dequantize(*levels)
        optimizer.means, optimizer.cholesky, optimizer.colors = means, cholesky, colors
        frozen = np.zeros(len(optimizer), np.uint8)
        frozen[chosen] = 1
        optimizer.bake(frozen)
        alive = np.any(levels.color != 0, axis=1)
        parts.append(levels.select(alive))
        loss = 0.0
        try:
            if len(optimizer) and not interrupted:
                loss = float(optimizer.run(rates, energy)[-1])
            if on_stage is not None:
                on_stage(stage + 1, stages, loss)
        except KeyboardInterrupt:
            interrupted = True
    return parts, interrupted
