"""The option --device of `encode`, `fit` and `render`."""

from pathlib import Path
from typing import Any

import pytest
from fake_backend import Recorder, fake_gpu

from gaussianimage import backends

COMMANDS = ("encode", "fit", "render")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Pretend that the machine has the GPU "cuda:1" and no other."""
    return fake_gpu(monkeypatch)


@pytest.fixture
def words(parrot: Path, gimg: Path, tmp_path: Path) -> dict[str, list[Any]]:
    """Return a quick command line for each command."""
    return {
        "encode": ["encode", parrot, tmp_path / "out.gimg", "-n", 20, "-e", 1],
        "fit": ["fit", parrot, tmp_path / "out.safetensors", "-n", 20, "--iterations", 10],
        "render": ["render", gimg, tmp_path / "out.png"],
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_the_work_is_done_on_the_device(
    run: Any, gpu: Recorder, words: dict[str, list[Any]], command: str
) -> None:
    run(*words[command])
    assert gpu.calls == []
    run(*words[command], "--device", "cuda:1")
    assert {call[0] for call in gpu.calls} == {"render" if command == "render" else "optimizer"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("device", "problem"),
    [("gpu", '--device: expected "cpu", "cuda"'), ("cuda", '--device "cuda": is not there')],
)
@pytest.mark.usefixtures("gpu")
def test_what_is_no_device_is_told_before_any_work(
    run: Any, words: dict[str, list[Any]], command: str, device: str, problem: str
) -> None:
    result = run(*words[command], "--device", device, code=2)
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"gaussianimage: {problem}")
    assert not Path(words[command][2]).exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_extra_is_told_in_one_line(
    run: Any, words: dict[str, list[Any]], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(kind: str) -> Any:
        raise ModuleNotFoundError("needs PyTorch: pip install gaussianimage[torch]", name="torch")

    monkeypatch.setattr(backends, "_load", load)
    result = run(*words[command], "--device", "cuda", code=1)
    (line,) = result.stderr.splitlines()
    assert line == ("gaussianimage: --device cuda: needs PyTorch: pip install gaussianimage[torch]")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_gpu_takes_one_file_at_a_time(
    run: Any, gpu: Recorder, words: dict[str, list[Any]], command: str
) -> None:
    result = run(*words[command], "-j", 2, "--device", "cuda:1", code=2)
    assert "--device cuda:1 takes one file at a time; leave out --jobs" in result.stderr
    assert gpu.calls == []


@pytest.mark.usefixtures("gpu")
def test_ellipses_are_not_drawn_on_a_gpu(run: Any, words: dict[str, list[Any]]) -> None:
    result = run(*words["render"], "--ellipses", "--device", "cuda:1", code=2)
    assert "--ellipses are drawn on the CPU" in result.stderr
