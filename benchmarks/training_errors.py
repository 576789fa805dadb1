"""How far trainings that must agree are apart: by loop, after a file, from a state, in threads.

Usage: python benchmarks/training_errors.py [--image PICTURE] [-n 300] [--iterations 200]

A crop of a picture is fitted and fine-tuned by the paper's recipe, once in the compiled loop and
once in PyTorch. Beside their difference stands that of two trainings in PyTorch, one of which
starts from parameters with relative noise of a float's last bit: trainings amplify it. The
fine-tuned model is written in the authors' format and as a .gimg file, read again, and trained on
from a saved state. No figure is a time.
"""

import argparse
import copy
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lib.harness import environment, print_environment, print_table, write_json
from lib.pictures import Sample, middle
from PIL import Image
from torch import Tensor, nn

from gaussianimage.paper import checkpoints, datasets
from gaussianimage.paper.fine_tuning import fine_tune
from gaussianimage.paper.import_checkpoint import import_as_file
from gaussianimage.paper.quality import measure_quality
from gaussianimage.paper.quantized_model import (
    VARIANTS,
    FlatModel,
    QuantizedModel,
    QuantizerSettings,
)
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.training import train
from gaussianimage.torch import Canvas, CholeskyModel, ScaleRotationModel

HERE = Path(__file__).resolve().parent
KINDS: dict[str, type[FlatModel]] = {"cholesky": CholeskyModel, "rs": ScaleRotationModel}
SIZE = (192, 128)  # width and height of the crop, in pixels
# Relative standard deviation of the noise; half of the last bit of a float32.
NOISE = 6e-8
# The paper's rate, at which 200 iterations amplify noise little, and one that a short fit needs.
RATES = (0.001, 0.01)
FINE_TUNING_RATE = 0.002
# The fit before a fine-tuning has four times the iterations.
LONGER = 4
SHIFT = 0.5  # of the authors' pixels
SEEDS = (1, 2)  # of the trainings in two threads


class Row(NamedTuple):
    """PSNR in dB of two ways to the same numbers, and how far their parameters are apart."""

    check: str
    one: float
    other: float
    difference: float | None


class Trained(NamedTuple):
    """A trained model and its PSNR in dB."""

    model: nn.Module
    psnr: float


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Differences of trainings that must agree.")
    parser.add_argument("--image", type=Path, default=HERE.parent / "examples/pictures/kodim23.png")
    parser.add_argument("-n", type=int, default=300, help="Gaussians (300)")
    parser.add_argument("--iterations", type=int, default=200, help="of a training (200)")
    parser.add_argument("--output", type=Path, default=HERE / "results/training_errors.json")
    return parser.parse_args(arguments)


def with_noise(model: FlatModel) -> FlatModel:
    """Return a copy whose parameters differ in the last bit."""
    noisy = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in noisy.parameters():
            parameter.mul_(1 + NOISE * torch.randn(parameter.shape, generator=generator))
    return noisy


