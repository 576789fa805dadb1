"""Fine-tuning a fitted model with its quantizers in place, for a file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor

from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.paper.best import Best
from gaussianimage.paper.native_loop import NativeLoop
from gaussianimage.paper.quantized_model import FlatModel, QuantizedModel, QuantizerSettings
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.released_code import ReleasedCode
from gaussianimage.paper.saved_training import SavedTraining
from gaussianimage.paper.training import (
    TrainingMonitor,
    TrainingPoint,
    TrainingResult,
    chooses_native,
    iterate,
    iterate_natively,
    mean_squared_error,
    psnr_from_error,
    recordable,
)
from gaussianimage.torch.cuda.recorded_step import RecordedStep
from gaussianimage.torch.losses import get_loss


@dataclass(frozen=True)
class FineTuned:
    """The result of fine-tuning."""

    record: PaperRecord  # of the best iteration
    psnr: float  # dB, of the record's picture clamped to 0..1
    training: TrainingResult
    model: QuantizedModel  # of the best iteration, to go on from


def fine_tune(
    model: FlatModel | QuantizedModel,
    target: Tensor,
    recipe: Recipe | None = None,
    settings: QuantizerSettings | None = None,
    *,
    progress: Callable[[TrainingPoint], None] | None = None,
    loop: str = "auto",
    saved: SavedTraining | None = None,
    released: ReleasedCode | None = None,
) -> FineTuned:
    """Fine-tune a fitted model with its quantizers in place (section 3.3 of the paper).

    Parameters
    ----------
    model : CholeskyModel, ScaleRotationModel or QuantizedModel
        A fit of the picture, or one with quantizers to go on from. Its parameters are changed in
        place; they end as those of the best iteration.
    target : Tensor, (H, W, C)
        The picture, from 0 to 1, of the model's type and on its device.
    recipe : Recipe, optional
        The paper's recipe of the fit by default. With 0 iterations the fit is only rounded.
    settings : QuantizerSettings, optional
        The paper's settings by default; a `QuantizedModel` has its own.
    progress : callable, optional
        Called with a `TrainingPoint` about ten times a second.
    loop, saved, released
        As for `train`.

    Returns
    -------
    FineTuned

    Raises
    ------
    TypeError, ValueError
        If the codec does not support the model, the target's shape is not the picture's, or `loop`
        is "native" and the compiled module can't train the model by the recipe.
    GaussianImageError
        If the training diverges.

    Notes
    -----
    As in the released code, the picture is clamped to 0..1 before the loss, one optimizer trains
    the parameters and the quantizers, and the iteration with the highest PSNR is kept. The error of
    an iteration is measured with the same indices and codebooks that are kept.
    """
    recipe = Recipe() if recipe is None else recipe
    quantized_model = _with_quantizers(model, settings, recipe.seed)
    monitor = TrainingMonitor(recipe, progress)
    if chooses_native(loop, quantized_model, target, recipe, released):
        native = NativeLoop(quantized_model, target, released=released)
        done = iterate_natively(native, monitor, saved)
        training = monitor.finish(done, native.measure(), loop="native")
        native.store(best=True)
        best_psnr = psnr_from_error(native.best_error)
        return FineTuned(quantized_model.record(), best_psnr, training, quantized_model)
    measure_loss = get_loss(recipe.loss)
    optimizer = recipe.make_optimizer(quantized_model.parameters())
    best = Best(quantized_model)

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        quantized = quantized_model.quantized()
        image = quantized_model.draw(quantized).clamp(0, 1)
        loss = measure_loss(image, target) + quantized.commitment
        best.look(image, target)
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch has no types here
        quantized_model.adapt(quantized)
        optimizer.step()
        return image.detach()

    repeat = None
    if recordable(quantized_model.model):
        also = [*quantized_model.buffers(), *best.tensors]
        repeat = RecordedStep(step, optimizer, also=also).run
    done = iterate(step, repeat, optimizer, monitor, target)
    with torch.no_grad():
        image = quantized_model().clamp(0, 1)
        best.look(image, target)
        training = monitor.finish(done, mean_squared_error(image, target))
    best.restore()
    return FineTuned(quantized_model.record(), best.psnr, training, quantized_model)


def _with_quantizers(
    model: FlatModel | QuantizedModel, settings: QuantizerSettings | None, seed: int
) -> QuantizedModel:
    """Return the model that is trained: the given one, if it has quantizers."""
    if hasattr(model, "load_quantizers"):
        if settings is not None:
            raise ValueError("settings: a quantized model has its own")
        return cast(QuantizedModel, model)
    return QuantizedModel(cast(FlatModel, model), settings, seed=seed)
