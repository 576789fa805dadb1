"""The tool that builds, audits and tries wheels: which Pythons it takes, and what it refuses."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_wheel as tool  # noqa: E402


def test_a_python_is_known_by_its_version() -> None:
    assert tool.find_pythons([sys.executable]) == {sys.version_info[:2]: sys.executable}


@pytest.mark.parametrize("name", ["no-such-python", "false", "true"])
def test_what_is_no_python_is_refused(name: str) -> None:
    with pytest.raises(tool.Failed, match=f"{name}: expected CPython 3.11 or newer"):
        tool.find_pythons([name])


def test_this_python_is_taken_if_none_is_named() -> None:
    assert sys.version_info[:2] in tool.find_pythons([])


def test_a_wheel_that_is_too_large_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "gaussianimage.whl"
    wheel.write_bytes(bytes(tool.LARGEST))
    tool.check_size(wheel)
    wheel.write_bytes(bytes(tool.LARGEST + 1))
    with pytest.raises(tool.Failed, match="expected at most 3000000 bytes, got 3000001"):
        tool.check_size(wheel)


def test_the_program_of_a_clean_environment_decodes_the_golden_files() -> None:
    code = tool.TRY.replace("home.is_relative_to", "bool or home.is_relative_to")
    told = tool.run([sys.executable, "-c", code, ROOT / "tests" / "data" / "v1"])
    assert "golden files decode to the same pixels" in told


def test_a_program_that_fails_ends_with_what_it_printed() -> None:
    with pytest.raises(tool.Failed, match="something is wrong"):
        tool.run([sys.executable, "-c", "raise SystemExit('something is wrong')"])
