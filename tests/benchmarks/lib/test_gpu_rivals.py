"""Other ways to draw on a GPU: a plain loop in Triton's interpreter, and stand-ins for gsplat."""

import sys
import types

import pytest

pytest.importorskip("torch", reason="needs PyTorch")
import torch_device  # before Triton, as for all tests of its kernels

pytest.importorskip("triton", reason="needs Triton")

import torch

from gaussianimage.torch import Canvas, CholeskyModel, RawParameters, alpha_blend

DEVICE = torch_device.DEVICE


@pytest.fixture
def on_cpu():
    generator = torch.Generator().manual_seed(2)
    raw = RawParameters(*(torch.randn(6, n, generator=generator) for n in (2, 3, 3)))
    return CholeskyModel(raw, Canvas(9, 21))


def drawn_by(name, on_cpu):
    """Time a rival by a clock that takes two seconds."""
    from lib import gpu_rivals

    (rival,) = [rival for rival in gpu_rivals.RIVALS if rival.name == name]
    calls = []

    def seconds_of(draw):
        calls.append(draw())
        return 2.0

    model = CholeskyModel(on_cpu.raw, on_cpu.canvas).to(DEVICE)
    drawing = gpu_rivals.time_rival(rival, model, on_cpu, seconds_of)
    assert len(calls) == (drawing.seconds is not None)
    return drawing


@pytest.mark.parametrize("name", ["gaussianimage", "plain loop"])
def test_the_sum_is_drawn_as_on_the_cpu(name, on_cpu):
    drawing = drawn_by(name, on_cpu)
    assert (drawing.seconds, drawing.reason) == (2.0, "")
    assert drawing.difference < 1e-5


@pytest.mark.parametrize("name", ["gsplat, the paper's fork", "gsplat (blends)"])
def test_what_is_not_installed_is_not_timed(name, on_cpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "gsplat", None)
    drawing = drawn_by(name, on_cpu)
    assert drawing.seconds is None
    assert drawing.reason.startswith("not installed: ")


def test_other_pixels_are_not_timed(on_cpu, monkeypatch):
    from lib import plain_loop

    draw = plain_loop.draw_plainly
    for change, reason in ((1, "other pixels: 1 RMS"), (torch.nan, "other pixels: inf RMS")):
        with monkeypatch.context() as patch:
            patch.setattr(plain_loop, "draw_plainly", lambda *a, by=change: draw(*a) + by)
            drawing = drawn_by("plain loop", on_cpu)
        assert (drawing.seconds, drawing.reason) == (None, reason)


def test_a_failure_takes_nothing_else(on_cpu, monkeypatch):
    from lib import plain_loop

    def fail(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(plain_loop, "draw_plainly", fail)
    assert drawn_by("plain loop", on_cpu).reason == "RuntimeError: out of memory"


class GsplatOfPyPI(types.ModuleType):
    """Blends Gaussians, given what the package takes; it checks what it is given."""

    def isect_tiles(self, means, radii, depths, side, across, down):
        assert (means.shape, radii.shape, radii.dtype) == ((1, 6, 2), (1, 6, 2), torch.int32)
        assert (depths.shape, side, across, down) == ((1, 6), 16, 2, 1)
        return None, "keys", "order"

    def isect_offset_encode(self, keys, pictures, across, down):
        assert (keys, pictures, across, down) == ("keys", 1, 2, 1)
        return "starts"

    def rasterize_to_pixels(self, means, conics, colors, opacities, width, height, side, *lists):
        assert (side, lists) == (16, ("starts", "order"))
        xx, xy, yy = conics[0].double().unbind(1)
        inverse = torch.stack([xx, xy, xy, yy], 1).view(-1, 2, 2)
        factors = torch.linalg.cholesky(inverse.inverse())
        cholesky = torch.stack([factors[:, 0, 0], factors[:, 1, 0], factors[:, 1, 1]], 1).float()
        image, left = alpha_blend(means[0], cholesky, colors[0], opacities[0], height, width)
        return image[None], 1 - left[None]


def test_gsplat_is_held_to_what_blends(on_cpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "gsplat", GsplatOfPyPI("gsplat"))
    drawing = drawn_by("gsplat (blends)", on_cpu)
    assert (drawing.seconds, drawing.reason) == (2.0, "")
    assert drawing.difference < 1e-4


def test_a_gsplat_of_another_kind_is_named(on_cpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "gsplat", types.ModuleType("gsplat"))
    drawing = drawn_by("gsplat (blends)", on_cpu)
    assert drawing.reason == "not installed: this gsplat has no isect_tiles"


def test_the_papers_fork_gets_its_own_coordinates(on_cpu, monkeypatch):
    from lib.plain_loop import draw_plainly

    def project(means, cholesky, height, width, tiles):
        assert (height, width, tiles) == (9, 21, (2, 1, 1))
        centers = (means + 1) / 2 * means.new_tensor([width, height])
        return centers, "depths", cholesky, "conics", "hits"

    def rasterize(centers, _, cholesky, __, ___, colors, opacities, height, width, *sides, **rest):
        assert (opacities.shape, sides, rest["return_alpha"]) == ((6, 1), (16, 16), False)
        assert not rest["background"].any()
        # Its pixels have integer coordinates.
        return draw_plainly(centers + 0.5, cholesky, colors, (height, width), on_cpu.canvas.q_max)

    modules = {"gsplat": types.ModuleType("gsplat")}
    for name, function in (("project_gaussians_2d", project), ("rasterize_sum", rasterize)):
        modules[f"gsplat.{name}"] = types.ModuleType(name)
        entry = "rasterize_gaussians_sum" if name == "rasterize_sum" else name
        setattr(modules[f"gsplat.{name}"], entry, function)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    drawing = drawn_by("gsplat, the paper's fork", on_cpu)
    assert (drawing.seconds, drawing.reason) == (2.0, "")
    assert drawing.difference < 1e-4
