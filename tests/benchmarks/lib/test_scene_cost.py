import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch


class FakeClock:
    """A clock that does the work and returns known times."""

    def __init__(self, *times):
        self.times = iter(times)

    def seconds(self, work):
        work()
        return next(self.times)


def test_a_scene_is_timed_by_the_clock_in_rounds_of_many_frames(pixels):
    from lib import scene_cost

    target = torch.tensor(pixels) / 255
    drawn = 5.0, 2.0, 4.0, 3.0, 100.0
    clock = FakeClock(*drawn, *(2 * t for t in drawn), *(3 * t for t in drawn))
    cost = scene_cost.measure(target, 30, warmup=40, frames=4, clock=clock)
    assert (cost.height, cost.width, cost.gaussians) == (48, 64, 30)
    assert (cost.forward, cost.forward_backward, cost.iteration) == (1, 2, 3)
    assert (cost.backward, cost.fps) == (1, 1)
    assert cost.plain_fps > 0
    assert cost.memory_mib > 0
    assert cost.psnr > 6
    assert not list(clock.times)


def test_other_ways_to_draw_are_timed_by_plain_calls(pixels):
    from lib import scene_cost
    from lib.gpu_rivals import RIVALS

    # As many calls as take a second, of which one takes 0.25 seconds, but at most the frames.
    for frames, count in ((100, 4), (3, 3)):
        clock = FakeClock(*[1.0] * 15, 0.25, 5.0, 2.0, 4.0, 3.0, 100.0)
        target = torch.tensor(pixels) / 255
        cost = scene_cost.measure(target, 30, 2, frames, clock, RIVALS[:1])
        (drawing,) = cost.drawings
        assert drawing.seconds == pytest.approx(4.0 / count)
        assert drawing.difference == cost.difference == 0
        assert not list(clock.times)


@pytest.mark.parametrize("message", ["draws other pixels", "means: the GPU's gradient is not"])
def test_wrong_pixels_or_gradients_are_not_timed(pixels, monkeypatch, message):
    from lib import scene_cost

    def paled(model):
        model.colors.data += 1

    def bent(model):
        model.means.register_hook(lambda gradient: 2 * gradient)

    copied = scene_cost._on_cpu

    def spoil(model):
        copy = copied(model)
        (paled if "pixels" in message else bent)(copy)
        return copy

    monkeypatch.setattr(scene_cost, "_on_cpu", spoil)
    with pytest.raises(ArithmeticError, match=message):
        scene_cost.measure(torch.tensor(pixels) / 255, 30, 2, 4, FakeClock())


def test_timing_leaves_the_fit_as_it_is(pixels, monkeypatch):
    from lib import scene_cost

    models = []
    train = scene_cost.train

    def noted(model, *arguments):
        models.append(model)
        result = train(model, *arguments)
        models.append(model().detach().clone())
        return result

    monkeypatch.setattr(scene_cost, "train", noted)
    scene_cost.measure(torch.tensor(pixels) / 255, 30, 40, 10, FakeClock(*range(1, 16)))
    model, before = models
    assert torch.allclose(model(), before, atol=1e-4)
