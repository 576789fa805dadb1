"""The paper's training in the compiled module, against the one in PyTorch and the reference."""

import copy
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor

from gaussianimage import _native, reference
from gaussianimage._util.interrupt import StopFlag, stoppable
from gaussianimage._util.safetensors import load_tensors, read_kind, save_tensors
from gaussianimage.errors import GaussianImageError
from gaussianimage.gaussians import Gaussians
from gaussianimage.paper import training
from gaussianimage.paper.fine_tuning import fine_tune
from gaussianimage.paper.native_loop import NativeLoop, runs_natively
from gaussianimage.paper.quantized_model import FlatModel, QuantizedModel, QuantizerSettings
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.released_code import ReleasedCode
from gaussianimage.paper.saved_training import SavedTraining
from gaussianimage.paper.training import TrainingPoint, train
from gaussianimage.paper.uniform_quantizer import LearnedUniformQuantizer
from gaussianimage.torch.models.opacity import OpacityModel
from gaussianimage.torch.models.sum import Canvas, CholeskyModel, RawParameters, ScaleRotationModel

KINDS = [CholeskyModel, ScaleRotationModel]
QUANTIZERS = {
    "paper": QuantizerSettings(),
    "released": QuantizerSettings(scaling=False, angle=True, revive=False),
    "other books": QuantizerSettings(covariance_bits=4, stages=3, entries=4, commitment=False),
    "integers": QuantizerSettings(color="int", color_bits=5),
}


def picture(height: int, width: int, channels: int = 3) -> Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 4, width), indexing="ij")
    waves = [0.5 + 0.45 * torch.sin(x * (1 + k) + k) * torch.cos(y) for k in range(channels)]
    return torch.stack(waves, 2)


def random_model(kind: type[FlatModel], seed: int = 1, channels: int = 3) -> FlatModel:
    """Return a model of 60 Gaussians of 2 to 8 px, some of them brighter than white."""
    model = kind.random(60, 37, 53, seed=seed, channels=channels)
    with torch.no_grad():
        if kind is CholeskyModel:
            model.shape.copy_(model.shape * torch.tensor([6, 2, 6]) - torch.tensor([0, 1, 0]))
        else:
            model.shape.copy_(model.shape * torch.tensor([6, 6, 2]) + torch.tensor([1, 1, -1]))
    return model


def error_of(model: torch.nn.Module, target: Tensor) -> Tensor:
    """Return the mean squared error of a model's clamped picture, with the commitment."""
    if not isinstance(model, QuantizedModel):
        return (model().clamp(0, 1) - target).square().mean()
    quantized = model.quantized()
    return (model.draw(quantized).clamp(0, 1) - target).square().mean() + quantized.commitment


