"""The command `fit`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gaussianimage
from gaussianimage import FitState, Gaussians
from gaussianimage.fitting.fit import fit as library_fit
from gaussianimage.picture import write

QUICK = ["-n", 60, "--iterations", 40]


def test_the_gaussians_are_those_that_the_library_fits(
    run: Any, parrot: Path, tmp_path: Path
) -> None:
    output = tmp_path / "x.safetensors"
    result = run("fit", parrot, output, *QUICK, "--seed", 3)
    expected = library_fit(parrot, 60, iterations=40, seed=3)
    assert Gaussians.load(output) == expected.gaussians
    assert result.stdout == ""
    assert result.stderr.startswith(f"96 x 64, 60 Gaussians, {expected.psnr:.1f} dB, ")


def test_a_fit_goes_on_from_a_state_to_the_same_result(
    run: Any, parrot: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    whole, part, rest = (tmp_path / f"{name}.safetensors" for name in ("whole", "part", "rest"))
    state = tmp_path / "state"
    run("fit", parrot, whole, "-n", 60, "--iterations", 400)
    with monkeypatch.context() as patch:
        patch.setattr("gaussianimage.cli.fit.fit", interrupted_fit)
        result = run("fit", parrot, part, "-n", 60, "--iterations", 400, "--state", state, code=130)
    assert f"go on from there with --resume {state}" in result.stderr
    assert Gaussians.load(part) != Gaussians.load(whole)
    run("fit", parrot, rest, "--resume", state)
    assert Gaussians.load(rest) == Gaussians.load(whole)


def interrupted_fit(picture: Any, **options: Any) -> Any:
    """Fit, and press Ctrl-C half-way."""
    seen: list[FitState] = []

    def stop(state: FitState) -> None:
        seen.append(state)
        if len(seen) == 4:
            raise KeyboardInterrupt

    return library_fit(picture, **options, on_step=stop)


def test_a_state_can_be_kept_of_a_whole_fit(run: Any, parrot: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    run("fit", parrot, tmp_path / "x.safetensors", *QUICK, "--state", state)
    assert FitState.load(state).iteration == 40


def test_many_pictures_go_into_a_folder(
    run: Any, parrot: Path, plane: Path, tmp_path: Path
) -> None:
    run("fit", parrot, plane, "-o", tmp_path / "out", *QUICK, "-j", 2)
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["parrot.safetensors", "plane.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png", "-"], "can't be written to stdout"),
        (["a.png", "b.png"], ".png is for pictures"),
        (["a.png", "b.png", "-o", "out/", "--state", "s"], "--state and --resume are for one"),
        (["a.png", "b.st", "--resume", "s", "-n", "5"], "leave out --gaussians"),
        (["a.png", "b.st", "--state", "b.st"], "it is the input or the output"),
        (["a.png", "b.st", "--state", "./a.png"], "it is the input or the output"),
        (["a.png", "b.st", "--state", "s.png"], ".png is for pictures"),
        (["a.png", "b.st", "--state", "-"], "can't be written to stdout"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(
    fails: Any, arguments: list[str], message: str
) -> None:
    assert message in fails("fit", *arguments, code=2)


def test_a_state_that_cannot_be_written_fails_before_the_work(
    fails: Any, parrot: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("gaussianimage.cli.fit.fit", None)
    state = tmp_path / "missing" / "state"
    line = fails("fit", parrot, tmp_path / "x.safetensors", "--state", state)
    assert line == f"{state}: its folder does not exist"


def test_a_state_of_another_picture_fails(
    fails: Any, run: Any, parrot: Path, tmp_path: Path
) -> None:
    state, other = tmp_path / "state", tmp_path / "other.png"
    run("fit", parrot, tmp_path / "x.safetensors", *QUICK, "--state", state)
    run("render", tmp_path / "x.safetensors", other, "--size", "50x50")
    line = fails("fit", other, tmp_path / "y.safetensors", "--resume", state)
    assert line.startswith(f"{other}: resume: ")


def test_what_is_no_state_fails(fails: Any, parrot: Path, tmp_path: Path) -> None:
    line = fails("fit", parrot, tmp_path / "x.safetensors", "--resume", parrot)
    assert "parrot.png: " in line
    assert gaussianimage.FormatError.__name__ not in line


def test_a_white_is_given_or_missed(run: Any, tmp_path: Path) -> None:
    source, output = tmp_path / "a.png", tmp_path / "a.safetensors"
    write(source, np.arange(0, 3600, 10, dtype=np.uint16).reshape(20, 18))
    result = run("fit", source, output, "-n", 5, "--iterations", 3)
    assert f"gaussianimage: warning: {source}: only 0..3590" in result.stderr
    result = run("fit", source, output, "-n", 5, "--iterations", 3, "--white", 3600)
    assert "warning" not in result.stderr
    expected = library_fit(source, 5, iterations=3, white=3600)
    assert Gaussians.load(output) == expected.gaussians
