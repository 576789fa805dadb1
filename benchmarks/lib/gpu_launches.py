"""What an iteration of the paper's recipe launches on a GPU, counted without one."""

import json
import os
import subprocess
import sys

# In a process of its own: Triton decides when a kernel is imported whether it is interpreted.
_PROGRAM = """
import json
from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from triton.runtime.interpreter import GridExecutor

from gaussianimage.paper import training
from gaussianimage.paper.recipe import Recipe
from gaussianimage.torch import CholeskyModel, operator
from gaussianimage.torch.cuda.workspace import Workspace, use_workspace

# These return views, allocate memory or mark a stretch of time.
NO_LAUNCH = {
    "alias", "as_strided", "detach", "empty", "empty_like", "empty_strided", "expand",
    "new_empty", "new_empty_strided", "select", "slice", "split", "squeeze", "t", "transpose",
    "unbind", "unsqueeze", "view", "_unsafe_view", "_reshape_alias", "lift_fresh",
    "_record_function_enter_new", "_record_function_exit", "scalar_tensor", "permute",
}
launches = Counter()

class Watch(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function._schema.name.split("::")[1]
        if name not in NO_LAUNCH:
            launches[name] += 1
        return function(*args, **(kwargs or {}))

interpret = GridExecutor.__call__

def launch(executor, *args, **kwargs):
    launches[executor.fn.__name__] += 1
    with _disable_current_modes():
        return interpret(executor, *args, **kwargs)

GridExecutor.__call__ = launch
operator.uses_kernels = lambda _: True
recipe, target = Recipe(), torch.rand(12, 12, 3)
model = CholeskyModel.random(8, 12, 12)
optimizer = recipe.make_optimizer(model.parameters())
step = training.make_step(model, target, recipe, optimizer)
with use_workspace(Workspace(500, target.device)):
    step()
    launches.clear()
    with Watch():
        step()
print(json.dumps(launches))
"""


def count_launches() -> dict[str, int]:
    """Return how often each kernel or operation of PyTorch is launched in one iteration.

    The model has Cholesky factors, and a workspace as when it is recorded as a CUDA graph. Each
    launch is at least one node of the graph.
    """
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    launches: dict[str, int] = json.loads(done.stdout)
    return launches
