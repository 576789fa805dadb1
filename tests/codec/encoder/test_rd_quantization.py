"""Rate-distortion quantization lowers its cost, keeps its residual, and removes poor Gaussians."""

import functools

import numpy as np
import pytest
from samples import payload_bits

from gaussianimage import _native, reference, rendering
from gaussianimage.codec.encoder.eye_weights import BLOCK_WEIGHT
from gaussianimage.codec.encoder.local_contrast import BLOCK
from gaussianimage.codec.encoder.rd_quantization import WEIGHT_OF_A_BIT, RdQuantizer
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.fitting.fit import fit
from gaussianimage.gaussians import Gaussians

HEIGHT, WIDTH = 300, 40  # several bands, and a width that isn't a multiple of a block


def parameters(channels: int = 3) -> QuantizerParameters:
    return QuantizerParameters(24, 128, (0,) * channels)


def rounding(channels: int = 3, threads: int = 1) -> RdQuantizer:
    chosen = parameters(channels)
    return RdQuantizer(
        chosen, chosen.color_step, height=HEIGHT, width=WIDTH, q_max=4.5, threads=threads
    )


@functools.cache
def target(channels: int = 3) -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [np.sin(x / (4 + k) + y / (13 - 2 * k)) + np.cos((x - y) / 17) for k in range(channels)]
    return 0.2 * np.stack(waves, axis=2).astype(np.float32)


@functools.cache
def rounded(channels: int = 3) -> tuple[QuantizedGaussians, ...]:
    """Return two layers of a fit, rounded to the nearest."""
    state = fit(target(channels), 160, iterations=80, threads=1, energy=0.01).state
    levels = rounding(channels).nearest(state.means[1:], state.cholesky[1:], state.colors[1:])
    return levels.select(np.arange(60)), levels.select(np.arange(60, 159))


def drawn(
    layers: tuple[QuantizedGaussians, ...] | list[QuantizedGaussians], channels: int = 3
) -> np.ndarray:
    arrays = rounding(channels).quantizer.dequantize(*QuantizedGaussians.concatenate(list(layers)))
    return rendering.render(Gaussians.from_cholesky(*arrays, HEIGHT, WIDTH, 4.5))


def residual_of(descent: _native.CoordinateDescent, height: int, width: int) -> np.ndarray:
    residual = np.empty((height, width, 3), np.float32)
    descent.copy_residual(residual)
    return residual


def refined(passes: int, *, channels: int = 3, threads: int = 1) -> list[QuantizedGaussians]:
    layers = rounded(channels)
    residual = drawn(layers, channels) - target(channels)
    for result in rounding(channels, threads).refine(layers, residual, [1.0] * passes):
        found = result
    return found


def aim(
    layers: tuple[QuantizedGaussians, ...] | list[QuantizedGaussians], channels: int = 3
) -> float:
    """Return the rate-distortion cost: squared error + λ · bits."""
    used = parameters(channels)
    bits = payload_bits(list(layers), used, HEIGHT, WIDTH)
    error = float(np.square(drawn(layers, channels) - target(channels)).sum())
    return error + WEIGHT_OF_A_BIT * used.color_step**2 * bits


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_pass_lowers_what_it_aims_at(channels: int) -> None:
    before, once, thrice = (
        aim(rounded(channels), channels),
        aim(refined(1, channels=channels), channels),
        aim(refined(3, channels=channels), channels),
    )
    assert thrice < once < 0.97 * before


def test_the_coordinate_descent_keeps_its_residual_up_to_date() -> None:
    levels = QuantizedGaussians.concatenate(list(rounded()))
    worker = rounding()
    descent = worker.coordinate_descent(drawn([levels]) - target())
    sets = np.full(len(levels.precision), 3, np.uint8)
    found = worker.run_pass(descent, levels, sets, worker.costs([levels]))
    assert any(not np.array_equal(a, b) for a, b in zip(found, levels, strict=True))
    alive = found.select(found.color.any(axis=1))
    off = np.abs(residual_of(descent, HEIGHT, WIDTH) - (drawn([alive]) - target()))
    # A pixel at the cut-off may fall on the other side of it.
    assert off.max() < 0.02
    assert off.mean() < 1e-5


