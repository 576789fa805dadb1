"""The program as a whole: help, versions, exit codes, and how it ends."""

import importlib
import importlib.metadata
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image

import gaussianimage
from gaussianimage.cli import COMMANDS, cli

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs signals, pipes and a shell")
needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")


# What the examples of a command give it, if not a list of files.
FIRST = {
    "batch": "source",
    "compare": "a",
    "html": "source",
    "thumbnail": "source",
    "tiles": "source",
}


# -- Help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_has_examples_and_goes_to_stdout(run: Any, command: list[str], flag: str) -> None:
    result = run(*command, flag)
    assert result.stdout.startswith(f"Usage: {' '.join(['gaussianimage', *command])} ")
    assert f"gaussianimage {''.join(command)}" in result.stdout
    assert "Examples:" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("flag", ["-V", "--version"])
@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_tells_the_version(run: Any, command: list[str], flag: str) -> None:
    assert run(*command, flag).stdout == f"gaussianimage, version {gaussianimage.__version__}\n"


def test_no_command_at_all_is_a_usage_error_with_help(run: Any) -> None:
    result = run(code=2)
    assert result.stdout == ""
    assert "encode" in result.stderr


def test_the_list_of_commands_says_what_each_says_of_itself(run: Any) -> None:
    text = run("--help").stdout
    for name, short_help in COMMANDS.items():
        module = importlib.import_module(f"gaussianimage.cli.{name}")
        assert module.command.short_help == short_help
        assert re.search(rf"^  {name} +{re.escape(short_help)}$", text, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name: str) -> None:
    command = importlib.import_module(f"gaussianimage.cli.{name}").command
    options = [p for p in command.params if p.param_type_name == "option"]
    assert options
    assert all(option.help for option in options)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_command_line_that_parses(
    name: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"gaussianimage.cli.{name}")
    lines = module.EXAMPLES.strip().splitlines()
    assert lines
    for line in lines:
        words = re.sub(r" [<>] \S+", "", line).replace("*", "any").split()
        assert words[:2] == ["gaussianimage", name]
        command, words = module.command, words[2:]
        if isinstance(command, click.Group):
            command, words = command.get_command(click.Context(command), words[0]), words[1:]
        context = command.make_context(name, words)
        if name == "desktop":
            assert "dry_run" in context.params
        else:
            assert context.params[FIRST.get(name, "files")]