def apart(one: nn.Module, other: nn.Module) -> float:
    """Return the largest difference of two models' parameters."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def scientific(difference: float | None) -> str:
    return "-" if difference is None else f"{difference:.1e}"


def psnr(drawn: Tensor | np.ndarray, target: Tensor) -> float:
    picture = np.asarray(torch.as_tensor(drawn).detach())
    return measure_quality(target.numpy(), picture.clip(0, 1))["psnr"]


def check_fits(target: Tensor, options: argparse.Namespace) -> Iterator[Row]:
    for name, kind in KINDS.items():
        start = kind.random(options.n, *target.shape[:2])
        for rate in RATES:
            recipe = Recipe().shortened(options.iterations, learning_rate=rate)

            def trained(model: FlatModel, loop: str, recipe: Recipe = recipe) -> Trained:
                return Trained(model, train(model, target, recipe, loop=loop).psnr)

            yield from against_pytorch(f"fit, {name}, rate {rate:g}", start, trained)


def check_fine_tunings(
    fits: dict[str, FlatModel], target: Tensor, iterations: int
) -> Iterator[Row]:
    recipe = Recipe().shortened(iterations, learning_rate=FINE_TUNING_RATE)
    for name, fit in fits.items():
        for variant, settings in VARIANTS.items():

            def trained(
                model: FlatModel, loop: str, settings: QuantizerSettings = settings
            ) -> Trained:
                tuned = fine_tune(model, target, recipe, settings, loop=loop)
                return Trained(tuned.model, tuned.psnr)

            yield from against_pytorch(f"fine-tuning, {name}, {variant}", fit, trained)


def against_pytorch(
    check: str, start: FlatModel, trained: Callable[[FlatModel, str], Trained]
) -> Iterator[Row]:
    """Train from a start in PyTorch, in the compiled loop, and in PyTorch from a noisy start."""
    one = trained(copy.deepcopy(start), "torch")
    for way, other in (
        ("compiled loop", trained(copy.deepcopy(start), "native")),
        ("noise on the start", trained(with_noise(start), "torch")),
    ):
        difference = apart(one.model, other.model)
        yield Row(f"{check}: PyTorch, {way}", one.psnr, other.psnr, difference)


def check_files(
    tuned: QuantizedModel, sample: datasets.Sample, target: Tensor, iterations: int, folder: Path
) -> Iterator[Row]:
    """Write a fine-tuned model in all formats and read it again."""
    name = next(name for name, kind in KINDS.items() if isinstance(tuned.model, kind))
    area = (target.shape[0], target.shape[1])
    with torch.no_grad():
        picture = tuned()
    quality = psnr(picture, target)
    checkpoint = folder / "quantized.pth.tar"
    checkpoints.export_checkpoint(tuned, checkpoint)
    learned = checkpoints.import_quantizers(checkpoint)
    assert learned is not None
    again = QuantizedModel(
        checkpoints.import_checkpoint(checkpoint, area), QuantizerSettings(angle=learned.angle)
    )
    rounded = copy.deepcopy(again)
    again.load_quantizers(learned)
    with torch.no_grad():
        drawn, plain = again(), rounded()
    difference = float((drawn - picture).abs().max())
    yield Row(
        f"{name}: in memory, in the authors' format", quality, psnr(drawn, target), difference
    )
    imported = import_as_file(checkpoint, folder / "imported.gimg", sample)
    assert imported.psnr is not None
    assert imported.learned
    yield Row(f"{name}: in memory, imported as .gimg", quality, imported.psnr, None)
    check = f"{name}: in memory, learned quantizers discarded"
    yield Row(check, quality, psnr(plain, target), None)
    state = folder / "state.safetensors"
    checkpoints.save_quantized(tuned, state)
    recipe = Recipe().shortened(iterations, learning_rate=FINE_TUNING_RATE)
    kept, loaded = (
        fine_tune(model, target, recipe)
        for model in (copy.deepcopy(tuned), checkpoints.load_quantized(state))
    )
    difference = apart(kept.model, loaded.model)
    yield Row(f"{name}: gone on in memory, from a state", kept.psnr, loaded.psnr, difference)


def check_threads(target: Tensor, options: argparse.Namespace) -> Iterator[Row]:
    """Train two models at the same time and one after the other."""
    recipe = Recipe().shortened(options.iterations, learning_rate=RATES[-1])
    for loop, way in (("torch", "PyTorch"), ("native", "compiled loop")):

        def trained(seed: int, loop: str = loop) -> Trained:
            model = CholeskyModel.random(options.n + seed, *target.shape[:2], seed=seed)
            return Trained(model, train(model, target, recipe, loop=loop).psnr)

        alone = [trained(seed) for seed in SEEDS]
        with ThreadPoolExecutor(len(SEEDS)) as threads:
            together = list(threads.map(trained, SEEDS))
        pairs = list(zip(alone, together, strict=True))
        difference = max(apart(one.model, other.model) for one, other in pairs)
        check = f"two trainings, {way}: one after the other, in two threads"
        yield Row(check, alone[0].psnr, together[0].psnr, difference)


def measure(options: argparse.Namespace) -> list[Row]:
    pixels = middle(Sample(options.image).pixels, SIZE)
    target = torch.tensor(pixels, dtype=torch.float32) / 255
    area = target.shape[:2]
    rows = list(check_fits(target, options))
    fits: dict[str, FlatModel] = {}
    for name, kind in KINDS.items():
        # The authors' pixels, so that their format holds the same numbers.
        fits[name] = kind(kind.random(options.n, *area).raw, Canvas(*area, shift=SHIFT))
        recipe = Recipe().shortened(LONGER * options.iterations, learning_rate=RATES[-1])
        train(fits[name], target, recipe)
    rows += check_fine_tunings(fits, target, options.iterations)
    with tempfile.TemporaryDirectory() as folder:
        sample = datasets.Sample(Path(folder) / "crop.png")
        Image.fromarray(pixels).save(sample.path)
        for fit in fits.values():
            recipe = Recipe().shortened(options.iterations, learning_rate=FINE_TUNING_RATE)
            # The authors' format has the angles of rotations.
            tuned = fine_tune(copy.deepcopy(fit), target, recipe, QuantizerSettings(angle=True))
            rows += check_files(tuned.model, sample, target, options.iterations, Path(folder))
    return [*rows, *check_threads(target, options)]


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    torch.set_num_threads(1)
    report = environment(threads=[1])
    print_environment(report)
    rows = measure(options)
    about = f"N = {options.n}, {options.iterations} iterations"
    print(f"\nThe middle of {options.image.stem}, {about}; PSNR in dB\n")
    print_table(
        ["two ways", "one", "other", "parameters apart"],
        [[r.check, f"{r.one:.4f}", f"{r.other:.4f}", scientific(r.difference)] for r in rows],
    )
    settings = {"image": options.image.stem, "n": options.n, "iterations": options.iterations}
    results = {
        "benchmark": "training_errors",
        "environment": report,
        "settings": settings,
        "results": [row._asdict() for row in rows],
    }
    write_json(options.output, results)
    print(f"\nWritten to {options.output}")


if __name__ == "__main__":
    main()
