"""Quantization in stages: after each, the remaining Gaussians adapt to the rounding errors."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer
from gaussianimage.codec.encoder.rounding import normalized_colors, shown, strongest_first
from gaussianimage.codec.format.layers import divide_into_layers, layer_ends, model_set
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.fitting.memory import begin_adam

# Rates of Adam for positions, shapes and colors. They fall over a stage to END_FRACTION. They are
# smaller in proportion if the color step Δ is finer than USUAL_STEP: Adam's first steps are as long
# as the rates, whatever the error, and would leave a larger error than rounding does.
START_RATES = (0.05, 0.03, 0.015)
END_FRACTION = 0.3
USUAL_STEP = 0.15


def quantize_in_stages(
    optimizer: _native.Optimizer,
    quantizer: RdQuantizer,
    *,
    energy: float,
    stages: int,
    iterations: int,
    passes: int = 1,
    progressive: bool = True,
    on_stage: Callable[[int, int, float], None] | None = None,
    interrupt: Interrupt | None = None,
) -> list[QuantizedGaussians]:
    """Quantize all Gaussians of an optimizer, a part at a time, the strongest first.

    Parameters
    ----------
    optimizer : _native.Optimizer
        A fit of the picture less the background. Afterwards it has no Gaussians.
    quantizer : RdQuantizer
        The quantizer of the file.
    energy : float
        Weight of the penalty on energy, as in `fit`.
    stages, iterations : int
        Number of parts, and of the optimizer's steps after each.
    passes : int
        Number of passes of the coordinate descent over a part; 0 rounds to the nearest.
    progressive : bool, default True
        Whether the file has layers, which have models of their own.
    on_stage : callable, optional
        Called after each stage with its number, `stages` and the loss.
    interrupt : Interrupt, optional
        Once Ctrl-C has come, all remaining Gaussians are rounded to the nearest at once.

    Returns
    -------
    list of QuantizedGaussians
        The Gaussians of each stage, without those of color zero.

    Notes
    -----
    A quantized Gaussian is drawn into the target and leaves the optimizer, so later stages are also
    faster. The usual straight-through gradients give worse files than rounding all Gaussians at
    once, because Adam keeps crossing the thresholds.
    """
    ramp = np.linspace(1, END_FRACTION, iterations)
    rates = ramp[:, None].astype(np.float32) * start_rates(quantizer.parameters.color_step)
    per_stage = -(-len(optimizer) // stages)
    interrupt = interrupt or Interrupt()
    costs = None
    if passes and not interrupt.is_pressed():
        costs = quantizer.costs(_guess(optimizer, quantizer, progressive=progressive))
    sets = _model_sets(len(optimizer), progressive=progressive)
    parts = []
    begin_adam(optimizer)
    for stage in range(stages):
        if len(optimizer) == 0:
            break
        if interrupt.is_pressed():
            parts.append(_rest(optimizer, quantizer))
            break
        chosen = _strongest(optimizer)[:per_stage]
        levels = _rounded(optimizer, quantizer, chosen)
        if costs is not None:
            descent = quantizer.coordinate_descent(optimizer)
            here = sets[stage * per_stage :][: len(chosen)]
            with interrupt.cut_short():
                for _ in range(passes):
                    levels = quantizer.run_pass(descent, levels, here, costs)
            del descent  # its residual is as large as the picture
            _replace(optimizer, quantizer, chosen, levels)
        fixed = np.zeros(len(optimizer), np.uint8)
        fixed[chosen] = 1
        optimizer.bake(fixed)
        parts.append(levels.select(shown(levels)))
        loss = 0.0
        if interrupt.is_pressed():
            continue
        with interrupt.cut_short():
            if len(optimizer):
                loss = float(optimizer.adam(rates, energy)[-1])
            if on_stage is not None:
                on_stage(stage + 1, stages, loss)
    return parts


def start_rates(step: float) -> NDArray[np.float32]:
    """Return the rates of Adam for positions, shapes and colors, for a color step Δ."""
    return np.array(START_RATES, np.float32) * np.float32(min(1.0, step / USUAL_STEP))


def _rest(optimizer: _native.Optimizer, quantizer: RdQuantizer) -> QuantizedGaussians:
    """Round all Gaussians of an optimizer to the nearest, and remove them from it."""
    levels = _rounded(optimizer, quantizer, _strongest(optimizer))
    optimizer.keep(np.zeros(len(optimizer), np.uint8))
    return levels.select(shown(levels))


def _strongest(optimizer: _native.Optimizer) -> NDArray[np.intp]:
    """Return the indices that sort an optimizer's Gaussians by falling amplitude."""
    cholesky = optimizer.cholesky
    log_size = 0.5 * np.log(cholesky[:, 0] * cholesky[:, 2])
    return strongest_first(normalized_colors(log_size, optimizer.colors))


def _rounded(
    optimizer: _native.Optimizer, quantizer: RdQuantizer, chosen: NDArray[np.intp]
) -> QuantizedGaussians:
    """Round some of an optimizer's Gaussians in place, and return their integers."""
    levels = quantizer.nearest(
        optimizer.means[chosen], optimizer.cholesky[chosen], optimizer.colors[chosen]
    )
    _replace(optimizer, quantizer, chosen, levels)
    return levels


def _replace(
    optimizer: _native.Optimizer,
    quantizer: RdQuantizer,
    chosen: NDArray[np.intp],
    levels: QuantizedGaussians,
) -> None:
    """Replace some of an optimizer's Gaussians by quantized ones."""
    means, cholesky, colors = optimizer.means, optimizer.cholesky, optimizer.colors
    means[chosen], cholesky[chosen], colors[chosen] = quantizer.quantizer.dequantize(*levels)
    optimizer.means, optimizer.cholesky, optimizer.colors = means, cholesky, colors


def _model_sets(count: int, *, progressive: bool) -> NDArray[np.uint8]:
    """Return the number of the set of models that codes each of `count` sorted Gaussians."""
    ends = layer_ends(count, progressive=progressive)
    sets = np.array([model_set(layer, len(ends)) for layer in range(len(ends))], np.uint8)
    return np.repeat(sets, np.diff([0, *ends]))


def _guess(
    optimizer: _native.Optimizer, quantizer: RdQuantizer, *, progressive: bool
) -> list[QuantizedGaussians]:
    """Round a copy of all Gaussians at once, and divide it into layers."""
    order = _strongest(optimizer)
    levels = quantizer.nearest(
        optimizer.means[order], optimizer.cholesky[order], optimizer.colors[order]
    )
    return divide_into_layers([levels], progressive=progressive)
