"""Fine-tuning a fitted model with its quantizers in place, for a file."""

from collections.abc import Callable
from dataclasses import dataclass

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor

from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.paper.best import Best
from gaussianimage.paper.quantized_model import FlatModel, QuantizedModel, QuantizerSettings
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.training import (
    TrainingMonitor,
    TrainingPoint,
    TrainingResult,
    iterate,
    recordable,
)
from gaussianimage.torch.cuda.recorded_step import RecordedStep
from gaussianimage.torch.losses import get_loss


@dataclass(frozen=True)
class FineTuned:
    """The result of fine-tuning."""

    record: PaperRecord  # the best of all iterations
    psnr: float  # dB, of its picture clamped to 0..1
    training: TrainingResult


def fine_tune(
    model: FlatModel,
    target: Tensor,
    recipe: Recipe | None = None,
    settings: QuantizerSettings | None = None,
    *,
    progress: Callable[[TrainingPoint], None] | None = None,
) -> FineTuned:
    """Fine-tune a fitted model with its quantizers in place (section 3.3 of the paper).

    Parameters
    ----------
    model : CholeskyModel or ScaleRotationModel
        A fit of the picture. Its parameters are changed in place: in the end they are those of
        the best iteration.
    target : Tensor, (H, W, C)
        The picture, from 0 to 1, of the model's type and on its device.
    recipe : Recipe, optional
        The paper's by default, the same as for the fit. With 0 iterations the fit is only rounded.
    settings : QuantizerSettings, optional
        The paper's by default.
    progress : callable, optional
        Called with a `TrainingPoint` about ten times a second.

    Returns
    -------
    FineTuned

    Raises
    ------
    TypeError, ValueError
        If the model is not one that the codec can hold, or the target not a picture like it.
    GaussianImageError
        If the training diverges.

    Notes
    -----
    As in the released code the picture is clamped to 0..1 before the loss, quantizers are trained
    by the optimizer of the parameters, and the iteration with the highest PSNR counts. The error
    of an iteration is that of the very indices and codebooks that are kept.
    """
    recipe = Recipe() if recipe is None else recipe
    quantized_model = QuantizedModel(model, settings, seed=recipe.seed)
    measure_loss = get_loss(recipe.loss)
    optimizer = recipe.make_optimizer(quantized_model.parameters())
    best = Best(quantized_model)
    monitor = TrainingMonitor(recipe, progress)

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        quantized = quantized_model.quantized()
        image = quantized_model.draw(quantized).clamp(0, 1)
        loss = measure_loss(image, target) + quantized.commitment
        best.look(image, target)
        loss.backward()  # type: ignore[no-untyped-call]  # as PyTorch has it
        quantized_model.adapt(quantized)
        optimizer.step()
        return image.detach()

    repeat = None
    if recordable(model):
        also = [*quantized_model.buffers(), *best.tensors]
        repeat = RecordedStep(step, optimizer, also=also).run
    done = iterate(step, repeat, optimizer, monitor, target)
    with torch.no_grad():
        image = quantized_model().clamp(0, 1)
        best.look(image, target)
        training = monitor.finish(done, image, target)
    best.restore()
    return FineTuned(quantized_model.record(), best.psnr, training)
