"""Where to compute: on the CPU, or on a GPU by the PyTorch part of this package.

The core never imports that part. It asks for it here, by name, when a caller asks for a GPU.
"""

import re
from importlib import import_module
from types import ModuleType

from gaussianimage.errors import GaussianImageError


def gpu_module(device: object, name: str) -> ModuleType | None:
    """Return the module that does the work on a device, or None for the CPU.

    Parameters
    ----------
    device : str
        "cpu", "cuda" for the current GPU, or "cuda:0", "cuda:1", ...
    name : str
        Of the module in `gaussianimage.torch`.

    Raises
    ------
    TypeError, ValueError
        If `device` names none.
    ImportError
        If PyTorch or Triton is not installed.
    GaussianImageError
        If there is no such GPU.
    """
    if not isinstance(device, str):
        raise TypeError(f"device: expected a string, got {type(device).__name__}")
    if device == "cpu":
        return None
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        raise ValueError(
            f'device: expected "cpu", "cuda" or "cuda:0", "cuda:1", ..., got {device!r}'
        )
    import_module("gaussianimage.torch")
    cuda = import_module("torch").cuda
    present = cuda.device_count() if cuda.is_available() else 0
    if int(match[1] or 0) >= present:
        found = {0: "no CUDA GPU", 1: "only one CUDA GPU"}.get(present, f"only {present} CUDA GPUs")
        raise GaussianImageError(f'device "{device}": PyTorch finds {found} here')
    return import_module(f"gaussianimage.torch.{name}")