@pytest.mark.parametrize("eye", [False, True])
def test_a_descent_takes_an_optimizer_for_its_residual(eye: bool) -> None:
    worker = for_the_eye() if eye else rounding()
    optimizer = _native.Optimizer(target(), 4.5, 2)
    optimizer.add(*worker.quantizer.dequantize(*QuantizedGaussians.concatenate(list(rounded()))))
    if eye:
        optimizer.weigh(np.broadcast_to(weights()[..., None], target().shape))
    found = [
        residual_of(worker.coordinate_descent(source), HEIGHT, WIDTH)
        for source in (optimizer, optimizer.residual())
    ]
    assert np.array_equal(*found)
    assert np.abs(found[0]).max() > 0.1


def test_weights_of_blocks_may_grow_later() -> None:
    levels = QuantizedGaussians.concatenate(list(rounded()))
    residual = drawn([levels]) - target()
    blocks, factors = np.array([0, 4, 56]), np.array([2.0, 30.0, 9.0])
    grown = weights().copy()
    for block, factor in zip(blocks, factors, strict=True):
        y, x = BLOCK * (block // 3), BLOCK * (block % 3)
        grown[y : y + BLOCK, x : x + BLOCK] *= factor
    early, late = for_the_eye(weighing=grown), for_the_eye()
    one = early.coordinate_descent(grown[..., None] * residual)
    other = late.coordinate_descent(weights()[..., None] * residual)
    other.weigh_blocks(blocks, factors)
    found = [residual_of(descent, HEIGHT, WIDTH) for descent in (one, other)]
    assert found[1] == pytest.approx(found[0], rel=1e-5, abs=1e-6)
    sets = np.full(len(levels.precision), 3, np.uint8)
    costs = late.costs([levels])
    moved = [late.run_pass(descent, levels, sets, costs) for descent in (one, other)]
    same = [(a == b).reshape(len(sets), -1).all(axis=1) for a, b in zip(*moved, strict=True)]
    assert np.mean(np.all(same, axis=0)) > 0.97  # a few are as good in two ways
    plain = late.run_pass(
        late.coordinate_descent(weights()[..., None] * residual), levels, sets, costs
    )
    assert np.mean((plain.color == moved[0].color).all(axis=1)) < 0.97


def test_a_descent_takes_no_residual_of_another_size() -> None:
    for wrong in (target()[1:], _native.Optimizer(target()[:, 1:], 4.5, 1)):
        with pytest.raises(ValueError, match="residual has the wrong shape"):
            rounding().coordinate_descent(wrong)
    descent = rounding().coordinate_descent(target())
    with pytest.raises(ValueError, match="to has the wrong shape"):
        descent.copy_residual(np.empty((HEIGHT, WIDTH + 1, 3), np.float32))


def test_threads_change_nothing() -> None:
    one, three = (QuantizedGaussians.concatenate(refined(2, threads=n)) for n in (1, 3))
    assert all(np.array_equal(a, b) for a, b in zip(one, three, strict=True))


def test_threads_share_out_gaussians_of_every_shape() -> None:
    # From dots to Gaussians as large as the picture: every kind of band has some, and none has all.
    size = height, width = 530, 610
    generator = np.random.default_rng(3)
    count = 500
    means = generator.uniform(0, (width, height), (count, 2))
    sides = np.exp(generator.uniform(0, np.log(150), (count, 2)))
    slopes = generator.normal(0, 0.2, count) * sides[:, 1]
    cholesky = np.stack((sides[:, 0], slopes, sides[:, 1]), axis=1)
    colors = generator.normal(0, 2, (count, 3)) / np.sqrt(sides.prod(axis=1))[:, None]
    workers = [
        RdQuantizer(
            parameters(),
            parameters().color_step,
            height=height,
            width=width,
            q_max=3.5,
            threads=threads,
        )
        for threads in (1, 2, 5)
    ]
    levels = workers[0].nearest(means, cholesky, colors.astype(np.float32))
    sets = np.full(count, 3, np.uint8)

    def draw(shown: QuantizedGaussians) -> np.ndarray:
        arrays = workers[0].quantizer.dequantize(*shown)
        return rendering.render(Gaussians.from_cholesky(*arrays, height, width, 3.5))

    before = draw(levels)
    goal = 0.9 * before
    found = []
    for worker in workers:
        descent = worker.coordinate_descent(before - goal)
        moved = worker.run_pass(descent, levels, sets, worker.costs([levels]))
        found.append(moved)
        left = draw(moved.select(moved.color.any(axis=1))) - goal
        off = np.abs(residual_of(descent, *size) - left)
        assert off.max() < 0.02
        assert off.mean() < 1e-5
        assert np.square(left).sum() < 0.9 * np.square(before - goal).sum()
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(other, found[0], strict=True))


