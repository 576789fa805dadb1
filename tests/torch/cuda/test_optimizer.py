import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

from strategies import POISONS, poison, random_gaussians
from torch_device import DEVICE
from torch_launches import Launches

from gaussianimage import _native
from gaussianimage.fitting.memory import begin_newton, measure_overlaps
from gaussianimage.gaussians import Gaussians
from gaussianimage.torch.cuda import optimizer as module
from gaussianimage.torch.cuda import workspace
from gaussianimage.torch.cuda.optimizer import Optimizer

STATE = ("means", "cholesky", "colors", "first", "second", "age", "trainable")


def scene(count=6, height=11, width=19, channels=3, *, seed=0):
    """Return Gaussians of 0.5 to 4 px; cut so far out that no pixel on the cut matters to a sum."""
    g = random_gaussians(seed, count, height, width, channels, largest_scale=4, q_max=12.0)
    scales, angles = g.scale_rotation()
    return Gaussians.from_scale_rotation(
        g.means, np.maximum(scales, 0.5), angles, g.colors, height, width, 12.0
    )


def picture(g, *, seed=1):
    values = np.random.default_rng(seed).uniform(0, 1, (g.height, g.width, g.channels))
    return values.astype(np.float32)


def filled(optimizer, g):
    with np.errstate(over="ignore"):
        colors = g.colors.astype(np.float32)
    optimizer.add(g.means, g.cholesky(), colors)
    return optimizer


def pair(g, target):
    """Return the engine's optimizer, and the one of this module, with the same Gaussians."""
    native = filled(_native.Optimizer(target, g.q_max, 1), g)
    return native, filled(Optimizer(target, g.q_max, DEVICE), g)


def rates(count, position=0.02, covariance=0.01, color=0.01):
    return np.tile(np.array([position, covariance, color], dtype=np.float32), (count, 1))


def assert_alike(got, expected, *, tolerance=2e-3):
    for name in STATE:
        a, b = getattr(got, name), getattr(expected, name)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        limit = tolerance * float(np.abs(b).max(initial=0))
        assert a == pytest.approx(b, rel=tolerance, abs=limit), name


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_it_takes_the_steps_of_the_engine(channels):
    g = scene(channels=channels)
    native, ours = pair(g, picture(g))
    schedule = rates(4) * np.linspace(1, 0.2, 4, dtype=np.float32)[:, None]
    losses = native.adam(schedule, 0.01)
    assert ours.adam(schedule, 0.01) == pytest.approx(losses, rel=1e-4)
    assert_alike(ours, native)


def settle(o, steps=4, *, energy=0.01, faint=0.05):
    """Take Gauss–Newton steps from rest; return the loss before each."""
    begin_newton(o)
    measure_overlaps(o)
    return o.gauss_newton(np.linspace(1.5, 1, steps, dtype=np.float32), energy, faint)


@pytest.mark.parametrize("channels", [1, 4])
def test_its_gauss_newton_steps_are_those_of_the_engine(channels):
    g = scene(8, channels=channels)
    native, ours = pair(g, picture(g))
    for o in (native, ours):
        o.adam(rates(1), 0.0)  # so that the recorded iteration changes
    assert ours.overlaps() == pytest.approx(native.overlaps(), rel=1e-3)
    assert native.overlaps().max() > 1.1
    losses = settle(native)
    assert settle(ours) == pytest.approx(losses, rel=1e-3)
    assert_alike(ours, native, tolerance=5e-3)


def test_gauss_newton_steps_move_only_what_may_move():
    g = scene(4)
    native, ours = pair(g, picture(g))
    for o in (native, ours):
        o.trainable = np.array([0, 1, 2, 4], dtype=np.uint8)
        settle(o)
    assert_alike(ours, native, tolerance=5e-3)
    assert np.array_equal(ours.means[[0, 2, 3]], g.means[[0, 2, 3]].astype(np.float32))
    assert np.array_equal(ours.colors[:3], g.colors[:3].astype(np.float32))


def test_gauss_newton_steps_leave_alone_what_draws_nothing():
    like = scene(3)
    parts = [poison(name, like=like) for name in sorted(POISONS)]
    g = Gaussians.concatenate(like, *parts)
    ours = filled(Optimizer(picture(g), g.q_max, DEVICE), g)
    alone = filled(Optimizer(picture(g), g.q_max, DEVICE), like)
    before = {name: getattr(ours, name) for name in ("means", "cholesky", "colors", "age")}
    assert np.array_equal(ours.overlaps(), [*alone.overlaps(), *[1] * len(g[3:])])
    assert np.array_equal(settle(ours), settle(alone))
    for name, values in before.items():
        assert np.array_equal(getattr(ours, name)[3:], values[3:], equal_nan=True)
        assert np.array_equal(getattr(ours, name)[:3], getattr(alone, name))


