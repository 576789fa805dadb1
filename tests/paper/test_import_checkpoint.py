"""Checkpoints of the authors' code, imported as files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

import gaussianimage
from gaussianimage.codec.decoder.paper_record import decode_record
from gaussianimage.errors import FormatError
from gaussianimage.metrics import psnr
from gaussianimage.paper.checkpoints import (
    export_checkpoint,
    import_checkpoint,
    import_spatial,
    load_model,
)
from gaussianimage.paper.datasets import Sample
from gaussianimage.paper.fine_tuning import fine_tune
from gaussianimage.paper.import_checkpoint import Quantization, import_as_file, import_as_gaussians
from gaussianimage.paper.quantized_model import QuantizedModel, QuantizerSettings
from gaussianimage.paper.recipe import Recipe
from gaussianimage.torch import CholeskyModel, SplattingModel

PARROT = Sample(Path(__file__).parent.parent / "data" / "parrot.png")
SIZE = (64, 96)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(2)
    state = {
        "_xyz": torch.randn(80, 2, generator=generator),
        "_cholesky": torch.rand(80, 3, generator=generator) * 4,
        "_features_dc": torch.rand(80, 3, generator=generator) * 0.4,
    }
    torch.save(state, tmp_path / "gaussian_model.pth.tar")
    return tmp_path / "gaussian_model.pth.tar"


def test_gaussians_are_written_as_they_are(checkpoint: Path, tmp_path: Path) -> None:
    done = import_as_gaussians(checkpoint, tmp_path / "a.safetensors", SIZE)
    gaussians = gaussianimage.Gaussians.load(tmp_path / "a.safetensors")
    assert gaussians == import_checkpoint(checkpoint, SIZE).gaussians()
    assert (done.height, done.width, done.gaussians) == (*SIZE, 80)
    assert done.psnr is done.n_bytes is None


def test_a_picture_gives_the_size_and_something_to_compare_with(
    checkpoint: Path, tmp_path: Path
) -> None:
    done = import_as_gaussians(checkpoint, tmp_path / "a.safetensors", PARROT)
    shown = gaussianimage.render(gaussianimage.Gaussians.load(tmp_path / "a.safetensors"))
    assert (done.height, done.width) == SIZE
    assert done.psnr == pytest.approx(psnr(PARROT.pixels, shown.clip(0, 1)))


def test_a_file_has_them_rounded(checkpoint: Path, tmp_path: Path) -> None:
    settings = QuantizerSettings(covariance_bits=12, color="int", color_bits=12)
    done = import_as_file(checkpoint, tmp_path / "a.gimg", SIZE, Quantization(settings))
    data = (tmp_path / "a.gimg").read_bytes()
    assert done.n_bytes == len(data)
    exact = gaussianimage.render(import_checkpoint(checkpoint, SIZE).gaussians())
    assert psnr(exact, gaussianimage.decode(data, dtype=exact.dtype)) > 45
    assert decode_record(data).half_pixel


def test_fine_tuning_brings_the_file_closer_to_the_picture(
    checkpoint: Path, tmp_path: Path
) -> None:
    rounded = import_as_file(checkpoint, tmp_path / "a.gimg", PARROT)
    tuned = Quantization(recipe=Recipe(iterations=15, learning_rate=0.02))
    closer = import_as_file(checkpoint, tmp_path / "a.gimg", PARROT, tuned)
    assert rounded.psnr is not None
    assert closer.psnr is not None
    assert closer.psnr > rounded.psnr + 0.5
    decoded = gaussianimage.decode((tmp_path / "a.gimg").read_bytes())
    assert closer.psnr == psnr(PARROT.pixels, decoded)


def test_fine_tuning_needs_the_picture(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^size: fine-tuning needs the picture"):
        import_as_file(checkpoint, tmp_path / "a.gimg", SIZE, Quantization(recipe=Recipe()))
    assert not (tmp_path / "a.gimg").exists()


def test_a_broken_checkpoint_writes_nothing(checkpoint: Path, tmp_path: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:300])
    for write, name in ((import_as_file, "a.gimg"), (import_as_gaussians, "a.safetensors")):
        with pytest.raises(FormatError, match=r"gaussian_model\.pth\.tar"):
            write(checkpoint, tmp_path / name, SIZE)
        assert not (tmp_path / name).exists()


@pytest.fixture
def learned(tmp_path: Path) -> tuple[Path, QuantizedModel]:
    """Return a checkpoint of `train_quantize.py`, and the model that it is of."""
    model = CholeskyModel.random(60, *SIZE, seed=3)
    target = torch.tensor(PARROT.pixels)
    recipe = Recipe(iterations=30, learning_rate=0.02)
    settings = QuantizerSettings(stages=3, entries=4)
    tuned = fine_tune(model, target, recipe, settings).model
    export_checkpoint(tuned, tmp_path / "learned.pth.tar")
    return tmp_path / "learned.pth.tar", tuned


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"angle": True},
        {"scaling": False},
        {"commitment": False, "revive": False},
        {"stages": 3, "entries": 4},
    ],
    ids=str,
)
def test_learned_quantizers_stay_unless_others_are_asked_for(
    learned: tuple[Path, QuantizedModel], tmp_path: Path, changes: dict[str, Any]
) -> None:
    path, model = learned
    quantization = Quantization(QuantizerSettings(**changes))
    done = import_as_file(path, tmp_path / "a.gimg", PARROT, quantization)
    assert done.learned is True
    found = decode_record((tmp_path / "a.gimg").read_bytes())
    expected = model.record()
    np.testing.assert_array_equal(found.colors, expected.colors)
    np.testing.assert_array_equal(found.shapes, expected.shapes)


@pytest.mark.parametrize(
    "changes",
    [{"color": "int"}, {"covariance_bits": 8}, {"stages": 1}, {"entries": 16}],
    ids=str,
)
def test_other_quantizers_replace_the_learned_ones_and_that_is_told(
    learned: tuple[Path, QuantizedModel], tmp_path: Path, changes: dict[str, Any]
) -> None:
    quantization = Quantization(QuantizerSettings(**changes))
    done = import_as_file(learned[0], tmp_path / "a.gimg", PARROT, quantization)
    assert done.learned is False


def test_without_learned_quantizers_nothing_is_told(checkpoint: Path, tmp_path: Path) -> None:
    assert import_as_file(checkpoint, tmp_path / "a.gimg", SIZE).learned is None


@pytest.mark.parametrize("degree", [0, 2])
def test_a_3d_checkpoint_becomes_a_model_and_no_gimg_file(degree: int, tmp_path: Path) -> None:
    model = SplattingModel.random(30, *SIZE, degree=degree)
    state = {
        "_xyz": model.means,
        "_scaling": model.scales,
        "_rotation": model.rotations,
        "_opacity": model.opacities[:, None],
        "_features_dc": model.coefficients[:, :1],
        "_features_rest": model.coefficients[:, 1:],
    }
    torch.save({k: t.detach().clone() for k, t in state.items()}, tmp_path / "3d.pth.tar")
    done = import_as_gaussians(tmp_path / "3d.pth.tar", tmp_path / "a.safetensors", PARROT)
    assert done.gaussians == 30
    found = load_model(tmp_path / "a.safetensors").requires_grad_(False)
    expected = import_spatial(tmp_path / "3d.pth.tar", SIZE).requires_grad_(False)
    assert torch.equal(found(), expected())
    assert done.psnr == pytest.approx(psnr(PARROT.pixels, found().clamp(0, 1).numpy()))
    with pytest.raises(FormatError, match=r"a 3D model becomes a \.safetensors file"):
        import_as_file(tmp_path / "3d.pth.tar", tmp_path / "a.gimg", SIZE)
    assert not (tmp_path / "a.gimg").exists()
