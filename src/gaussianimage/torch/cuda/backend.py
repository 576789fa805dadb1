"""The backend that `gaussianimage.render` and `gaussianimage.fit` use for a CUDA GPU."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gaussianimage.backends import Backend, FitOptimizer, Window
from gaussianimage.errors import GaussianImageError
from gaussianimage.gaussians import Gaussians
from gaussianimage.torch.cuda.optimizer import Optimizer
from gaussianimage.torch.cuda.render import render_window


@dataclass(frozen=True)
class Cuda:
    """One GPU.

    Parameters
    ----------
    device : str
        "cuda", "cuda:1", ...; within Triton's interpreter also "cpu".
    """

    device: str
    # More than on a CPU: an iteration takes less time, and each look at the device costs some.
    iterations_per_call: int = 50

    def render(
        self, gaussians: Gaussians, window: Window | None, dtype: np.dtype[Any]
    ) -> NDArray[Any]:
        """Draw a part of the plane; see `gaussianimage.backends.Renderer`."""
        whole = (0, 0, gaussians.height, gaussians.width)
        return render_window(gaussians, window or whole, dtype, self.device)

    def optimizer(self, target: NDArray[np.float32], q_max: float) -> FitOptimizer:
        """Make an optimizer without Gaussians; see `gaussianimage.backends.Backend`."""
        return Optimizer(target, q_max, self.device)


def cuda_backend(device: str) -> Backend:
    """Return the backend of a GPU.

    Parameters
    ----------
    device : str
        "cuda" for the current GPU, or "cuda:0", "cuda:1", ...

    Raises
    ------
    GaussianImageError
        If there is no such GPU.
    """
    index = int(device.partition(":")[2] or 0)
    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= present:
        found = {0: "no CUDA GPU", 1: "only one CUDA GPU"}.get(present, f"only {present} CUDA GPUs")
        raise GaussianImageError(f'device "{device}": PyTorch finds {found} here')
    return Cuda(device)
