"""The command `paper import`: checkpoints of the authors' code."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return a checkpoint as the authors' code writes it."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    state = {
        "_xyz": torch.linspace(-1, 1, 80).view(40, 2),
        "_cholesky": torch.ones(40, 3),
        "_features_dc": torch.full((40, 3), 0.3),
    }
    torch.save(state, tmp_path / "gaussian_model.pth.tar")
    return tmp_path / "gaussian_model.pth.tar"


def test_a_checkpoint_becomes_gaussians_that_render(
    run: Any, checkpoint: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.safetensors"
    result = run("paper", "import", checkpoint, target, "--size", "96x64")
    assert re.fullmatch(r"96 x 64, 40 Gaussians, [\d.]+ m?s\n", result.stderr)
    run("render", target, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (96, 64)


def test_a_checkpoint_becomes_a_file_that_decodes(
    run: Any, checkpoint: Path, parrot: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.gimg"
    result = run("paper", "import", checkpoint, target, "--picture", parrot, "--fine-tuning", 3)
    line = r"96 x 64, 40 Gaussians, \d+ B \([\d.]+ bpp\), [\d.]+ dB, [\d.]+ m?s\n"
    assert re.fullmatch(line, result.stderr)
    run("decode", target, tmp_path / "a.png")
    piped = run("paper", "import", checkpoint, "-", "--size", "96x64")
    assert piped.stdout_bytes.startswith(target.read_bytes()[:8])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.gimg"], "either --size or --picture tells the size of the picture"),
        (["a.gimg", "--size", "96"], "'96' is not a size such as 768x512"),
        (["a.png", "--size", "9x9"], "the output is a .safetensors or a .gimg file"),
        (["a.gimg", "--size", "9x9", "--fine-tuning", "5"], "needs --picture"),
        (["a.gimg", "--size", "9x9", "--variants", "v1,v2"], "a file has one variant"),
    ],
)
def test_wrong_imports_are_one_line_and_exit_code_2(
    fails: Any, checkpoint: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    target, *options = arguments
    assert message in fails("paper", "import", checkpoint, tmp_path / target, *options, code=2)


def test_a_broken_checkpoint_is_one_line_and_writes_nothing(
    fails: Any, checkpoint: Path, tmp_path: Path
) -> None:
    checkpoint.write_bytes(b"PK" + checkpoint.read_bytes()[40:])
    line = fails("paper", "import", checkpoint, tmp_path / "a.gimg", "--size", "96x64")
    assert line.startswith(f"{checkpoint}: not a")
    assert not (tmp_path / "a.gimg").exists()


def test_options_that_replace_the_learned_quantizers_are_told(
    run: Any, checkpoint: Path, parrot: Path, tmp_path: Path
) -> None:
    import torch

    from gaussianimage.paper.checkpoints import export_checkpoint
    from gaussianimage.paper.quantized_model import QuantizedModel
    from gaussianimage.torch import CholeskyModel

    export_checkpoint(QuantizedModel(CholeskyModel.random(40, 64, 96)), checkpoint)
    assert "cholesky_quantizer.scale" in torch.load(checkpoint, weights_only=True)
    command = "paper", "import", checkpoint, tmp_path / "a.gimg", "--picture", parrot
    for options in ([], ["--angle"], ["--no-scaling"]):
        assert run(*command, *options).stderr.endswith("s, with its learned quantizers\n")
    told = run(*command, "--variants", "v2").stderr
    assert told.endswith("s, without its learned quantizers: the options ask for others\n")
