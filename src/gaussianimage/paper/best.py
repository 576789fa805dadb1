"""The best iteration of a training run, kept without waiting for a GPU."""

import math

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage.paper.training import psnr_from_error
from gaussianimage.torch.losses import l2


class Best:
    """The state of a module at the iteration with the closest picture.

    Parameters
    ----------
    module : nn.Module
        The module to watch. Until `look` is called, its error counts as infinite.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        self._error = next(module.parameters()).new_full((), math.inf)

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors that `look` reads and changes."""
        return [self._error, *self._state.values()]

    @property
    def psnr(self) -> float:
        """The PSNR of the closest picture, in dB."""
        return psnr_from_error(float(self._error))

    @torch.no_grad()
    def look(self, image: Tensor, target: Tensor) -> None:
        """Keep the module's state if its picture `image` is the closest so far."""
        error = l2(image, target)
        closer = error < self._error
        for name, tensor in self._module.state_dict().items():
            self._state[name].copy_(torch.where(closer, tensor, self._state[name]))
        self._error.copy_(torch.where(closer, error, self._error))

    def restore(self) -> None:
        """Restore the module's state of the closest picture."""
        self._module.load_state_dict(self._state)