def test_what_may_not_move_stays_and_ages():
    g = scene(4)
    native, ours = pair(g, picture(g))
    for o in (native, ours):
        o.trainable = np.array([0, 1, 2, 4], dtype=np.uint8)
        o.adam(rates(3), 0.0)
    assert_alike(ours, native)
    assert np.array_equal(ours.means[[0, 2, 3]], g.means[[0, 2, 3]].astype(np.float32))


def test_what_draws_nothing_stays_as_it_is():
    like = scene(3)
    parts = [poison(name, like=like) for name in sorted(POISONS)]
    g = Gaussians.concatenate(like, *parts)
    ours = filled(Optimizer(picture(g), g.q_max, DEVICE), g)
    before = {name: getattr(ours, name) for name in STATE}
    alone = filled(Optimizer(picture(g), g.q_max, DEVICE), like)
    assert np.array_equal(ours.adam(rates(2), 0.01), alone.adam(rates(2), 0.01))
    for name in STATE:
        after = getattr(ours, name)
        assert np.array_equal(after[3:], before[name][3:], equal_nan=True)
        assert np.array_equal(after[:3], getattr(alone, name))


def test_gaussians_that_are_added_later_start_afresh():
    g = scene(9)
    target = picture(g)
    native, ours = pair(g[:3], target)
    for o in (native, ours):
        o.adam(rates(2), 0.0)
        filled(o, g[3:])
        o.adam(rates(2), 0.0)
    assert list(ours.age) == [4] * 3 + [2] * 6
    assert_alike(ours, native)


def test_gaussians_that_are_not_kept_leave_room_for_fresh_ones():
    g = scene(9)
    target = picture(g)
    native, ours = pair(g[:6], target)
    for o in (native, ours):
        o.adam(rates(2), 0.0)
        o.keep(np.array([0, 1, 1, 0, 1, 0], dtype=np.uint8))
        assert len(o) == 3
        filled(o, g[6:])
        o.adam(rates(2), 0.0)
    assert list(ours.age) == [4] * 3 + [2] * 3
    assert_alike(ours, native)


def test_a_restored_state_goes_on_to_the_same_bits():
    g = scene(5)
    target = picture(g)
    ours = filled(Optimizer(target, g.q_max, DEVICE), g)
    ours.adam(rates(2), 0.01)
    other = Optimizer(target, g.q_max, DEVICE)
    other.add(ours.means, ours.cholesky, ours.colors)
    for name in STATE[3:]:
        setattr(other, name, getattr(ours, name))
    assert np.array_equal(other.adam(rates(2), 0.01), ours.adam(rates(2), 0.01))
    for name in STATE:
        assert np.array_equal(getattr(other, name), getattr(ours, name))


def test_more_entries_than_there_was_room_for_change_no_bit(monkeypatch):
    g = scene(6)
    target = picture(g)
    expected = filled(Optimizer(target, g.q_max, DEVICE), g)
    losses = expected.adam(rates(3), 0.0)
    recordings = []

    class Tight(module._RecordedIteration):
        def __init__(self, *arguments):
            recordings.append(self)
            # The first one has room for three entries.
            super().__init__(*arguments[:-1], arguments[-1] if recordings[1:] else 3)

    monkeypatch.setattr(module, "_RecordedIteration", Tight)
    monkeypatch.setattr(workspace, "SPARE_ENTRIES", 0)
    ours = filled(Optimizer(target, g.q_max, DEVICE), g)
    assert np.array_equal(ours.adam(rates(3), 0.0), losses)
    assert len(recordings) == 2
    for name in STATE:
        assert np.array_equal(getattr(ours, name), getattr(expected, name))


def test_colors_are_solved_for_as_by_the_engine():
    g = scene()
    native, ours = pair(g, picture(g))
    for o in (native, ours):
        o.trainable = np.array([0] + [7] * 5, dtype=np.uint8)
    expected = native.solve_colors(3, 1e-4)
    assert ours.solve_colors(3, 1e-4) == pytest.approx(expected, rel=1e-4)
    assert ours.colors == pytest.approx(native.colors, abs=2e-3)
    assert np.array_equal(ours.colors[0], g.colors[0].astype(np.float32))


