"""Models in files: saving is lossless, and reading the authors' files runs no code."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor, nn

from gaussianimage._util.safetensors import load_tensors, save_tensors
from gaussianimage.errors import FormatError, UnsupportedError
from gaussianimage.paper.checkpoints import (
    import_checkpoint,
    import_spatial,
    load_model,
    save_model,
)
from gaussianimage.torch.models.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.models.splatting import SplattingModel
from gaussianimage.torch.models.sum import Canvas, CholeskyModel, RawParameters, ScaleRotationModel

SIZE = (12, 17)


def models() -> dict[str, nn.Module]:
    shifted = RawParameters(torch.rand(4, 2), torch.rand(4, 3), torch.rand(4, 1))
    return {
        "cholesky": CholeskyModel.random(5, *SIZE),
        "no offset": CholeskyModel.random(5, *SIZE, offset=False),
        "rs": ScaleRotationModel.random(5, *SIZE, channels=2),
        "shifted": CholeskyModel(shifted, Canvas(*SIZE, 4.5, shift=0.5)),
        "double": CholeskyModel.random(3, *SIZE).double(),
        "opacity": OpacityModel.random(5, *SIZE),
        "alpha": BlendedModel.random(5, *SIZE),
        "3dgs": SplattingModel.random(6, *SIZE),
    }


def trained(model: nn.Module) -> nn.Module:
    """Return the model with other parameters than it starts from."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.rand(parameter.shape, generator=generator)
            parameter += 0.1 * noise.to(parameter.dtype)
    return model


@pytest.mark.parametrize("name", models())
def test_models_come_back_to_the_bit(name: str, tmp_path: Path) -> None:
    model = trained(models()[name])
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert type(again) is type(model)
    state = model.state_dict()
    assert again.state_dict().keys() == state.keys()
    for key, tensor in again.state_dict().items():
        assert tensor.dtype == state[key].dtype
        assert torch.equal(tensor, state[key])
    assert torch.equal(again(), model())
    assert repr(again) == repr(model)
    assert all(parameter.requires_grad for parameter in again.parameters())


