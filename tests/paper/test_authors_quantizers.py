"""Quantizers of the authors' checkpoints: kept, exported, and gone on from."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor

import gaussianimage
from gaussianimage.codec.decoder.paper_record import decode_record
from gaussianimage.errors import FormatError
from gaussianimage.paper.checkpoints import (
    export_checkpoint,
    import_checkpoint,
    import_quantizers,
    load_quantized,
    save_quantized,
)
from gaussianimage.paper.fine_tuning import fine_tune
from gaussianimage.paper.import_checkpoint import import_as_file
from gaussianimage.paper.quantized_model import FlatModel, QuantizedModel, QuantizerSettings
from gaussianimage.paper.recipe import Recipe
from gaussianimage.torch.models.sum import CholeskyModel, ScaleRotationModel

SIZE = (24, 32)
KINDS = [CholeskyModel, ScaleRotationModel]
RELEASED = QuantizerSettings(angle=True)


def state(kind: type[FlatModel]) -> dict[str, Tensor]:
    """Return a state dict with the names that the released code saves."""
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    found = {
        "_xyz": draw(50, 2) * 4 - 2,
        "_features_dc": draw(50, 3),
        "_opacity": torch.ones(50, 1),
        "bound": torch.full((1, 2), 0.5),
    }
    for stage in range(2):
        layer = f"features_dc_quantizer.quantizer.layers.{stage}._codebook"
        found[f"{layer}.initted"] = torch.ones(1)
        found[f"{layer}.embed"] = draw(1, 8, 3) * (1 - 0.8 * stage)
        found[f"{layer}.cluster_size"] = 1 + draw(1, 8) * 9
        found[f"{layer}.embed_avg"] = (
            found[f"{layer}.embed"] * found[f"{layer}.cluster_size"][..., None]
        )
    if kind is CholeskyModel:
        found |= {"_cholesky": draw(50, 3) * 4, "cholesky_bound": torch.tensor([[0.5, 0, 0.5]])}
        parts = {"cholesky_quantizer": 3}
    else:
        found |= {"_scaling": draw(50, 2) * 4, "_rotation": draw(50, 1) * 6 - 3}
        parts = {"scaling_quantizer": 2, "rotation_quantizer": 1}
    for name, count in parts.items():
        # Not the range of the values, so that a start from them would give something else.
        found |= {f"{name}.scale": 0.05 + draw(count) / 20, f"{name}.beta": draw(count) / 3}
    return found


def released_picture(found: dict[str, Tensor]) -> np.ndarray:
    """Return the picture that the released code draws of a checkpoint, from its formulas alone."""
    means = found["_xyz"].half().double().numpy()
    height, width = SIZE
    # Its pixels have integer coordinates.
    x, y = (np.tanh(means) + 1).T * [[width / 2], [height / 2]]

    def rounded(values: Tensor, name: str) -> np.ndarray:
        scale, beta = (found[f"{name}.{part}"].double() for part in ("scale", "beta"))
        code = ((values.double() - beta) / scale).clamp(0, 63).round()
        return (code * scale + beta).numpy()

    if "_cholesky" in found:
        l11, l21, l22 = (
            rounded(found["_cholesky"], "cholesky_quantizer") + np.array([0.5, 0, 0.5])
        ).T
        xx, xy, yy = l11**2, l11 * l21, l21**2 + l22**2
    else:
        s1, s2 = np.abs(rounded(found["_scaling"], "scaling_quantizer") + 0.5).T
        angle = found["_rotation"].double().sigmoid() * 2 * math.pi
        t = rounded(angle, "rotation_quantizer")[:, 0]
        c, s = np.cos(t), np.sin(t)
        xx, xy = (c * s1) ** 2 + (s * s2) ** 2, c * s * (s1**2 - s2**2)
        yy = (s * s1) ** 2 + (c * s2) ** 2
    left, colors = found["_features_dc"].double(), torch.zeros(50, 3, dtype=torch.float64)
    for stage in range(2):
        book = found[f"features_dc_quantizer.quantizer.layers.{stage}._codebook.embed"][0].double()
        chosen = book[torch.cdist(left, book).argmin(1)]
        left, colors = left - chosen, colors + chosen
    determinant = xx * yy - xy**2
    rows, columns = np.mgrid[:height, :width]
    image = np.zeros((height, width, 3))
    for i in range(50):
        dx, dy = columns - x[i], rows - y[i]
        q = (yy[i] * dx**2 - 2 * xy[i] * dx * dy + xx[i] * dy**2) / (2 * determinant[i])
        image += np.where(q <= math.log(255), np.exp(-q), 0)[..., None] * colors[i].numpy()
    return image.clip(0, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_holds_what_the_released_code_draws(kind: type[FlatModel], tmp_path: Path) -> None:
    found = state(kind)
    torch.save({"gs": found}, tmp_path / "model.pth.tar")
    import_as_file(tmp_path / "model.pth.tar", tmp_path / "a.gimg", SIZE)
    data = (tmp_path / "a.gimg").read_bytes()
    image = gaussianimage.decode(data, dtype=np.float32)
    # Where q is at the cut-off, rounding decides whether 1/255 of a color counts.
    assert np.abs(image - released_picture(found)).max() < 8e-3
    assert np.abs(image - released_picture(found)).mean() < 1e-4
    assert decode_record(data).angle == (kind is ScaleRotationModel)


def test_a_checkpoint_without_quantizers_has_none(tmp_path: Path) -> None:
    found = {k: v for k, v in state(CholeskyModel).items() if "quantizer" not in k}
    torch.save(found, tmp_path / "model.pth.tar")
    assert import_quantizers(tmp_path / "model.pth.tar") is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("cholesky_quantizer.scale", torch.zeros(3), "a step that is not above 0"),
        ("cholesky_quantizer.scale", torch.ones(2), "expected a tensor of shape"),
        ("cholesky_quantizer.beta", torch.full((3,), math.nan), "not all numbers are finite"),
        ("cholesky_quantizer.beta", None, "expected a tensor of shape"),
        (
            "features_dc_quantizer.quantizer.layers.0._codebook.embed",
            torch.ones(8, 3),
            "expected shape",
        ),
        (
            "features_dc_quantizer.quantizer.layers.1._codebook.embed",
            torch.ones(1, 4, 3),
            "expected",
        ),
        ("features_dc_quantizer.quantizer.layers.0._codebook.embed", None, "expected codebooks"),
    ],
)
def test_broken_quantizers_are_refused(
    name: str, value: Tensor | None, message: str, tmp_path: Path
) -> None:
    found = state(CholeskyModel) | ({} if value is None else {name: value})
    if value is None:
        del found[name]
    torch.save(found, tmp_path / "model.pth.tar")
    with pytest.raises(FormatError, match=message):
        import_quantizers(tmp_path / "model.pth.tar")


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_model_comes_back(kind: type[FlatModel], tmp_path: Path) -> None:
    torch.save(state(kind), tmp_path / "model.pth.tar")
    model = import_checkpoint(tmp_path / "model.pth.tar", SIZE)
    quantized = QuantizedModel(model, RELEASED)
    found = import_quantizers(tmp_path / "model.pth.tar")
    assert found is not None
    quantized.load_quantizers(found)
    export_checkpoint(quantized, tmp_path / "again.pth.tar")
    again = torch.load(tmp_path / "again.pth.tar", weights_only=True)
    expected = state(kind)
    assert set(expected) <= set(again)
    for name, tensor in expected.items():
        assert torch.allclose(again[name], tensor), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_ours_draws_the_same_after_its_export(
    fitted: Callable[..., FlatModel], kind: type[FlatModel], tmp_path: Path
) -> None:
    model = fitted(kind)
    with torch.no_grad():
        model.means.clamp_(-1, 1)  # away from the sides, where centers can't move by ½ px
    export_checkpoint(model, tmp_path / "model.pth.tar")
    again = import_checkpoint(tmp_path / "model.pth.tar", SIZE)
    with torch.no_grad():
        difference = (again() - model()).abs()
    assert difference.max() < 8e-3


def test_what_the_authors_code_lacks_is_not_exported(
    fitted: Callable[..., FlatModel], tmp_path: Path
) -> None:
    quantized = QuantizedModel(fitted(), QuantizerSettings(color="int"))
    with pytest.raises(ValueError, match="the authors' code quantizes"):
        export_checkpoint(quantized, tmp_path / "a.pth.tar")
    with pytest.raises(TypeError, match="expected a model of the codec, got Linear"):
        export_checkpoint(torch.nn.Linear(2, 2), tmp_path / "a.pth.tar")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_fine_tuning_goes_on_from_a_saved_state(
    fitted: Callable[..., FlatModel], target: Tensor, kind: type[FlatModel], tmp_path: Path
) -> None:
    recipe = Recipe().shortened(15, learning_rate=5e-3)
    first = fine_tune(fitted(kind), target, recipe, RELEASED)
    save_quantized(first.model, tmp_path / "state.safetensors")
    model = load_quantized(tmp_path / "state.safetensors")
    assert model.record() == first.record
    second = fine_tune(model, target, recipe)
    assert second.psnr >= first.psnr
    with pytest.raises(ValueError, match="settings: a quantized model has its own"):
        fine_tune(model, target, recipe, RELEASED)


def test_a_broken_state_is_refused(fitted: Callable[..., FlatModel], tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_quantized(QuantizedModel(fitted()), path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"shape_quantizer.scale", b"shape_quantizer.other"))
    with pytest.raises(FormatError):
        load_quantized(path)
    path.write_bytes(data[:100])
    with pytest.raises(FormatError):
        load_quantized(path)