def test_help_imports_nothing_that_takes_time() -> None:
    heavy = ["numpy", "PIL", "rich", "gaussianimage._native", "gaussianimage.cli.encode"]
    code = (
        "import sys\nfrom gaussianimage.cli import main\n"
        "try:\n    sys.argv[1:] = ['--help']\n    main()\nexcept SystemExit: pass\n"
        f"print('imported:', [m for m in {heavy} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.splitlines()[-1] == "imported: []"


# -- Usage errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "No such command 'bogus' (see gaussianimage --help)"),
        (["encod", "a.png"], "No such command 'encod'. Did you mean encode or decode"),
        (["paper", "repesent"], "No such command 'repesent'. Did you mean represent? (see"),
        (["a.png", "b.gimg"], "No such command 'a.png'. Did you mean encode a.png? (see"),
        (["a.gimg", "b.png"], "No such command 'a.gimg'. Did you mean decode a.gimg? (see"),
        (
            ["encode", "a.png", "b.gimg", "--qualty", "3"],
            "No such option '--qualty'. (Did you mean one of: '--alpha-quality', '--quality'",
        ),
        (
            ["encode", "-a.png", "b.gimg"],
            "; the file -a.png is given as ./-a.png, or behind -- (see",
        ),
        (["decode", "-q.gimg", "b.png"], "; the file -q.gimg is given as ./-q.gimg, or behind --"),
        (
            ["encode", "a.png", "b.gimg", "--size", "20x"],
            "'20x' is not a number such as 20000, 20k",
        ),
        (["encode", "a.png", "b.gimg", "--strip-gps", "--keep-gps"], "contradict each other"),
        (["decode", "a.gimg", "b.png", "--keep-gps"], "--keep-gps goes with --keep-exif or"),
        (["decode", "a.gimg", "b.png", "-q", "80"], "b.png: --quality is for JPEG, WebP and AVIF"),
        (["render", "a.gimg", "-", "-q", "80"], "stdout: --quality is for JPEG, WebP and AVIF"),
        (["encode"], "Missing argument 'INPUT... [OUTPUT]' (see gaussianimage encode --help)"),
        (["info", "--bogus", "x"], "No such option"),
        (["encode", "a.png", "b.gimg", "-q", "101"], "101.0 is not in the range 0<=x<=100"),
        (["encode", "a.png", "b.gimg", "-q", "nan"], "nan is not a finite number"),
        (["encode", "a.png", "b.gimg", "-n", "0"], "0 is not in the range"),
        (["encode", "a.png", "b.gimg", "--seed", "-1"], "-1 is not in the range 0 to 2^63 - 1"),
        (["encode", "a.png", "b.gimg", "-t", "257"], "257 is not in the range"),
        (
            ["encode", "a.png", "b.gimg", "-q", "50", "--bpp", "1"],
            "--quality and --bpp are two targets at once; give one of them",
        ),
        (["encode", "a.png"], "no output is given"),
        (["decode", "a.gimg", "b.xyz"], "no picture format has the extension .xyz"),
        (["decode", "a.gimg", "b.png", "--size", "640"], "'640' is not a size such as 640x480"),
        (["render", "a.gimg", "b.png", "--sigma", "2"], "--sigma is for --ellipses"),
        (
            ["render", "a.gimg", "b.png", "--ellipses", "--bit-depth", "16"],
            "--ellipses are drawn with 8 bits",
        ),
        (["encode", "a.png", "b.gimg", "--bpp", "100"], "100.0 is not in the range"),
        (["compare", "a.png"], "Missing argument 'B'"),
        (["bench", "a.png", "-n", "5", "-q", "5"], "--quality and --gaussians are two targets"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    fails: Any, arguments: list[str], message: str
) -> None:
    line = fails(*arguments, code=2)
    assert message in line
    assert line.endswith("--help)")


# -- The process ---------------------------------------------------------------------------------


def test_the_program_encodes_and_decodes(program: Any, parrot: Path, tmp_path: Path) -> None:
    file, picture = tmp_path / "parrot.gimg", tmp_path / "parrot.tif"
    result = program("encode", parrot, file, "-n", 40)
    assert (result.returncode, result.stdout) == (0, b"")
    assert re.fullmatch(
        rb"96 x 64, \d+ Gaussians, \d+ B \(\d\.\d{3} bpp\), \d\d\.\d dB, [\d.]+ m?s\n",
        result.stderr,
    )
    result = program("decode", file, picture)
    assert (result.returncode, result.stdout) == (0, b"")
    with Image.open(picture) as image:
        assert (image.format, image.size) == ("TIFF", (96, 64))


def test_data_goes_through_pipes_untouched(program: Any, parrot: Path) -> None:
    encoded = program("encode", "-", "-", "-n", 40, input=parrot.read_bytes())
    assert encoded.returncode == 0
    assert encoded.stdout == gaussianimage.encode(parrot, gaussians=40)
    decoded = program("decode", "-", "-", input=encoded.stdout)
    assert decoded.returncode == 0
    assert decoded.stdout.startswith(b"\x89PNG")


def test_a_failure_is_one_line_on_stderr_and_exit_code_1(program: Any, tmp_path: Path) -> None:
    result = program("encode", tmp_path / "missing.png", tmp_path / "x.gimg")
    assert (result.returncode, result.stdout) == (1, b"")
    expected = f"gaussianimage: {tmp_path}/missing.png: No such file or directory\n"
    assert result.stderr.decode() == expected


@needs_dev_full
@pytest.mark.parametrize("arguments", [["info"], ["info", "--json"], ["decode"]])
def test_a_full_disk_behind_stdout_is_one_line(
    program: Any, gimg: Path, arguments: list[str]
) -> None:
    files = [gimg, "-"] if arguments == ["decode"] else [gimg]
    with Path("/dev/full").open("wb") as full:
        result = program(*arguments, *files, stdout=full)
    assert result.returncode == 1
    assert result.stderr == b"gaussianimage: stdout: No space left on device\n"


@needs_posix
@pytest.mark.parametrize(
    ("arguments", "closed", "message"),
    [
        (["encode", "-", "x.gimg"], "<&-", "stdin: Bad file descriptor"),
        (["decode", "FILE", "-"], ">&-", "stdout: Bad file descriptor"),
    ],
)
def test_a_closed_stream_is_one_line(
    gimg: Path, tmp_path: Path, arguments: list[str], closed: str, message: str
) -> None:
    arguments = [str(gimg) if name == "FILE" else name for name in arguments]
    result = with_closed_stream(closed, arguments, tmp_path)
    assert result.returncode == 1
    assert result.stderr.decode() == f"gaussianimage: {message}\n"


@needs_posix
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_that_is_not_needed_does_no_harm(
    gimg: Path, tmp_path: Path, closed: str
) -> None:
    result = with_closed_stream(closed, ["decode", str(gimg), "x.png"], tmp_path)
    assert (result.returncode, b"Traceback" in result.stderr) == (0, False)
    assert (tmp_path / "x.png").exists()


def with_closed_stream(
    closed: str, arguments: list[str], folder: Path
) -> "subprocess.CompletedProcess[bytes]":
    """Run the program without one of its standard streams, as a shell's redirection says."""
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "gaussianimage"]
    return subprocess.run(
        [*command, *arguments], stderr=subprocess.PIPE, cwd=folder, timeout=60, check=False
    )