def test_other_modules_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"model: expected a model .* got Linear"):
        save_model(nn.Linear(2, 2), tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def changed(path: Path, **changes: Any) -> Path:
    """Return a saved model with tensors or metadata replaced, or left out if None."""
    model = models()["3dgs" if "coefficients" in changes else "cholesky"]
    save_model(model, path)
    kind = "gaussianimage.paper.model"
    tensors, metadata = load_tensors(path, kind, 1, (), ())
    everything = tensors | {
        key: metadata[key] for key in metadata if key not in ("kind", "version")
    }
    everything |= changes
    everything = {key: value for key, value in everything.items() if value is not None}
    texts = {key: value for key, value in everything.items() if isinstance(value, str)}
    arrays = {key: value for key, value in everything.items() if key not in texts}
    version = int(texts.pop("version", "1"))
    save_tensors(path, texts.pop("kind", kind), version, arrays, texts)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "other"}, "expected metadata kind"),
        ({"model": None}, "metadata missing: model"),
        ({"model": "mystery"}, "unknown model 'mystery'"),
        ({"means": None}, "tensor missing: means"),
        ({"shape": None}, "tensor missing: shape"),
        ({"coefficients": None}, "tensor missing: coefficients"),
        ({"colors": np.zeros((4, 3), np.float32)}, "colors: expected shape"),
        ({"means": np.zeros(4, np.float32)}, "means: expected shape"),
        ({"means": np.full((5, 2), np.nan, np.float32)}, "means: not all numbers are finite"),
        (
            {"means": np.zeros((5, 2), np.int32)},
            "means: expected float32 or float64, got torch.int32",
        ),
        ({"extra": np.zeros(3)}, "extra"),
        ({"height": "tall"}, "metadata height: expected int"),
        ({"height": "0"}, "height"),
        ({"q_max": None}, "metadata q_max: expected float"),
        ({"q_max": "-1"}, "q_max"),
        ({"offset": "no"}, "metadata offset"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_missing_or_wrong_is_named(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = changed(tmp_path / "model.safetensors", **changes)
    with pytest.raises(FormatError, match=message) as caught:
        load_model(path)
    assert str(caught.value).startswith(str(path))


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = changed(tmp_path / "model.safetensors", version="2")
    with pytest.raises(UnsupportedError, match="version 2"):
        load_model(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(models()["cholesky"], path)
    data = path.read_bytes()
    for size in (0, 7, 100, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(FormatError):
            load_model(path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing.safetensors")


# The authors' files -------------------------------------------------------------------------


def cholesky_state(count: int = 6) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(3)
    return {
        "_xyz": torch.rand(count, 2, generator=generator) * 2 - 1,
        "_cholesky": torch.rand(count, 3, generator=generator) + torch.tensor([0.5, 0.0, 0.5]),
        "_features_dc": torch.rand(count, 3, generator=generator),
        "_opacity": torch.ones(count, 1),
        "bound": torch.tensor([[0.5, 0.5]]),
        "cholesky_bound": torch.tensor([[0.5, 0.0, 0.5]]),
    }


def rotation_state(count: int = 6) -> dict[str, Any]:
    state = cholesky_state(count)
    del state["_cholesky"], state["cholesky_bound"]
    return state | {"_scaling": torch.rand(count, 2) * 3, "_rotation": torch.rand(count, 1)}


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("kind", ["cholesky", "rotation"])
def test_the_picture_is_theirs_half_a_pixel_further(kind: str, tmp_path: Path) -> None:
    state = cholesky_state() if kind == "cholesky" else rotation_state()
    path = saved(tmp_path / "gaussian_model.pth.tar", state)
    model = import_checkpoint(path, SIZE)
    height, width = SIZE
    # The released code's own formulas, sampled at integers (x to the right, y down).
    expected = np.zeros((height, width, 3))
    y, x = np.mgrid[0:height, 0:width].astype(float)
    xyz, features = state["_xyz"].tanh().double().numpy(), state["_features_dc"].double().numpy()
    for i, (cx, cy) in enumerate(xyz):
        if kind == "cholesky":
            a, b, c = (state["_cholesky"][i] + torch.tensor([0.5, 0, 0.5])).double().tolist()
            root = np.array([[a, 0], [b, c]])
        else:
            scales = (state["_scaling"][i] + 0.5).abs().double().tolist()
            angle = float(state["_rotation"][i].double().sigmoid()) * 2 * np.pi
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            root = turn @ np.diag(scales)
        (A, B), (_, C) = np.linalg.inv(root @ root.T)
        dx, dy = x - 0.5 * width * (cx + 1), y - 0.5 * height * (cy + 1)
        sigma = 0.5 * (A * dx * dx + C * dy * dy) + B * dx * dy
        alpha = np.where(sigma < np.log(255), np.exp(-sigma), 0)
        expected += alpha[..., None] * features[i]
    assert np.abs(model().detach().numpy() - expected).max() < 2e-5
    assert type(model) is (CholeskyModel if kind == "cholesky" else ScaleRotationModel)
    assert model.canvas.shift == 0.5
    assert model.offset


@pytest.mark.parametrize(
    "nest",
    [
        lambda state: {"state_dict": state},
        lambda state: {"model": state, "epoch": 5},
        lambda state: {"a": 1, "checkpoint": {"model_state_dict": state}},
        lambda state: {f"module.{name}": value for name, value in state.items()},
    ],
)
def test_nested_states_are_found(nest: Any, tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pth.tar", nest(cholesky_state()))
    assert torch.equal(import_checkpoint(path, SIZE).means, cholesky_state()["_xyz"])


def test_models_without_the_offset_are_told_by_their_buffer(tmp_path: Path) -> None:
    zeros = {"cholesky_bound": torch.zeros(1, 3)}
    path = saved(tmp_path / "x.pth.tar", cholesky_state() | zeros)
    assert not import_checkpoint(path, SIZE).offset
    state = cholesky_state()
    del state["cholesky_bound"], state["bound"], state["_opacity"]
    assert import_checkpoint(saved(path, state), SIZE).offset


def test_half_and_double_precision_become_single(tmp_path: Path) -> None:
    for kind in (torch.float16, torch.float64):
        state = {name: value.to(kind) for name, value in cholesky_state().items()}
        model = import_checkpoint(saved(tmp_path / "x.pth.tar", state), SIZE)
        assert model.means.dtype == torch.float32


def without(name: str, state: dict[str, Any] | None = None) -> dict[str, Any]:
    return {key: value for key, value in (state or cholesky_state()).items() if key != name}


def test_what_is_missing_or_misshapen_is_named(tmp_path: Path) -> None:
    cases: list[tuple[Any, str]] = [
        (without("_xyz"), "no state dict with _xyz"),
        (without("_cholesky"), "neither _cholesky nor _scaling"),
        (without("_features_dc"), "_features_dc: missing"),
        (without("_rotation", rotation_state()), "_rotation: missing"),
        (cholesky_state() | {"_xyz": torch.rand(6, 3)}, r"_xyz: expected shape \(N, 2\), got"),
        (cholesky_state() | {"_xyz": torch.rand(5, 2)}, "shape: expected 5 rows"),
        (cholesky_state() | {"_xyz": torch.zeros(0, 2)}, "_xyz: expected shape"),
        (cholesky_state() | {"_xyz": [1, 2]}, "_xyz: expected a tensor, got list"),
        (cholesky_state() | {"_xyz": torch.full((6, 2), torch.nan)}, "_xyz: not all .* finite"),
        (cholesky_state() | {"_xyz": torch.ones(6, 2).int()}, "_xyz: expected floating point"),
        (cholesky_state() | {"_xyz": torch.rand(1, 2).expand(2**24, 2)}, "expected a plain tensor"),
        (cholesky_state() | {"_features_dc": torch.rand(6, 5)}, r"_features_dc: expected shape"),
        (cholesky_state() | {"cholesky_bound": torch.ones(3)}, "cholesky_bound: expected 0.5 or 0"),
        (cholesky_state() | {"cholesky_bound": torch.ones(9)}, "cholesky_bound: expected a tensor"),
        (torch.rand(3), "no state dict"),
        ({"a": {"b": {"c": {"d": {"e": cholesky_state()}}}}}, "no state dict"),
    ]
    for content, message in cases:
        path = saved(tmp_path / "x.pth.tar", content)
        with pytest.raises(FormatError, match=message) as caught:
            import_checkpoint(path, SIZE)
        assert str(caught.value).startswith(str(path))


class Malicious:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "touched"
    path = saved(tmp_path / "x.pth.tar", cholesky_state() | {"other": Malicious(target)})
    with pytest.raises(FormatError, match="it holds more than tensors, or is damaged"):
        import_checkpoint(path, SIZE)
    assert not target.exists()


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pth.tar", cholesky_state())
    data = path.read_bytes()
    for damaged in (b"", b"\x80", b"PK\x03\x04", os.urandom(100), data[:200], data[:-30]):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match="not a"):
            import_checkpoint(path, SIZE)
    with pytest.raises(FileNotFoundError):
        import_checkpoint(tmp_path / "missing.pth.tar", SIZE)
    with pytest.raises(IsADirectoryError):
        import_checkpoint(tmp_path, SIZE)


@pytest.mark.parametrize("size", [(0, 5), (5, 10**6)])
def test_an_impossible_size_is_refused(size: tuple[int, int], tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pth.tar", cholesky_state())
    with pytest.raises(ValueError, match="expected 1 to 65536 pixels"):
        import_checkpoint(path, size)


def test_an_imported_model_is_saved_like_any_other(tmp_path: Path) -> None:
    model = import_checkpoint(saved(tmp_path / "x.pth.tar", rotation_state()), SIZE)
    save_model(model, tmp_path / "x.safetensors")
    again = load_model(tmp_path / "x.safetensors")
    image: Tensor = again()
    assert torch.equal(image, model())


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_a_3d_checkpoint_of_the_authors_is_imported(degree: int, tmp_path: Path) -> None:
    model = trained(SplattingModel.random(6, *SIZE, degree=degree))
    assert isinstance(model, SplattingModel)
    coefficients = model.coefficients.detach()
    state = {
        "_xyz": model.means.detach(),
        "_scaling": model.scales.detach(),
        "_rotation": model.rotations.detach(),
        "_opacity": model.opacities.detach()[:, None],
        "_features_dc": coefficients[:, :1].clone(),
        "_features_rest": coefficients[:, 1:].clone(),
    }
    torch.save(state, tmp_path / "a.pth.tar")
    found = import_spatial(tmp_path / "a.pth.tar", SIZE)
    assert found.degree == degree
    expected, got = model.project(), found.project()
    assert torch.allclose(got.means, expected.means + 0.5)
    assert torch.equal(got.colors, expected.colors)
    assert torch.equal(got.opacities, expected.opacities)
    save_model(found, tmp_path / "a.safetensors")
    again = load_model(tmp_path / "a.safetensors")
    assert torch.equal(again(), found())
    state["_features_rest"] = torch.zeros(6, 5, 3)
    torch.save(state, tmp_path / "b.pth.tar")
    with pytest.raises(FormatError, match="_features_rest: expected shape"):
        import_spatial(tmp_path / "b.pth.tar", SIZE)
