"""Without Triton, as on macOS, everything that needs no GPU works."""

import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

PROGRAM = """
import sys
sys.modules["triton"] = None
import torch
import gaussianimage.torch as gt
model = gt.CholeskyModel.random(5, 8, 9)
optimizer = gt.Adan(model.parameters(), lr=0.01)

def step():
    optimizer.zero_grad()
    loss = model().square().mean()
    loss.backward()
    optimizer.step()
    return loss.detach()

first = float(step())
assert float(gt.RecordedStep(step, optimizer).run(3)) < first
try:
    from gaussianimage.torch.cuda import forward
except ModuleNotFoundError as error:
    print(error)
"""


def test_training_on_a_cpu_works_and_kernels_say_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "needs Triton to draw on CUDA: pip install gaussianimage[torch]" in done.stdout