def test_what_the_picture_does_not_need_is_removed() -> None:
    layers = rounded()
    weak = layers[1].select(np.arange(20))
    weak = weak._replace(color=np.sign(weak.color) * np.array([1, 0, 0], np.int32))
    weak = weak._replace(shape=np.zeros_like(weak.shape))
    (found,) = rounding().refine([weak], np.zeros((HEIGHT, WIDTH, 3), np.float32), [1.0])
    # Drawn into a picture that lacks nothing else, each is worth its energy, one step squared, at
    # most: that is less than ten bits, which very few cost less than.
    assert sum(len(layer.precision) for layer in found) <= 1


def test_a_file_that_is_its_own_target_stays_as_it_is() -> None:
    strong = [layer.select(np.abs(layer.color).max(axis=1) > 3) for layer in rounded()]
    assert sum(len(layer.precision) for layer in strong) > 10
    worker = rounding()
    worker._weight = 0.0  # bits are free, so nothing is better than no error
    (found,) = worker.refine(strong, np.zeros((HEIGHT, WIDTH, 3), np.float32), [1.0])
    for layer, same in zip(strong, found, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(layer, same, strict=True))


def test_no_gaussians_are_no_work() -> None:
    empty = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    assert list(rounding().refine([], empty, [1.0] * 3)) == []


def test_finer_files_keep_more() -> None:
    layers = rounded()
    residual = drawn(layers) - target()
    kept = []
    for weight in (1.0, 20.0):
        worker = rounding()
        worker._weight *= weight
        (found,) = worker.refine(layers, residual, [1.0])
        kept.append(sum(len(layer.precision) for layer in found))
    assert kept[1] < kept[0]


@pytest.mark.parametrize("eye", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (3, 17), (29, 37), (64, 8)])
def test_a_removed_gaussian_leaves_the_residual(size: tuple[int, int], eye: bool) -> None:
    height, width = size
    generator = np.random.default_rng(5)
    n, chosen = 60, parameters()
    means = generator.uniform(0, 1, (n, 2)) * (width, height)
    sigma = 10 ** generator.uniform(-1, 2.5, (n, 2))  # thin, round and wider than the picture
    slant = generator.normal(0, 1, n) * sigma[:, 1]
    colors = generator.normal(0, 1, (n, 3)).astype(np.float32)
    sides = {"height": height, "width": width}
    weighing = generator.uniform(0.2, 3, size).astype(np.float32) if eye else None
    worker = RdQuantizer(chosen, chosen.color_step, **sides, q_max=3.5, threads=1, weights=weighing)
    levels = worker.nearest(means, np.stack((sigma[:, 0], slant, sigma[:, 1]), axis=1), colors)
    levels = levels.select(levels.color.any(axis=1))
    arrays = worker.quantizer.dequantize(*levels)
    wanted = reference.render(Gaussians.from_cholesky(*arrays, height, width, 3.5))
    weight = np.ones(size) if weighing is None else weighing
    descent = worker.coordinate_descent(np.zeros((height, width, 3), np.float32))
    sets = np.full(len(levels.precision), 3, np.uint8)
    found = worker.run_pass(descent, levels, sets, worker.costs([levels]), 1e30)
    assert not found.color.any()
    off = np.abs(residual_of(descent, height, width) + np.sqrt(weight)[..., None] * wanted)
    largest = np.abs(arrays[2]).max()
    # A pixel at the cut-off may fall on the other side of it.
    assert off.max() < 2 * np.exp(-3.5) * largest
    assert np.median(off) < 1e-5 * largest


# Errors as the eye sees them --------------------------------------------------------------------