def parameters_of(model: torch.nn.Module) -> dict[str, Tensor]:
    """Return a model's parameters by their names in the compiled module."""
    names = {"shape_quantizer": "shape", "color_quantizer": "color"}
    found = {}
    for name, parameter in model.named_parameters():
        owner, _, own = name.rpartition(".")
        found[f"{names[owner]}_{own}" if owner in names else own] = parameter
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quantizer", [None, *QUANTIZERS])
def test_gradients_are_those_of_double_precision(
    quantizer: str | None, kind: type[FlatModel]
) -> None:
    target = picture(37, 53)
    # So far out that no pixel lies just inside of the cut in one precision alone.
    flat = kind(random_model(kind).raw, Canvas(37, 53, q_max=40.0))
    model: torch.nn.Module = flat
    if quantizer is not None:
        model = QuantizedModel(flat, QUANTIZERS[quantizer])
        with torch.no_grad():
            # A range that some values leave, and that none just touches.
            for columns in (model.shape_quantizer, model.color_quantizer):
                if isinstance(columns, LearnedUniformQuantizer):
                    columns.scale *= 0.93
                    columns.beta += 0.3 * columns.scale
    found = NativeLoop(model, target).gradients()
    exact = copy.deepcopy(model).double()
    error_of(exact, target.double()).backward()  # type: ignore[no-untyped-call]
    expected = parameters_of(exact)
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        wanted = expected[name].grad
        assert wanted is not None
        scale = float(wanted.abs().max())
        np.testing.assert_allclose(gradient, wanted.flatten(), rtol=1e-3, atol=1e-5 * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_slopes_of_the_reference(kind: type[FlatModel]) -> None:
    # So far out that the cut has no influence.
    target, canvas = picture(19, 22), Canvas(19, 22, q_max=40.0)
    start = kind.random(5, 19, 22, seed=2)
    with torch.no_grad():
        start.shape *= 3
        start.colors *= 0.3
    model = kind(start.raw, canvas)
    found = NativeLoop(model, target).gradients()

    def error(raw: list[Tensor]) -> float:
        means, cholesky, colors = kind(RawParameters(*raw), canvas).physical()
        arrays = (tensor.detach().numpy() for tensor in (means, cholesky, colors))
        image = reference.render(Gaussians.from_cholesky(*arrays, 19, 22, canvas.q_max))
        return float(np.square(np.clip(image, 0, 1) - target.double().numpy()).mean())

    step = 1e-5
    for number, name in enumerate(RawParameters._fields):
        slopes = np.zeros_like(found[name])
        for i in range(len(slopes)):
            both = []
            for sign in (1, -1):
                raw = [tensor.detach().double().clone() for tensor in model.raw]
                raw[number].view(-1)[i] += sign * step
                both.append(error(raw))
            slopes[i] = (both[0] - both[1]) / (2 * step)
        np.testing.assert_allclose(found[name], slopes, rtol=2e-3, atol=2e-4 * abs(slopes).max())


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_has_the_numbers_of_the_one_in_pytorch(kind: type[FlatModel]) -> None:
    target = picture(37, 53)
    recipe = Recipe(iterations=30, learning_rate=2e-3, halve_every=12)
    native, plain = random_model(kind), random_model(kind)
    results = [
        train(native, target, recipe, loop="native"),
        train(plain, target, recipe, loop="torch"),
    ]
    assert results[0].psnr == pytest.approx(results[1].psnr, abs=1e-4)
    for one, other in zip(results[0].history, results[1].history, strict=True):
        assert (one.iteration, one.psnr) == (other.iteration, pytest.approx(other.psnr, abs=1e-4))
    for ours, theirs in zip(native.parameters(), plain.parameters(), strict=True):
        apart = (ours - theirs).abs().detach()
        assert float(apart.max()) < 5e-4
        assert float(apart.median()) < 2e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_a_fine_tuning_has_the_numbers_of_the_one_in_pytorch(
    quantizer: str, kind: type[FlatModel]
) -> None:
    target = picture(37, 53)
    recipe = Recipe(iterations=6, learning_rate=1e-3)
    models = [QuantizedModel(random_model(kind), QUANTIZERS[quantizer]) for _ in range(2)]
    results = [
        fine_tune(model, target, recipe, loop=loop)
        for model, loop in zip(models, ("native", "torch"), strict=True)
    ]
    assert results[0].psnr == pytest.approx(results[1].psnr, abs=2e-3)
    ours, theirs = (model.state_dict() for model in models)
    for name in ours:
        apart = (ours[name] - theirs[name]).abs()
        # A rounding to the other side changes one Gaussian, and a step or offset a little.
        most = 2e-5 if len(apart) == 60 else 5e-4
        assert float(apart.median()) <= most * max(1.0, float(theirs[name].abs().max()))


@pytest.mark.parametrize("revive", [True, False])
def test_dead_entries_are_revived_as_in_pytorch(revive: bool) -> None:
    settings = QuantizerSettings(entries=16, revive=revive)
    models = [QuantizedModel(random_model(CholeskyModel), settings) for _ in range(2)]
    for model in models:
        model.color_quantizer.codebooks[0, 3:7] = 9.0  # far away from every color
        model.color_quantizer.counts[0, 3:7] = 1e-3
    recipe = Recipe(iterations=2, learning_rate=1e-4)
    for model, loop in zip(models, ("native", "torch"), strict=True):
        fine_tune(model, picture(37, 53), recipe, loop=loop)
    ours, theirs = (model.color_quantizer for model in models)
    torch.testing.assert_close(ours.counts, theirs.counts, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.codebooks, theirs.codebooks, rtol=1e-4, atol=1e-4)


def test_half_precision_rounds_as_numpy_does(target: Tensor) -> None:
    # Numbers between two halves, on the way to subnormal ones, and beyond the largest.
    exponents = torch.linspace(-28, 18, 400)
    signs = torch.tensor([1.0, -1.0]).repeat(200)
    values = signs * 2**exponents * (1 + torch.linspace(0, 0.999, 400))
    ties = torch.tensor([1 + 2**-11, 1 + 3 * 2**-11, 2**-25, 3 * 2**-25, 65519.0, 65520.0])
    values = torch.cat([values, ties, -ties])
    means = torch.stack([values, values.flip(0)], 1)
    raw = RawParameters(means, torch.ones(len(means), 3), torch.rand(len(means), 3))
    models = [QuantizedModel(CholeskyModel(raw, Canvas(24, 32))) for _ in range(2)]
    ours, theirs = (
        fine_tune(model, target, Recipe(iterations=0), loop=loop).psnr
        for model, loop in zip(models, ("native", "torch"), strict=True)
    )
    assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("quantizer", [None, "paper"])
def test_every_number_of_threads_gives_the_same_bits(quantizer: str | None) -> None:
    states = []
    for threads in (1, 2, 3):
        flat = random_model(ScaleRotationModel)
        model = flat if quantizer is None else QuantizedModel(flat)
        loop = NativeLoop(model, picture(37, 53), threads=threads)
        errors = loop.run([1e-3] * 9)
        states.append(loop.state() | {"errors": errors})
    for state in states[1:]:
        for name, array in state.items():
            np.testing.assert_array_equal(array, states[0][name])


@pytest.mark.parametrize("name", ["baseline", "avx2", "avx512"])
def test_instruction_sets_differ_by_rounding_alone(name: str) -> None:
    used = _native.instruction_set()
    if not _native.select_instruction_set(name):
        pytest.skip(f"this CPU has no {name}")
    try:
        loop = NativeLoop(random_model(CholeskyModel), picture(37, 53))
        gradients = loop.gradients()
    finally:
        _native.select_instruction_set(used)
    exact = copy.deepcopy(random_model(CholeskyModel)).double()
    error_of(exact, picture(37, 53).double()).backward()  # type: ignore[no-untyped-call]
    for field, parameter in parameters_of(exact).items():
        assert parameter.grad is not None
        wanted = parameter.grad.flatten().numpy()
        np.testing.assert_allclose(
            gradients[field], wanted, rtol=1e-3, atol=1e-5 * abs(wanted).max()
        )


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("size", [(1, 1), (3, 9), (8, 16), (257, 5), (2, 70)])
def test_every_size_and_number_of_channels_is_measured(
    size: tuple[int, int], channels: int
) -> None:
    target = picture(*size, channels)
    model = CholeskyModel.random(9, *size, channels=channels)
    loop = NativeLoop(model, target)
    assert loop.measure() == pytest.approx(float(error_of(model, target).detach()), rel=1e-5)
    assert np.isfinite(loop.run([1e-3] * 5)).all()


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1e38, 1e-40, 0.0, -0.5])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["means", "shape", "colors"])
def test_poisoned_numbers_draw_what_they_draw_in_pytorch(
    place: str, kind: type[FlatModel], poison: float
) -> None:
    target = picture(37, 53)
    model = random_model(kind)
    with torch.no_grad():
        getattr(model, place)[3] = poison
    expected = float(error_of(model, target).detach())
    loop = NativeLoop(model, target)
    assert loop.measure() == pytest.approx(expected, rel=1e-5, nan_ok=True)
    loop.run([1e-3] * 3)  # it ends