def test_the_residual_is_picture_minus_target():
    g = scene(10)
    native, ours = pair(g, picture(g))
    assert ours.residual() == pytest.approx(native.residual(), abs=1e-5)
    assert ours.residual().dtype == np.float32
    magnitudes = ours.residual_magnitudes()
    assert magnitudes == pytest.approx(native.residual_magnitudes(), abs=1e-5)
    pixels = np.array([3, 70, 3, g.height * g.width - 1])
    assert ours.residual_at(pixels) == pytest.approx(native.residual_at(pixels), abs=1e-5)


def random_weights(target, *, seed=2):
    """Return weights of 0, 1 and in between, by pixel and channel."""
    values = np.random.default_rng(seed).uniform(-0.3, 1.3, target.shape)
    return np.clip(values, 0, 1).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_weights_count_in_losses_steps_and_colors_as_on_the_cpu(channels):
    g = scene(channels=channels)
    target = picture(g)
    native, ours = pair(g, target)
    unweighted = ours.residual()
    for o in (native, ours):
        o.weigh(random_weights(target))
    assert ours.residual() == pytest.approx(native.residual(), abs=1e-5)
    assert np.abs(ours.residual() - unweighted).max() > 0.1
    losses = native.adam(rates(4), 0.01)
    assert ours.adam(rates(4), 0.01) == pytest.approx(losses, rel=1e-4)
    assert_alike(ours, native)
    loss = native.solve_colors(3, 1e-4)
    assert ours.solve_colors(3, 1e-4) == pytest.approx(loss, rel=1e-4)
    assert ours.colors == pytest.approx(native.colors, abs=4e-3)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_as_much_is_allowed_beyond_the_target_as_on_the_cpu(channels, weighted):
    g = scene(channels=channels)
    target = picture(g)
    sides = np.random.default_rng(3).integers(-1, 2, target.shape).astype(np.int8)
    native, ours = pair(g, target)
    strict = ours.residual()
    for o in (native, ours):
        o.allow_beyond(sides, 0.2)
        if weighted:
            o.weigh(random_weights(target))
    assert ours.residual() == pytest.approx(native.residual(), abs=1e-5)
    assert np.abs(ours.residual() - strict).max() > 0.1
    losses = native.adam(rates(4), 0.01)
    assert ours.adam(rates(4), 0.01) == pytest.approx(losses, rel=1e-4)
    assert_alike(ours, native)
    loss = native.solve_colors(3, 1e-4)
    assert ours.solve_colors(3, 1e-4) == pytest.approx(loss, rel=1e-4)
    with pytest.raises(ValueError, match="sides: expected shape"):
        ours.allow_beyond(sides[:2], 0.2)


def test_weights_count_from_the_iteration_after_they_are_set():
    g = scene()
    target = picture(g)
    native, ours = pair(g, target)
    for o in (native, ours):
        o.adam(rates(1), 0.0)
        o.weigh(random_weights(target))
    assert ours.adam(rates(1), 0.0) == pytest.approx(native.adam(rates(1), 0.0), rel=1e-4)


def test_weights_of_another_shape_are_refused():
    target = picture(scene())
    ours = Optimizer(target, 4.5, DEVICE)
    with pytest.raises(ValueError, match="weights: expected shape"):
        ours.weigh(np.ones(target.shape[:2], np.float32))


def test_no_gaussians_are_black():
    target = picture(scene(1))
    empty = Optimizer(target, 4.5, DEVICE)
    assert len(empty) == 0
    assert empty.adam(rates(2), 0.0) == pytest.approx([np.sum(target**2.0) / 2] * 2, rel=1e-6)
    assert np.array_equal(empty.residual(), -target)
    assert empty.adam(rates(0), 0.0).shape == (0,)


def test_kernels_are_launched_on_the_gpu_that_was_asked_for(monkeypatch):
    g = scene()
    launches = Launches(monkeypatch)
    ours = filled(Optimizer(picture(g), g.q_max, DEVICE), g)
    ours.adam(rates(2), 0.01)
    ours.solve_colors(2, 1e-3)
    ours.residual()
    assert set(launches.names) == {
        "_measured",
        "_filled",
        "draw",
        "sum_entries",
        "differentiate",
        "step",
    }