@functools.cache
def weights() -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.exp(2.5 * np.sin(y / 21) + 0 * x).astype(np.float32) / np.float32(3)


def seen(layers: list[QuantizedGaussians]) -> float:
    """Return the error by `weights` and by means over blocks of 4 × 4 pixels."""
    rooted = np.sqrt(weights())[..., None] * (drawn(layers) - target())
    blocks = rooted.reshape(HEIGHT // 4, 4, WIDTH // 4, 4, 3).mean(axis=(1, 3))
    return float(np.square(rooted).sum() + BLOCK_WEIGHT * 16 * np.square(blocks).sum())


def for_the_eye(threads: int = 1, weighing: np.ndarray | None = None) -> RdQuantizer:
    chosen = parameters()
    step = chosen.color_step
    size = {"height": HEIGHT, "width": WIDTH, "q_max": 4.5, "threads": threads}
    return RdQuantizer(chosen, step, **size, weights=weights() if weighing is None else weighing)


def refined_for_the_eye(threads: int = 1) -> list[QuantizedGaussians]:
    layers = rounded()
    residual = weights()[..., None] * (drawn(layers) - target())
    (found,) = for_the_eye(threads).refine(layers, residual, [1.0])
    return found


def test_a_pass_for_the_eye_lowers_what_the_eye_sees() -> None:
    def cost(layers: list[QuantizedGaussians]) -> float:
        used = parameters()
        bits = payload_bits(layers, used, HEIGHT, WIDTH)
        return seen(layers) + WEIGHT_OF_A_BIT * used.color_step**2 * bits

    plain, found = refined(1), refined_for_the_eye()
    assert cost(found) < 0.98 * cost(plain)
    assert cost(found) < 0.97 * cost(list(rounded()))


def test_the_residual_of_a_pass_for_the_eye_stays_up_to_date() -> None:
    levels = QuantizedGaussians.concatenate(list(rounded()))
    worker = for_the_eye()
    descent = worker.coordinate_descent(weights()[..., None] * (drawn([levels]) - target()))
    sets = np.full(len(levels.precision), 3, np.uint8)
    found = worker.run_pass(descent, levels, sets, worker.costs([levels]))
    alive = found.select(found.color.any(axis=1))
    rooted = np.sqrt(weights())[..., None] * (drawn([alive]) - target())
    off = np.abs(residual_of(descent, HEIGHT, WIDTH) - rooted)
    # A pixel at the cut-off may fall on the other side of it.
    assert off.max() < 0.03
    assert off.mean() < 1e-5


def test_threads_change_nothing_for_the_eye() -> None:
    one, three = (QuantizedGaussians.concatenate(refined_for_the_eye(n)) for n in (1, 3))
    assert all(np.array_equal(a, b) for a, b in zip(one, three, strict=True))


def test_no_gaussian_reaches_out_of_a_rectangle() -> None:
    layers = rounded()
    within = (-30.0, -20.0, WIDTH + 30.0, HEIGHT - 10.0)
    chosen = parameters()
    quantizer = RdQuantizer(
        chosen,
        chosen.color_step,
        height=HEIGHT,
        width=WIDTH,
        q_max=4.5,
        threads=1,
        within=within,
    )

    def sides(found: tuple[QuantizedGaussians, ...] | list[QuantizedGaussians]) -> np.ndarray:
        arrays = quantizer.quantizer.dequantize(*QuantizedGaussians.concatenate(list(found)))
        means, cholesky, _ = arrays
        reach = 3 * np.stack([cholesky[:, 0], np.hypot(cholesky[:, 1], cholesky[:, 2])], axis=1)
        return np.concatenate([means - reach, means + reach], axis=1)

    low, high = np.array(within[:2]), np.array(within[2:])
    before = sides(layers)
    outside = ((before[:, :2] <= low) | (before[:, 2:] >= high)).any(axis=1)
    assert 3 < outside.sum() < len(outside) / 2
    residual = drawn(layers) - target()
    for refined_layers in quantizer.refine(layers, residual, [1.0]):
        after = sides(refined_layers)
    assert (after[:, :2] > low).all()
    assert (after[:, 2:] < high).all()
    assert len(after) > len(before) / 2