def test_poisoned_colors_do_not_stop_the_codebooks() -> None:
    model = QuantizedModel(random_model(CholeskyModel), QuantizerSettings(entries=64))
    with torch.no_grad():
        model.model.colors[5] = math.nan
        model.color_quantizer.counts[:, ::2] = 0
    NativeLoop(model, picture(37, 53)).run([1e-3] * 3)


def test_a_picture_that_is_not_finite_is_reported() -> None:
    target = picture(37, 53)
    target[3, 4, 1] = math.nan
    with pytest.raises(GaussianImageError, match="the training diverged within 0 iterations"):
        train(random_model(CholeskyModel), target, Recipe(iterations=3), loop="native")


# -- Choosing the loop -----------------------------------------------------------------------------


def test_other_models_and_recipes_are_left_to_pytorch() -> None:
    model, recipe = random_model(CholeskyModel), Recipe()
    assert runs_natively(model, recipe)
    assert runs_natively(QuantizedModel(model), recipe)
    assert not runs_natively(model, Recipe(loss="l1"))
    assert not runs_natively(model, Recipe(optimizer="adam"))
    assert not runs_natively(copy.deepcopy(model).double(), recipe)
    assert not runs_natively(CholeskyModel.random(5, 8, 8, channels=5), recipe)
    assert not runs_natively(OpacityModel.random(5, 8, 8), recipe)


