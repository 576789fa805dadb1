import functools

import numpy as np
import pytest
from samples import payload_bits

from gaussianimage import _native, metrics, rendering
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.codec.encoder.rd_quantization import WEIGHT_OF_A_BIT, RdQuantizer
from gaussianimage.codec.encoder.staged_quantization import quantize_in_stages
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.state import FitState
from gaussianimage.gaussians import Gaussians

HEIGHT, WIDTH = 32, 48
PARAMETERS = QuantizerParameters(40, 128, (0, 0, 0))


@functools.cache
def target() -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [0.3 * np.sin(x / 5 + y / 9), 0.2 * np.cos(x / 7), 0.3 * np.sin((x - y) / 6)]
    return np.stack(waves, axis=2).astype(np.float32) + 0.5


@functools.cache
def fitted() -> FitState:
    return fit(target(), 150, iterations=120, energy=0.01).state


def rounding(parameters: QuantizerParameters = PARAMETERS, threads: int = 1) -> RdQuantizer:
    return RdQuantizer(
        parameters, parameters.color_step, height=HEIGHT, width=WIDTH, q_max=4.5, threads=threads
    )


def quantized(
    *,
    parameters: QuantizerParameters = PARAMETERS,
    stages: int = 10,
    passes: int = 1,
    threads: int = 1,
) -> tuple[list[QuantizedGaussians], _native.Optimizer]:
    optimizer = _native.Optimizer(target(), 4.5, threads)
    fitted().restore(optimizer)
    parts = quantize_in_stages(
        optimizer,
        rounding(parameters, threads),
        energy=0.01,
        stages=stages,
        iterations=20,
        passes=passes,
    )
    return parts, optimizer


def drawn(
    parts: list[QuantizedGaussians], parameters: QuantizerParameters = PARAMETERS
) -> np.ndarray:
    arrays = parameters.quantizer(HEIGHT, WIDTH).dequantize(*QuantizedGaussians.concatenate(parts))
    return rendering.render(Gaussians.from_cholesky(*arrays, HEIGHT, WIDTH, 4.5))


def test_all_gaussians_are_rounded_the_strongest_first() -> None:
    parts, optimizer = quantized()
    assert len(optimizer) == 0
    assert len(parts) == 10
    assert 80 < sum(len(part.precision) for part in parts) <= 150
    strength = [np.linalg.norm(part.color, axis=1).mean() for part in parts]
    assert strength[0] > 2 * strength[-1]
    assert strength[0] == max(strength)


def test_what_has_been_rounded_is_what_was_drawn_into_the_residual() -> None:
    parts, optimizer = quantized()
    assert drawn(parts) - target() == pytest.approx(optimizer.residual(), abs=2e-3)


def test_quantizing_in_stages_is_better_than_at_once() -> None:
    coarse = QuantizerParameters(16, 128, (0, 0, 0))
    at_once, in_stages = (
        metrics.psnr(
            target(), drawn(quantized(parameters=coarse, stages=stages, passes=0)[0], coarse)
        )
        for stages in (1, 10)
    )
    assert in_stages > at_once + 1


def test_refined_stages_are_worth_more_than_rounded_ones() -> None:
    def aim(passes: int) -> float:
        parts, _ = quantized(passes=passes)
        error = np.square(drawn(parts) - target()).sum()
        bits = payload_bits([QuantizedGaussians.concatenate(parts)], PARAMETERS, HEIGHT, WIDTH)
        return float(error + WEIGHT_OF_A_BIT * PARAMETERS.color_step**2 * bits)

    assert aim(1) < 0.97 * aim(0)


def test_gaussians_whose_color_rounds_to_zero_are_left_out() -> None:
    coarse = QuantizerParameters(0, 128, (0, 0, 0))
    parts, _ = quantized(parameters=coarse)
    levels = QuantizedGaussians.concatenate(parts)
    assert levels.color.any(axis=1).all()
    assert len(levels.precision) < 150


def test_threads_change_nothing() -> None:
    one, two = (QuantizedGaussians.concatenate(quantized(threads=n)[0]) for n in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_every_stage_is_reported() -> None:
    told: list[tuple[int, int, float]] = []
    optimizer = _native.Optimizer(target(), 4.5, 1)
    fitted().restore(optimizer)
    quantize_in_stages(
        optimizer,
        rounding(),
        energy=0.01,
        stages=5,
        iterations=3,
        on_stage=lambda *stage: told.append(stage),
    )
    assert [stage[:2] for stage in told] == [(n, 5) for n in range(1, 6)]
    assert all(np.isfinite(loss) and loss >= 0 for _, _, loss in told)


def test_an_interrupted_quantization_still_rounds_everything() -> None:
    def stop(stage: int, stages: int, loss: float) -> None:
        if stage == 2:
            raise KeyboardInterrupt

    optimizer = _native.Optimizer(target(), 4.5, 1)
    fitted().restore(optimizer)
    interrupt = Interrupt("keep")
    parts = quantize_in_stages(
        optimizer,
        rounding(),
        energy=0.01,
        stages=20,
        iterations=20,
        on_stage=stop,
        interrupt=interrupt,
    )
    assert interrupt.is_pressed()
    assert len(parts) == 3
    assert len(optimizer) == 0
    assert metrics.psnr(target(), drawn(parts)) > 20


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_gaussians_or_none_can_be_quantized(count: int) -> None:
    optimizer = _native.Optimizer(target(), 4.5, 1)
    state = fitted()
    optimizer.add(state.means[1 : 1 + count], state.cholesky[1 : 1 + count], state.colors[:count])
    parts = quantize_in_stages(optimizer, rounding(), energy=0.01, stages=20, iterations=20)
    assert sum(len(part.precision) for part in parts) <= count
    assert len(optimizer) == 0
