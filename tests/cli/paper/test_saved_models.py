"""`render` and `info` take the models that the commands of `paper` write."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gaussianimage


@pytest.mark.parametrize("name", ["cholesky", "rs", "opacity"])
def test_a_model_of_paper_represent_is_drawn_and_described(
    run: Any, folder: Path, tmp_path: Path, name: str
) -> None:
    pytest.importorskip("torch", reason="needs PyTorch")
    out = tmp_path / "out"
    arguments = ["-o", out, "-n", 9, "--iterations", 2, "--only", "parrot", "--timed", 0]
    run("paper", "represent", folder, *arguments, "--model", name, "--save-imgs")
    (model,) = out.glob("represent/*/parrot.safetensors")
    run("render", model, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as drawn, Image.open(model.with_suffix(".png")) as saved:
        assert drawn.size == saved.size == (48, 32)
        difference = np.asarray(drawn).astype(int) - np.asarray(saved)
        assert np.abs(difference).max() <= 1
    told = run("info", model).stdout
    assert "48 x 32, 9 Gaussians" in told
    assert "Model of the paper's experiments" in told
    found = json.loads(run("info", "--json", model).stdout)
    assert (found["height"], found["gaussians"]) == (32, 9)
    assert found["model"].endswith("Model")


@pytest.mark.parametrize("kind", ["BlendedModel", "SplattingModel"])
def test_a_model_that_blends_is_drawn_at_its_own_size_alone(
    run: Any, fails: Any, tmp_path: Path, kind: str
) -> None:
    pytest.importorskip("torch", reason="needs PyTorch")
    import gaussianimage.torch
    from gaussianimage.paper.checkpoints import save_model

    model = getattr(gaussianimage.torch, kind).random(40, 9, 12)
    save_model(model, tmp_path / "a.safetensors")
    run("render", tmp_path / "a.safetensors", tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        expected = model.requires_grad_(False)().clamp(0, 1).numpy()
        np.testing.assert_allclose(np.asarray(image) / 255, expected, atol=0.51 / 255)
    told = run("info", tmp_path / "a.safetensors").stdout
    assert "12 x 9, 40 Gaussians" in told
    assert f"RGB, not quantized, blended, {kind} of the paper's experiments" in told
    assert json.loads(run("info", "--json", tmp_path / "a.safetensors").stdout)["q_max"] is None
    run("render", tmp_path / "a.safetensors", tmp_path / "a.png", "--size", "12x9")
    for options in (["--size", "24x18"], ["--crop", "0,0,4,4"], ["--ellipses"]):
        message = fails("render", tmp_path / "a.safetensors", tmp_path / "b.png", *options)
        assert "this model blends its Gaussians" in message
    assert not (tmp_path / "b.png").exists()


def test_a_model_with_its_quantizers_is_drawn_and_described(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs PyTorch")
    from gaussianimage.paper.checkpoints import save_quantized
    from gaussianimage.paper.quantized_model import QuantizedModel
    from gaussianimage.torch import CholeskyModel

    model = QuantizedModel(CholeskyModel.random(40, 16, 24))
    save_quantized(model, tmp_path / "a.quantized.safetensors")
    run("render", tmp_path / "a.quantized.safetensors", tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        drawn = gaussianimage.render(model.record().gaussians()).clip(0, 1)
        np.testing.assert_allclose(np.asarray(image) / 255, drawn, atol=0.51 / 255)
    told = run("info", tmp_path / "a.quantized.safetensors").stdout
    assert "RGB, quantized, q_max 5.5415, CholeskyModel" in told
    found = json.loads(run("info", "--json", tmp_path / "a.quantized.safetensors").stdout)
    assert found["quantized"] is True