@needs_posix
def test_a_reader_who_leaves_is_no_error_message(gimg: Path) -> None:
    command = [sys.executable, "-m", "gaussianimage", "decode", str(gimg), "-"]
    command += ["--scale", "8", "--bit-depth", "16"]  # far more than a pipe holds
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@needs_posix
def test_ctrl_c_writes_the_best_so_far(tmp_path: Path) -> None:
    output, state = tmp_path / "out.safetensors", tmp_path / "state"
    arguments = ["fit", make_noise(tmp_path), str(output), "-n", "300", "--state", str(state)]
    code, errors = interrupted([*arguments, "--iterations", "1000000"])
    assert code == 130
    last = errors.splitlines()[-1]
    assert f"interrupted; {output} holds the best so far" in last
    assert f"--resume {state}" in last
    assert gaussianimage.Gaussians.load(output).width == 64
    assert 0 < gaussianimage.FitState.load(state).iteration < 1000000


@needs_posix
def test_ctrl_c_stops_all_jobs_and_leaves_no_half_file(tmp_path: Path) -> None:
    inputs = [make_noise(tmp_path, seed) for seed in range(3)]
    arguments = ["fit", *inputs, "-o", str(tmp_path / "out"), "-j", "2", "-n", "300"]
    code, errors = interrupted([*arguments, "--iterations", "1000000"])
    assert code == 130
    assert errors.splitlines()[-1] == "gaussianimage: interrupted; 3 of 3 not done"
    assert "Traceback" not in errors
    out = tmp_path / "out"
    assert not out.exists() or list(out.iterdir()) == []


def make_noise(folder: Path, seed: int = 0) -> str:
    path = folder / f"noise{seed}.png"
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def interrupted(arguments: list[str]) -> tuple[int, str]:
    """Run the program, send it Ctrl-C once it tells of a fit, and return code and stderr."""
    command = [sys.executable, "-m", "gaussianimage", *arguments, "-v"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = ""
        jobs = 2 if "-j" in arguments else 1
        told: set[str] = set()
        while len(told) < jobs:
            line = process.stderr.readline()
            assert line, "ended without a fit"
            if " fit, " in line:
                told.add(line.split(": ")[0])
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        assert "Traceback" not in errors
        return process.wait(60), errors


def test_main_is_what_the_installed_program_runs() -> None:
    (entry,) = importlib.metadata.entry_points(name="gaussianimage", group="console_scripts")
    assert entry.value == "gaussianimage.__main__:main"


def test_every_command_is_found_by_shell_completion(monkeypatch: Any) -> None:
    from click.shell_completion import ShellComplete

    complete = ShellComplete(cli, {}, "gaussianimage", "_GAUSSIANIMAGE_COMPLETE")
    assert [item.value for item in complete.get_completions([], "")] == list(COMMANDS)
    assert "--quality" in [item.value for item in complete.get_completions(["encode"], "--")]


@needs_posix
def test_files_are_completed_by_the_shell(program: Any) -> None:
    environment = os.environ | {"COMP_WORDS": "gaussianimage encode ", "COMP_CWORD": "2"}
    environment["_GAUSSIANIMAGE_COMPLETE"] = "bash_complete"
    code = "from gaussianimage.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout == "file,\n"
    script = program(env=environment | {"_GAUSSIANIMAGE_COMPLETE": "bash_source"}).stdout
    assert b"_GAUSSIANIMAGE_COMPLETE=bash_complete" in script
