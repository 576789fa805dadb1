"""Checkpoints of the authors' code as files of this package."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import gaussianimage.torch  # isort: skip  (says how to get PyTorch)
import torch

import gaussianimage
from gaussianimage._util.files import StrPath, write_output
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.errors import FormatError
from gaussianimage.paper.checkpoints import (
    AUTHORS_BITS,
    import_model,
    import_quantizers,
    save_model,
)
from gaussianimage.paper.datasets import Sample
from gaussianimage.paper.fine_tuning import fine_tune
from gaussianimage.paper.quality import measure_quality
from gaussianimage.paper.quantized_model import (
    FlatModel,
    LearnedQuantizers,
    QuantizedModel,
    QuantizerSettings,
)
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.training import TrainingPoint
from gaussianimage.rendering import render
from gaussianimage.torch.models.splatting import SplattingModel

__all__ = ["Imported", "Quantization", "import_as_file", "import_as_gaussians"]


@dataclass(frozen=True)
class Quantization:
    """The quantization of a checkpoint for a file; by default, parameters are only rounded.

    Parameters
    ----------
    settings : QuantizerSettings
        Settings of the quantizers; the paper's by default. The learned steps and codebooks of a
        checkpoint of `train_quantize.py` are kept, and its rotations stay angles, unless the
        settings ask for other quantizers: other bits, integers as colors, or codebooks whose number
        or size is neither the paper's nor the checkpoint's.
    recipe : Recipe
        Recipe of the fine-tuning; no iterations by default.
    device : str, default "cpu"
        Device for fine-tuning.
    stream : str, default "plain"
        Kind of stream; see `gaussianimage.codec.paper_profile.file.encode_record`.
    """

    settings: QuantizerSettings = field(default_factory=QuantizerSettings)
    recipe: Recipe = field(default_factory=lambda: Recipe(iterations=0))
    device: str = "cpu"
    stream: str = "plain"


@dataclass(frozen=True)
class Imported:
    """The result of an import: properties of the written file."""

    height: int
    width: int
    gaussians: int
    n_bytes: int | None  # of a .gimg file
    psnr: float | None  # dB; None without the original picture
    seconds: float
    # Whether the learned quantizers of the checkpoint are kept; None if it has none.
    learned: bool | None = None


def import_as_gaussians(
    source: StrPath, target: StrPath, size: tuple[int, int] | Sample
) -> Imported:
    """Write the Gaussians of a checkpoint to a safetensors file.

    `Gaussians.load` reads those of a 2D model, and `load_model` those of a 3D one.

    Parameters
    ----------
    source, target : path-like
        The checkpoint, and the file to write.
    size : (int, int) or Sample
        Height and width of the picture in pixels, or the picture, to compare with.

    Raises
    ------
    FormatError, OSError
        In the same cases as `import_checkpoint`, or if the file can't be written.
    """
    began = time.perf_counter()
    height, width = _size(size)
    model = import_model(source, (height, width))
    if isinstance(model, SplattingModel):
        save_model(model, target)
        with torch.no_grad():
            drawn = model().numpy()
    else:
        gaussians = model.gaussians()
        gaussians.save(target)
        drawn = render(gaussians)
    psnr = None
    if isinstance(size, Sample):
        psnr = measure_quality(size.pixels, drawn.clip(0, 1))["psnr"]
    seconds = time.perf_counter() - began
    return Imported(height, width, len(model.means), None, psnr, seconds)


def import_as_file(
    source: StrPath,
    target: StrPath,
    size: tuple[int, int] | Sample,
    quantization: Quantization | None = None,
    *,
    progress: Callable[[TrainingPoint], None] | None = None,
) -> Imported:
    """Quantize a checkpoint as the paper's codec does, and write a .gimg file.

    Parameters
    ----------
    source, target : path-like
        The checkpoint, and the file to write; ``-`` as a target is stdout.
    size : (int, int) or Sample
        Height and width of the picture in pixels, or the picture, to compare with and fine-tune to.
    quantization : Quantization, optional
    progress : callable, optional
        Called with a `TrainingPoint` about ten times a second.

    Raises
    ------
    ValueError
        If the recipe has iterations, and `size` is no picture.
    FormatError, GaussianImageError, OSError
        In the same cases as `import_checkpoint` and `fine_tune`, or if the file can't be written.
    """
    quantization = Quantization() if quantization is None else quantization
    began = time.perf_counter()
    height, width = _size(size)
    model = import_model(source, (height, width)).to(quantization.device)
    if isinstance(model, SplattingModel):
        raise FormatError(f"{source}: a 3D model becomes a .safetensors file, not a .gimg file")
    learned = import_quantizers(source)
    quantized, kept = _quantized(model, learned, quantization)
    if quantization.recipe.iterations == 0:
        record = quantized.record()
    elif isinstance(size, Sample):
        picture = torch.tensor(size.pixels, device=quantization.device)
        record = fine_tune(quantized, picture, quantization.recipe, progress=progress).record
    else:
        raise ValueError("size: fine-tuning needs the picture, not only its size")
    data = encode_record(record, stream=quantization.stream)
    write_output(target, data)
    psnr = None
    if isinstance(size, Sample):
        psnr = measure_quality(size.pixels, gaussianimage.decode(data))["psnr"]
    seconds = time.perf_counter() - began
    told = None if learned is None else kept
    return Imported(height, width, len(record), len(data), psnr, seconds, told)


def _quantized(
    model: FlatModel, learned: LearnedQuantizers | None, quantization: Quantization
) -> tuple[QuantizedModel, bool]:
    """Return the model with its quantizers, and whether these are the learned ones."""
    settings, seed = quantization.settings, quantization.recipe.seed
    if learned is None or not _fits(settings, learned):
        return QuantizedModel(model, settings, seed=seed), False
    stages, entries, _ = learned.codebooks.shape
    settings = replace(settings, stages=stages, entries=entries, angle=learned.angle)
    quantized = QuantizedModel(model, settings, seed=seed)
    quantized.load_quantizers(learned)
    return quantized, True


def _fits(settings: QuantizerSettings, learned: LearnedQuantizers) -> bool:
    """Tell whether settings leave learned quantizers as they are, or only change the training."""
    usual = QuantizerSettings()
    stages, entries, _ = learned.codebooks.shape
    return (
        settings.covariance_bits == AUTHORS_BITS
        and settings.color == usual.color
        and settings.stages in (usual.stages, stages)
        and settings.entries in (usual.entries, entries)
    )


def _size(size: tuple[int, int] | Sample) -> tuple[int, int]:
    if isinstance(size, Sample):
        height, width, _ = size.pixels.shape
        return height, width
    return size