def test_what_cannot_run_natively_is_refused_by_name() -> None:
    target = picture(37, 53)
    with pytest.raises(ValueError, match="loop: the compiled module trains"):
        train(random_model(CholeskyModel), target, Recipe(loss="l1"), loop="native")
    with pytest.raises(ValueError, match="loop: expected one of auto, native, torch"):
        train(random_model(CholeskyModel), target, loop="fast")
    with pytest.raises(ValueError, match="target: expected shape"):
        train(random_model(CholeskyModel), picture(37, 54), loop="native")
    with pytest.raises(TypeError, match="target"):
        train(random_model(CholeskyModel), target.double(), loop="native")


# -- Interrupted and continued ---------------------------------------------------------------------


class KilledError(Exception):
    """Stands in for the end of the process."""


def make(quantizer: str | None) -> torch.nn.Module:
    flat = random_model(CholeskyModel)
    return flat if quantizer is None else QuantizedModel(flat, QUANTIZERS[quantizer])


def run(model: torch.nn.Module, target: Tensor, recipe: Recipe, **options: Any) -> Any:
    if isinstance(model, QuantizedModel):
        return fine_tune(model, target, recipe, **options).training
    return train(model, target, recipe, **options)


@pytest.mark.parametrize("quantizer", [None, "paper", "integers"])
def test_an_interrupted_run_goes_on_with_the_same_numbers(
    quantizer: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, recipe = picture(37, 53), Recipe(iterations=60, halve_every=25)
    whole = make(quantizer)
    expected = run(whole, target, recipe)

    path = tmp_path / "state.safetensors"
    monkeypatch.setattr(training, "_TELL_EVERY", 0)  # a report after every iteration

    def killed(model: torch.nn.Module) -> None:
        reports = []

        def tell(point: TrainingPoint) -> None:
            reports.append(point.iteration)
            if len(reports) == 8:
                raise KilledError

        with pytest.raises(KilledError):
            run(model, target, recipe, progress=tell, saved=SavedTraining(path, every=0))
        begun.append(reports[0])

    begun: list[int] = []
    for _ in range(3):
        killed(make(quantizer))
    assert begun == [0, 7, 14]
    model = make(quantizer)
    saved = SavedTraining(path, every=0)
    result = run(model, target, recipe, saved=saved)
    ours, theirs = model.state_dict(), whole.state_dict()
    for name in theirs:
        assert torch.equal(ours[name], theirs[name])
    assert [(p.iteration, p.psnr) for p in result.history] == [
        (p.iteration, p.psnr) for p in expected.history
    ]
    saved.remove()
    assert not path.exists()


def test_ctrl_c_leaves_the_numbers_and_a_state(tmp_path: Path) -> None:
    flag = StopFlag()
    path = tmp_path / "state.safetensors"
    model = random_model(CholeskyModel)
    before = copy.deepcopy(model)
    timer = threading.Timer(0.3, flag.set)
    timer.start()
    with stoppable(flag), pytest.raises(KeyboardInterrupt):
        train(model, picture(37, 53), Recipe(iterations=10**7), saved=SavedTraining(path))
    timer.join()
    assert not torch.equal(model.means, before.means)
    assert torch.isfinite(model.means).all()
    loop = NativeLoop(before, picture(37, 53))
    saved = SavedTraining(path)
    saved.begin(loop, [], Recipe(iterations=10**7))
    assert loop.steps > 0
    np.testing.assert_array_equal(loop.state()["means"], model.means.detach().flatten())


def test_a_state_of_another_run_or_a_broken_one_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    target, recipe = picture(37, 53), Recipe(iterations=20)
    loop = NativeLoop(random_model(CholeskyModel), target)
    saved = SavedTraining(path)
    saved.begin(loop, [], recipe)
    loop.run([1e-3] * 5)
    saved.save(loop, [])

    def steps(model: FlatModel, target: Tensor, recipe: Recipe) -> int:
        again = NativeLoop(model, target)
        SavedTraining(path).begin(again, [], recipe)
        return again.steps

    assert steps(random_model(CholeskyModel), target, recipe) == 5
    assert steps(random_model(CholeskyModel, seed=2), target, recipe) == 0
    assert steps(random_model(ScaleRotationModel), target, recipe) == 0
    assert steps(random_model(CholeskyModel), target.flip(0), recipe) == 0
    assert steps(random_model(CholeskyModel), target, Recipe(iterations=21)) == 0
    data = path.read_bytes()
    kind = read_kind(path)
    assert kind is not None
    wrong = [("steps", "-1"), ("steps", "21"), ("best_error", "nan"), ("monitor", "[[1, 2]]")]
    wrong += [("monitor", text) for text in ("true", "[[0, 1, -2]]", "[[NaN, 1, 2]]", '[["a"]]')]
    wrong += [("monitor", "[" * 10000)]
    for name, text in wrong:
        arrays, metadata = load_tensors(path, kind, 1, (), ())
        save_tensors(path, kind, 1, arrays, {**metadata, name: text})
        assert steps(random_model(CholeskyModel), target, recipe) == 0, (name, text)
        path.write_bytes(data)
    arrays, metadata = load_tensors(path, kind, 1, (), ())
    save_tensors(path, kind, 1, {n: a.astype(int) for n, a in arrays.items()}, metadata)
    assert steps(random_model(CholeskyModel), target, recipe) == 0
    for broken in (b"", data[: len(data) // 2], data[:40]):
        path.write_bytes(broken)
        assert steps(random_model(CholeskyModel), target, recipe) == 0


def test_a_state_of_another_size_is_refused_whole() -> None:
    loop = NativeLoop(random_model(CholeskyModel), picture(37, 53))
    state = loop.state()
    short = state | {"best.colors": state["best.colors"][:-1], "means": state["means"] + 1}
    for wrong in (short, {}):
        with pytest.raises(ValueError, match="an array of the state"):
            loop.load(wrong, 1, 0.0)
        np.testing.assert_array_equal(loop.state()["means"], state["means"])


def test_wrong_arrays_are_refused() -> None:
    zeros = {n: np.zeros(n, np.float32) for n in (2, 3)}
    rows = {n: np.zeros((4, n), np.float32) for n in (2, 3)}
    good: dict[str, Any] = {
        "target": np.zeros((5, 6, 3), np.float32),
        "means": rows[2],
        "shape": rows[3],
        "colors": rows[3],
        "offsets": zeros[3],
        "middle": zeros[2],
        "reach": zeros[2],
        "rotation": False,
        "angle": False,
        "q_max": 5.0,
        "threads": 1,
    }
    _native.PaperTraining(**good).measure()
    for name, wrong in {
        "target": np.zeros((5, 6, 5), np.float32),
        "means": rows[3],
        "shape": rows[2],
        "colors": rows[2],
        "offsets": zeros[2],
        "reach": zeros[3],
    }.items():
        with pytest.raises(ValueError, match="must"):
            _native.PaperTraining(**good | {name: wrong})


# -- As the released code does ---------------------------------------------------------------------


def gradients(model: FlatModel, target: Tensor, **switches: Any) -> dict[str, np.ndarray]:
    return NativeLoop(model, target, released=ReleasedCode(**switches)).gradients()


def released_picture(model: FlatModel, entries: int) -> np.ndarray:
    """Return the picture of the released kernels, pixel by pixel from their formulas."""
    height, width = model.canvas.height, model.canvas.width
    means, cholesky, colors = (t.detach().double().numpy() for t in model.physical())
    y, x = np.mgrid[:height, :width]
    drawn = np.zeros((-(-height // 16), -(-width // 16)), int)
    image = np.zeros((height, width, 3))
    for mean, (l11, l21, l22), color in zip(means, cholesky, colors, strict=True):
        # Their pixels are at integers, ours at +½.
        center = mean - 0.5
        a, b, c = l11 * l11, l11 * l21, l21 * l21 + l22 * l22
        determinant, half = a * c - b * b, (a + c) / 2
        largest = half + math.sqrt(max(0.1, half * half - determinant))
        radius = math.ceil(3 * math.sqrt(largest))
        tiles = np.zeros_like(drawn, bool)
        low, high = (center - radius) / 16, (center + radius) / 16 + 1
        (x0, y0), (x1, y1) = np.maximum(low.astype(int), 0), np.maximum(high.astype(int), 0)
        tiles[y0:y1, x0:x1] = True
        tiles &= drawn < entries
        drawn[y0:y1, x0:x1] += 1
        dx, dy = x - center[0], y - center[1]
        q = (c * dx * dx - 2 * b * dx * dy + a * dy * dy) / (2 * determinant)
        weight = np.where(q <= math.log(255), np.exp(-q), 0)
        shown = np.kron(tiles, np.ones((16, 16)))[:height, :width]
        image += (weight * shown)[..., None] * color
    return image


@pytest.mark.parametrize("entries", [10**6, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_tiles_cut_gaussians_off_as_in_the_released_code(
    kind: type[FlatModel], entries: int
) -> None:
    target = picture(37, 53)
    model = random_model(kind)
    image = released_picture(model, entries)
    expected = np.square(np.clip(image, 0, 1) - target.double().numpy()).mean()
    switches = {"tile_cut": True, "tile_entries": entries}
    loop = NativeLoop(model, target, released=ReleasedCode(**switches))
    assert loop.measure() == pytest.approx(expected, rel=1e-5)
    # The gradient is of the same picture.
    if entries == 5:
        assert abs(expected - NativeLoop(model, target).measure()) > 1e-3
    colors = model.colors.detach().double().numpy().copy()
    found = loop.gradients()["colors"].reshape(colors.shape)
    step = 1e-4
    for i in (0, 30, 59):
        slopes = []
        for channel in range(3):
            both = []
            for sign in (1, -1):
                with torch.no_grad():
                    model.colors[i, channel] = float(colors[i, channel]) + sign * step
                image = released_picture(model, entries)
                both.append(np.square(np.clip(image, 0, 1) - target.double().numpy()).mean())
            with torch.no_grad():
                model.colors[i, channel] = float(colors[i, channel])
            slopes.append((both[0] - both[1]) / (2 * step))
        np.testing.assert_allclose(found[i], slopes, rtol=0.02, atol=2e-5)


def test_a_tall_picture_is_cut_at_tiles_too() -> None:
    # Cells end after 256 rows.
    target = picture(300, 21)
    model = CholeskyModel.random(40, 300, 21, seed=4)
    with torch.no_grad():
        model.shape *= 8
    expected = np.square(np.clip(released_picture(model, 12), 0, 1) - target.numpy()).mean()
    released = ReleasedCode(tile_cut=True, tile_entries=12)
    loop = NativeLoop(model, target, released=released)
    assert loop.measure() == pytest.approx(expected, rel=1e-5)


def test_the_doubled_gradient_is_that_of_the_released_code() -> None:
    # dL/dl₁₁ = 2 l₁₁ G₁₁ + 2 l₂₁ G₁₂ and dL/dl₂₁ = 2 l₁₁ G₁₂ + 2 l₂₁ G₂₂, where G₁₂ is the
    # derivative by Σxy as one number already. So their excess is l₂₁ G₁₂ and l₁₁ G₁₂.
    target, model = picture(37, 53), random_model(CholeskyModel)
    right = gradients(model, target)
    doubled = gradients(model, target, doubled_gradient=True)
    for name in ("means", "colors"):
        np.testing.assert_array_equal(doubled[name], right[name])
    excess = (doubled["shape"] - right["shape"]).reshape(-1, 3)
    cholesky = model.cholesky(model.shape).detach().numpy()
    assert abs(excess[:, 1]).max() > 1e-4
    scale = abs(excess).max()
    np.testing.assert_allclose(
        excess[:, 0] * cholesky[:, 0], excess[:, 1] * cholesky[:, 1], atol=1e-4 * scale
    )
    np.testing.assert_allclose(excess[:, 2], 0, atol=1e-6 * scale)


def test_the_doubled_gradient_of_a_rotation_is_twice_as_large_for_a_level_ellipse() -> None:
    # At 0° the derivative by the angle is (s₁² - s₂²) times that by Σxy alone.
    model = random_model(ScaleRotationModel)
    with torch.no_grad():
        model.shape[:, 2] = 0.0  # half a turn
    target = picture(37, 53)
    right = gradients(model, target)["shape"].reshape(-1, 3)
    doubled = gradients(model, target, doubled_gradient=True)["shape"].reshape(-1, 3)
    scale = abs(right[:, 2]).max()
    np.testing.assert_allclose(doubled[:, 2], 2 * right[:, 2], atol=1e-4 * scale)
    np.testing.assert_allclose(doubled[:, :2], right[:, :2], atol=1e-4 * abs(right[:, :2]).max())


def test_the_released_code_is_followed_in_the_compiled_module_alone() -> None:
    target, model = picture(37, 53), random_model(CholeskyModel)
    released = ReleasedCode(doubled_gradient=True)
    with pytest.raises(ValueError, match="released: only the compiled module"):
        train(model, target, Recipe(iterations=1), loop="torch", released=released)
    with pytest.raises(ValueError, match="loop: the compiled module trains"):
        train(model, target, Recipe(iterations=1, loss="l1"), released=released)
    with pytest.raises(ValueError, match="tile_entries: only with tile_cut"):
        ReleasedCode(tile_entries=3)
    with pytest.raises(ValueError, match="tile_entries: expected from 0"):
        ReleasedCode(tile_cut=True, tile_entries=-1)
