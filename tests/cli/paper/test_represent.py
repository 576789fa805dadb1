"""The command `paper represent`: runs that go on, their tables, every error in one line."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
QUICK = ["-n", 30, "--iterations", 4, "--timed", 0, "--device", "cpu", "--learning-rate", 0.02]


def interrupt_fit(*arguments: Any) -> list[str]:
    """Press Ctrl-C while a command fits a picture, and return the last two lines that it prints."""
    command = [sys.executable, "-m", "gaussianimage", *map(str, arguments), "-v"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = ""
        while " fit, " not in line:
            line = process.stderr.readline()
            assert line, "ended without a fit"
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        assert process.wait(60) == 130
    return errors.splitlines()[-2:]


@needs_torch
def test_a_folder_is_represented_and_its_table_printed(
    run: Any, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run("paper", "represent", folder, "-o", out, *QUICK, "--model", "cholesky,rs")
    lines = result.stderr.splitlines()
    assert len(lines) == 4
    pattern = r"cholesky, l2: 48 x 32, 30 Gaussians, [\d.]+ dB, [\d.]+ m?s"
    assert re.fullmatch(rf"{re.escape(str(folder))}/parrot.png: {pattern}", lines[0])
    records = [json.loads(path.read_text()) for path in sorted(out.glob("represent/*/*.json"))]
    assert [record["picture"] for record in records] == ["parrot", "plane"] * 2
    mean = sum(record["measured"]["psnr"] for record in records[:2]) / 2
    assert f"| Ours, N=30      | {mean:.2f} |" in result.stdout or (
        f"| Ours, N=30      | {mean:5.2f} |" in result.stdout
    )
    assert (out / "tables.md").read_text() == result.stdout


@needs_torch
def test_what_is_done_is_kept_and_only_the_rest_is_done(
    run: Any, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run("paper", "represent", folder, "-o", out, *QUICK, "--only", "plane", "--quiet")
    (path,) = out.glob("represent/*/plane.json")
    before = path.read_bytes()
    result = run("paper", "represent", folder, "-o", out, *QUICK)
    first, second = result.stderr.splitlines()
    assert not first.endswith(", kept")
    assert second.endswith(", kept")
    assert path.read_bytes() == before


@needs_torch
def test_quiet_prints_nothing_and_writes_everything(run: Any, folder: Path, tmp_path: Path) -> None:
    result = run("paper", "represent", folder, "-o", tmp_path / "out", *QUICK, "--quiet")
    assert result.output == ""
    assert (tmp_path / "out/tables.md").read_text().startswith("## Table 1")


@needs_torch
def test_a_broken_picture_does_not_stop_the_others(run: Any, folder: Path, tmp_path: Path) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    result = run("paper", "represent", folder, "-o", tmp_path / "out", *QUICK, code=1)
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"gaussianimage: {folder}/broken.png: ")
    assert lines[-1] == "gaussianimage: 1 of 3 failed"
    assert "Means over 2 pictures (parrot, plane)" in result.stdout


@needs_torch
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "x"], "'x' is not a valid integer"),
        (["-n", "0"], "0 is not in the range"),
        (["-n", "5", "--loss", "l2,l3"], "'l3' is not one of"),
        (["-n", "5", "--model", "3dgs", "--offset", "without"], "offset: the model 3dgs has none"),
        (["-n", "5", "--device", "tpu"], "device: expected cpu or cuda, got 'tpu'"),
        (["-n", "5", "--learning-rate", "nan"], "nan is not a finite number"),
        (["-n", "5", "-o", "{file}"], "results need a folder, and this is a file"),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(
    fails: Any, folder: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    file = folder / "plane.png"
    given = [argument.format(file=file) for argument in arguments]
    line = fails("paper", "represent", folder, "-o", tmp_path / "out", *given, code=2)
    assert message in line
    assert line.endswith("(see gaussianimage paper represent --help)")


@needs_torch
def test_folders_that_are_missing_or_odd_are_one_line_and_exit_code_1(
    fails: Any, folder: Path, tmp_path: Path
) -> None:
    def line(*files: Any) -> str:
        return str(fails("paper", "represent", *files, "-o", tmp_path / "out", *QUICK))

    assert line(tmp_path / "missing") == f"{tmp_path}/missing: No such file or directory"
    assert line(tmp_path) == f"{tmp_path}: no pictures in it, but folders: pictures; name one"
    (tmp_path / "empty").mkdir()
    assert line(tmp_path / "empty") == f"{tmp_path}/empty: the folder is empty"
    assert line(folder, "--only", "x") == "x: no picture has this name; there are parrot, plane"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["represent", "compress"])
def test_without_pytorch_the_line_names_the_extra(
    folder: Path, tmp_path: Path, command: str
) -> None:
    code = (
        "import sys\nsys.modules['torch'] = None\nfrom gaussianimage.cli import main\n"
        f"sys.argv[1:] = ['paper', '{command}', {str(folder)!r}, '-o', 'out', '-n', '5']\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    expected = "gaussianimage: this command needs PyTorch: pip install gaussianimage[torch]\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


@needs_torch
@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    run: Any, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["paper", "represent", folder, "-o", out, "-n", 30, "--timed", 0]
    arguments += ["--device", "cpu", "--iterations"]
    run(*arguments, 4, "--only", "parrot", "--quiet")
    interrupted, further = interrupt_fit(*arguments, 9999999)
    assert re.fullmatch(
        r"gaussianimage: interrupted; 2 of 2 not done; iteration \d+ of its training is kept",
        interrupted,
    )
    assert further == "gaussianimage: the same command does what is missing"
    files = [path.name.removeprefix("parrot") for path in out.glob("represent/*/*")]
    assert sorted(files) == [".json", ".partial.safetensors", ".safetensors"]
    again = run(*arguments, 4)
    assert [line.endswith(", kept") for line in again.stderr.splitlines()] == [True, False]


@needs_torch
@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_ctrl_c_waits_until_a_large_fit_is_saved(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = "paper", "represent", folder, "-o", out, "-n", 200_000, "--only", "parrot", "-t", 1
    told, _ = interrupt_fit(*command, "--device", "cpu", "--iterations", 9999999)
    assert re.search(r"1 of 1 not done; iteration \d+ of its training is kept$", told)
    assert [*out.glob("represent/*/parrot.partial.safetensors")]


@needs_torch
@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_ctrl_c_in_pytorch_s_loop_promises_no_training(folder: Path, tmp_path: Path) -> None:
    command = "paper", "represent", folder, "-o", tmp_path / "out", "-n", 30, "--only", "parrot"
    told = interrupt_fit(*command, "--device", "cpu", "--loop", "torch", "--iterations", 9999999)
    assert told == [
        "gaussianimage: interrupted; 1 of 1 not done",
        "gaussianimage: the same command does what is missing",
    ]
    assert not [*(tmp_path / "out").rglob("*.safetensors")]


@needs_torch
def test_empty_names_are_not_the_working_folder(fails: Any, folder: Path) -> None:
    for names in (("", "-o", "out"), (folder, "-o", "")):
        line = fails("paper", "represent", *names, *QUICK, code=2)
        assert line.startswith("a file's name is empty")


@needs_torch
@pytest.mark.slow
@pytest.mark.usefixtures("on_ray")
def test_ray_represents_as_one_process_does(run: Any, folder: Path, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    result = run("paper", "represent", folder, "-o", there, *QUICK, "--engine", "ray", "-j", 2)
    assert len(result.stderr.splitlines()) == 2
    run("paper", "represent", folder, "-o", here, *QUICK, "--threads", 1)
    for path in here.glob("represent/*/*.safetensors"):
        assert path.read_bytes() == (there / path.relative_to(here)).read_bytes()
    again = run("paper", "represent", folder, "-o", there, *QUICK)
    assert all(line.endswith(", kept") for line in again.stderr.splitlines())


@needs_torch
def test_workers_are_for_ray(fails: Any, folder: Path, tmp_path: Path) -> None:
    command = "paper", "represent", folder, "-o", tmp_path / "out", *QUICK
    assert "--jobs goes with" in fails(*command, "--jobs", 2, code=2)
    assert "is for the engine ray" in fails(*command, "--address", "auto", code=2)
