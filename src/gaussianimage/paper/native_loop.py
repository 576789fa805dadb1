"""The paper's training in the compiled module: a call does many iterations."""

from collections.abc import Iterable, Mapping

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gaussianimage import _native
from gaussianimage.paper.quantized_model import QuantizedModel
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.released_code import ReleasedCode
from gaussianimage.paper.residual_vq import ResidualQuantizer
from gaussianimage.paper.uniform_quantizer import LearnedUniformQuantizer
from gaussianimage.torch.arguments import check_like_means, check_shape, check_tensor
from gaussianimage.torch.models.sum import CholeskyModel, GaussianModel, ScaleRotationModel

__all__ = ["NativeLoop", "check_target", "runs_natively"]

# Channels that the compiled module draws.
_MOST_CHANNELS = 4


def runs_natively(model: nn.Module, recipe: Recipe) -> bool:
    """Whether the compiled module can train a model by a recipe.

    It has the paper's recipe, for its two models in float32 on a CPU: Adan and the squared error.
    """
    flat = _flat(model)
    if type(flat) not in (CholeskyModel, ScaleRotationModel):
        return False
    assert isinstance(flat, GaussianModel)
    plain = all(p.dtype == torch.float32 and p.device.type == "cpu" for p in flat.parameters())
    few = flat.colors.shape[1] <= _MOST_CHANNELS and len(flat.means) > 0
    return plain and few and recipe.optimizer == "adan" and recipe.loss == "l2"


def check_target(model: nn.Module, target: Tensor) -> None:
    """Raise `TypeError` or `ValueError` unless a target fits a model's picture."""
    flat = _flat(model)
    assert isinstance(flat, GaussianModel)
    check_tensor("target", target)
    check_like_means("target", target, flat.means, "the model's means")
    canvas = flat.canvas
    check_shape("target", target, (canvas.height, canvas.width, flat.colors.shape[1]))


class NativeLoop:
    """The training of a model by the compiled module.

    Parameters
    ----------
    model : CholeskyModel, ScaleRotationModel or QuantizedModel
        The model to start from; `store` changes it.
    target : Tensor, (H, W, C), float32
        The picture, from 0 to 1.
    threads : int, optional
        As many as PyTorch uses by default. Every number gives the same bits.
    released : ReleasedCode, optional
        What is done as in the released code.
    """

    def __init__(
        self,
        model: nn.Module,
        target: Tensor,
        *,
        threads: int | None = None,
        released: ReleasedCode | None = None,
    ) -> None:
        self._quantized = model if isinstance(model, QuantizedModel) else None
        flat = _flat(model)
        assert isinstance(flat, GaussianModel)
        self._model = flat
        self.target = _array(target)
        self._loop = _native.PaperTraining(
            target=self.target,
            means=_array(flat.means),
            shape=_array(flat.shape),
            colors=_array(flat.colors),
            offsets=_array(flat.offsets),
            middle=_array(flat.middle),
            reach=_array(flat.reach),
            rotation=isinstance(flat, ScaleRotationModel),
            angle=self._quantized is not None and self._quantized.angle,
            q_max=flat.canvas.q_max,
            threads=threads or torch.get_num_threads(),
        )
        if released is not None:
            self._loop.follow_released_code(
                released.doubled_gradient, released.tile_cut, released.tile_entries
            )
        if self._quantized is not None:
            self._add_quantizers(self._quantized)

    def _add_quantizers(self, model: QuantizedModel) -> None:
        self._loop.quantize_shapes(*_quantizer(model.shape_quantizer))
        colors = model.color_quantizer
        if isinstance(colors, LearnedUniformQuantizer):
            self._loop.quantize_colors(*_quantizer(colors))
            return
        self._loop.quantize_colors_by_codebooks(
            _array(colors.codebooks),
            _array(colors.counts),
            _array(colors.sums),
            colors.decay,
            model.settings.commitment,
            colors.revive,
        )

    @property
    def steps(self) -> int:
        """Number of iterations done."""
        return self._loop.steps

    @property
    def best_error(self) -> float:
        """The least mean squared error of a quantized picture so far, or infinity."""
        return self._loop.best_error

    def run(self, rates: Iterable[float]) -> NDArray[np.float64]:
        """Do an iteration for each step size.

        Returns
        -------
        ndarray
            The mean squared error of the picture, clamped to 0..1, before each of the steps.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C; some of the iterations are done.
        """
        return self._loop.run(np.array([*rates], np.float64))

    def measure(self) -> float:
        """Return the mean squared error of the picture, clamped to 0..1."""
        return self._loop.measure()

    def gradients(self) -> dict[str, NDArray[np.float32]]:
        """Return the gradients by each array of learned numbers, flattened."""
        return self._loop.gradients()

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return all arrays that the rest of the training depends on, flattened."""
        return self._loop.state()

    def load(self, state: Mapping[str, NDArray[np.float32]], steps: int, best_error: float) -> None:
        """Go on from a state; `ValueError` if it is not of this model."""
        self._loop.load_state(dict(state))
        self._loop.steps = steps
        self._loop.best_error = best_error

    @torch.no_grad()
    def store(self, *, best: bool = False) -> None:
        """Store the learned numbers in the model, those of the best iteration if `best`."""
        state, prefix = self.state(), "best." if best else ""
        for name, tensor in self._tensors().items():
            tensor.copy_(torch.from_numpy(state[prefix + name]).reshape(tensor.shape))

    def _tensors(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {
            "means": self._model.means,
            "shape": self._model.shape,
            "colors": self._model.colors,
        }
        if self._quantized is None:
            return found
        shape, colors = self._quantized.shape_quantizer, self._quantized.color_quantizer
        found |= {"shape_scale": shape.scale, "shape_beta": shape.beta}
        if isinstance(colors, ResidualQuantizer):
            books = {"codebooks": colors.codebooks, "counts": colors.counts, "sums": colors.sums}
            return found | books
        return found | {"color_scale": colors.scale, "color_beta": colors.beta}


def _flat(model: nn.Module) -> nn.Module:
    """Return the model inside of its quantizers, if it has any."""
    return model.model if isinstance(model, QuantizedModel) else model


def _quantizer(
    quantizer: LearnedUniformQuantizer,
) -> tuple[int, float, NDArray[np.float32], NDArray[np.float32]]:
    return quantizer.bits, quantizer.factor, _array(quantizer.scale), _array(quantizer.beta)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().contiguous().numpy()
    return array
