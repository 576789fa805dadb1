"""The commands `paper ...`: runs that go on, their tables, and every error in one line."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gaussianimage.cli.paper import COMMANDS

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
QUICK = ["-n", 30, "--iterations", 4, "--timed", 0, "--device", "cpu", "--learning-rate", 0.02]


@pytest.fixture
def folder(tmp_path: Path, parrot: Path, plane: Path) -> Path:
    """Return a folder of two pictures of 48 x 32."""
    path = tmp_path / "pictures"
    path.mkdir()
    for source in (parrot, plane):
        with Image.open(source) as image:
            image.resize((48, 32)).save(path / source.name)
    return path


# -- Help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(run: Any, name: str) -> None:
    text = run("paper", name, "--help").stdout
    assert text.startswith(f"Usage: gaussianimage paper {name} ")
    assert f"  gaussianimage paper {name} " in text
    command = importlib.import_module(
        f"gaussianimage.cli.paper.{name}{'_' * (name == 'import')}"
    ).command
    assert command.short_help == COMMANDS[name]
    assert all(p.help for p in command.params if p.param_type_name == "option")
    assert run("paper", name, "-V").stdout.startswith("gaussianimage, version ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_parses(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"gaussianimage.cli.paper.{name}{'_' * (name == 'import')}")
    for line in module.EXAMPLES.strip().splitlines():
        words = re.sub(r" > \S+", "", line).split()
        assert words[:3] == ["gaussianimage", "paper", name]
        assert module.command.make_context(name, words[3:]).params["files"]


def test_every_command_of_the_documentation_parses(tmp_path: Path, monkeypatch: Any) -> None:
    text = (Path(__file__).parents[2] / "docs" / "paper.md").read_text()
    lines = re.findall(r"gaussianimage (paper \w+ [^`\n]+)", text)
    assert len(lines) > 10
    monkeypatch.chdir(tmp_path)
    for line in lines:
        _, name, *words = line.split()
        module = f"gaussianimage.cli.paper.{name}{'_' * (name == 'import')}"
        command = importlib.import_module(module).command
        assert command.make_context(name, words).params["files"]


def test_without_a_command_there_is_help_and_exit_code_2(run: Any) -> None:
    result = run("paper", code=2)
    assert result.stdout == ""
    assert "represent" in result.stderr


def test_help_does_not_import_pytorch() -> None:
    code = (
        "import sys\nfrom gaussianimage.cli import main\n"
        "try:\n    sys.argv[1:] = ['paper', 'represent', '--help']\n    main()\n"
        "except SystemExit: pass\nprint('imported:', 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "imported: False"


# -- represent -------------------------------------------------------------------------------------


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
        (["-n", "5", "-o", "{file}"], "results need a folder, and this is none"),
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
    endless = [sys.executable, "-m", "gaussianimage", *map(str, arguments), "9999999", "-v"]
    with subprocess.Popen(endless, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = ""
        while " fit, " not in line:
            line = process.stderr.readline()
            assert line, "ended without a fit"
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        assert process.wait(60) == 130
    assert errors.splitlines()[-2:] == [
        "gaussianimage: interrupted; 2 of 2 not done",
        "gaussianimage: the same command goes on from here",
    ]
    files = [path.suffix for path in out.glob("represent/*/*")]
    assert sorted(files) == [".json", ".safetensors"]
    again = run(*arguments, 4)
    assert [line.endswith(", kept") for line in again.stderr.splitlines()] == [True, False]


# -- compress --------------------------------------------------------------------------------------


@needs_torch
def test_a_folder_is_compressed_and_its_tables_printed(
    run: Any, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run("paper", "compress", folder, "-o", out, *QUICK, "--variants", "final,v2")
    first = result.stderr.splitlines()[0]
    size = (out / "compress").glob("cholesky-n30-rvq-*/parrot.plain.gimg").__next__().stat().st_size
    assert f"parrot.png: cholesky-n30-rvq-i4: 48 x 32, 30 Gaussians, {size} B (" in first
    for title in ("Table 2", "Table 4", "Rate–distortion"):
        assert f"## {title}" in result.stdout
    assert "## Table 1" not in result.stdout
    assert "## Table 1" in (out / "tables.md").read_text()
    again = run("paper", "compress", folder, "-o", out, *QUICK, "--variants", "v2")
    lines = again.stderr.splitlines()
    jobs = [line for line in lines if not line.startswith("gaussianimage: figures need matplotlib")]
    assert jobs
    assert all(line.endswith(", kept") for line in jobs)


@needs_torch
def test_the_figure_is_drawn_or_the_extra_is_named(
    run: Any, folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    out = tmp_path / "out"
    arguments = ["paper", "compress", folder, "-o", out, *QUICK, "--only", "plane"]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    last = run(*arguments).stderr.splitlines()[-1]
    assert last == "gaussianimage: figures need matplotlib: pip install gaussianimage[bench]"
    monkeypatch.undo()
    pytest.importorskip("matplotlib")
    assert run("paper", "tables", out).stderr == ""
    with Image.open(out / "rate-distortion-other-1.png") as figure:
        assert figure.width > 300


@needs_torch
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variants", "final", "--color", "int"], "--variants says all of it; leave out --color"),
        (["--variants", "v4"], "'v4' is not one of"),
        (["--color", "int", "--stages", "3"], "--stages is for --color rvq"),
        (["--color", "int", "--no-commitment"], "--commitment is for --color rvq"),
        (["--color-bits", "8"], "--color-bits is for --color int"),
        (["--entries", "12"], "--entries is a power of two, not 12"),
        (["--covariance-bits", "13"], "13 is not in the range"),
        (["--model", "3dgs"], "'3dgs' is not one of"),
    ],
)
def test_quantizers_that_do_not_go_together_are_one_line(
    fails: Any, folder: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    line = fails("paper", "compress", folder, "-o", tmp_path / "o", "-n", 5, *arguments, code=2)
    assert message in line


# -- import ----------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return a checkpoint as the authors' code writes it."""
    torch = pytest.importorskip("torch")
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
        (["a.gimg", "--size", "9x9", "--variants", "v1,v2"], "a file has one of them"),
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


# -- tables ----------------------------------------------------------------------------------------


@needs_torch
def test_tables_are_printed_again_from_the_folder(run: Any, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run("paper", "represent", folder, "-o", out, *QUICK, "--offset", "with,without")
    again = run("paper", "tables", out)
    assert again.stdout == first.stdout == (out / "tables.md").read_text()
    assert "## Table 5" in again.stdout
    assert again.stderr == ""


def test_tables_of_nothing_are_an_error(fails: Any, tmp_path: Path) -> None:
    assert fails("paper", "tables", tmp_path) == f"{tmp_path}: no results in it"
    missing = tmp_path / "missing"
    assert fails("paper", "tables", missing) == f"{missing}: No such file or directory"
    (tmp_path / "represent/x").mkdir(parents=True)
    (tmp_path / "represent/x/a.json").write_text("{}")
    line = fails("paper", "tables", tmp_path)
    assert line == f"{tmp_path}/represent/x/a.json: no result of gaussianimage paper, version 1"
