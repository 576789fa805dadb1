"""`rasterize` as an operator of PyTorch: its registration, and refused arguments."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch_device import DEVICE
from torch_scenes import random_tensors

from gaussianimage.torch import rasterize

ARRAYS = ("means", "cholesky", "colors")

# Where it runs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "height", "width", "channels"), [((), 17, 33, 3), ((2,), 1, 5, 1), ((3,), 19, 16, 6)]
)
def test_the_kernels_of_a_gpu_give_what_the_engine_gives(batch, height, width, channels, request):
    inputs = random_tensors(channels, batch, 7, height, width, channels)
    shape = (*batch, height, width, channels)
    R = torch.from_numpy(np.random.default_rng(0).normal(size=shape)).float()
    results = []
    for fixture in (None, "on_kernels"):
        if fixture:
            request.getfixturevalue(fixture)
        device = DEVICE if fixture else "cpu"
        leaves = [t.clone().to(device).requires_grad_() for t in inputs]
        image = rasterize(*leaves, height, width)
        image.backward(R.to(image.device))
        results.append([t.detach().cpu() for t in (image, *(leaf.grad for leaf in leaves))])
    for engine, kernels in zip(*results, strict=True):
        assert torch.allclose(kernels, engine, rtol=1e-4, atol=2e-5 * engine.abs().max().item())


# PyTorch's own checks ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_operators_pass_opcheck(dtype):
    inputs = [t.to(dtype) for t in random_tensors(1, (2,), 5, 7, 9, 3)]
    R = torch.ones(2, 7, 9, 3, dtype=dtype)
    leaves = [t.clone().requires_grad_() for t in inputs]
    operators = torch.ops.gaussianimage
    results = torch.library.opcheck(operators.rasterize.default, (*leaves, 7, 9, 4.5, 0))
    results |= torch.library.opcheck(operators.rasterize_backward.default, (*inputs, R, 4.5, 0))
    assert set(results.values()) == {"SUCCESS"}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("dynamic", [False, True])
def test_it_compiles_without_a_graph_break(dynamic):
    def loss(means, cholesky, colors, target):
        height, width, _ = target.shape
        return (rasterize(means, cholesky.exp(), colors, height, width) - target).square().mean()

    torch.compiler.reset()
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True, dynamic=dynamic)
    for count, height, width in ((6, 9, 11), (7, 12, 8)):
        inputs = random_tensors(1, (), count, height, width, 3)
        target = torch.full((height, width, 3), 0.5)
        results = []
        for function in (loss, compiled):
            leaves = [t.clone().requires_grad_() for t in inputs]
            value = function(*leaves, target)
            value.backward()
            results.append([value.detach(), *(leaf.grad for leaf in leaves)])
        assert all(map(torch.equal, *results))


# Misuse --------------------------------------------------------------------------------------

GOOD = {
    "means": torch.zeros(4, 2),
    "cholesky": torch.ones(4, 3),
    "colors": torch.ones(4, 3),
    "height": 5,
    "width": 6,
}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"means": np.zeros((4, 2))}, TypeError, "means: expected a Tensor, got ndarray"),
        ({"colors": None}, TypeError, "colors: expected a Tensor, got NoneType"),
        (
            {"means": torch.zeros(4, 2, dtype=torch.int32)},
            TypeError,
            "means: expected float32 or float64, got torch.int32",
        ),
        (
            {"colors": torch.ones(4, 3, dtype=torch.float64), "means": torch.zeros(4, 2).half()},
            TypeError,
            "colors: expected torch.float16 as in means, got torch.float64",
        ),
        (
            {"background": torch.ones(4)},
            ValueError,
            r"background: expected shape \(3,\), got \(4,\)",
        ),
        (
            {"background": torch.ones(3, dtype=torch.float64)},
            TypeError,
            "background: expected torch.float32 as in colors, got torch.float64",
        ),
        (
            {"cholesky": torch.ones(4, 3, dtype=torch.int64)},
            TypeError,
            "cholesky: expected float32 or float64, got torch.int64",
        ),
        (
            {"colors": torch.ones(4, 3, dtype=torch.float64)},
            TypeError,
            "colors: expected torch.float32 as in means, got torch.float64",
        ),
        (
            {"cholesky": torch.ones(4, 3).to_sparse()},
            TypeError,
            "cholesky: expected a dense tensor, got one of layout sparse_coo",
        ),
        (
            {"means": torch.zeros(4, 3)},
            ValueError,
            r"means: expected shape \(\.\.\., N, 2\)",
        ),
        ({"means": torch.zeros(2)}, ValueError, r"means: expected shape .* got \(2,\)"),
        (
            {"means": torch.zeros(1, 1, 4, 2)},
            ValueError,
            r"cholesky: expected shape \(1, 1, 4, 3\), got \(4, 3\)",
        ),
        (
            {"cholesky": torch.ones(5, 3)},
            ValueError,
            r"cholesky: expected shape \(4, 3\), got \(5, 3\)",
        ),
        ({"cholesky": torch.ones(4, 2)}, ValueError, r"cholesky: expected shape \(4, 3\)"),
        ({"cholesky": torch.ones(1, 4, 3)}, ValueError, r"cholesky: .* got \(1, 4, 3\)"),
        ({"colors": torch.ones(3, 3)}, ValueError, r"colors: expected shape \(4, C\)"),
        ({"colors": torch.ones(4)}, ValueError, r"colors: .* got \(4,\)"),
        ({"colors": torch.ones(4, 0)}, ValueError, r"colors: .* C at least 1, got \(4, 0\)"),
        (
            {"means": torch.zeros(4, 2, device="meta")},
            ValueError,
            "cholesky: expected a tensor on meta as means, got one on cpu",
        ),
        ({"height": 0}, ValueError, "height: expected 1 to 65536 pixels, got 0"),
        ({"width": 70000}, ValueError, "width: expected 1 to 65536 pixels, got 70000"),
        ({"width": 6.0}, TypeError, "width: expected an integer"),
        ({"height": True}, TypeError, "height: expected an integer"),
        ({"height": 65536, "width": 65536}, ValueError, "more than 2\\^31 - 1 numbers"),
        (
            {"colors": torch.ones(1, 1).expand(4, 2**30)},
            ValueError,
            r"colors: \(4, 1073741824\) are more than 2\^31 - 1 numbers",
        ),
        ({"q_max": 0}, ValueError, "q_max: expected above 0 and at most 64"),
        ({"q_max": float("nan")}, ValueError, "q_max: expected above 0"),
        ({"q_max": "4.5"}, TypeError, "q_max: expected a number"),
        ({"threads": 0}, ValueError, "threads: expected 1 to 256"),
        ({"threads": 2.5}, TypeError, "threads: expected an integer"),
    ],
)
def test_misuse_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        rasterize(**(GOOD | change))


def test_tensors_of_another_kind_of_device_are_refused():
    moved = {name: torch.ones(GOOD[name].shape, device="meta") for name in ARRAYS}
    with pytest.raises(ValueError, match=r"means: expected a tensor on a CPU or CUDA, got .* meta"):
        rasterize(**(GOOD | moved))


def test_a_missing_pytorch_is_named_with_the_way_to_get_it():
    program = "import sys; sys.modules['torch'] = None; import gaussianimage.torch"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "pip install gaussianimage[torch]" in last
    assert last.startswith("ModuleNotFoundError: ")
