"""The folders of tests mirror those of the package, and so do the tests named for a module."""

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
PACKAGE = ROOT / "src/gaussianimage"
FILES = sorted(TESTS.rglob("test_*.py"))
MODULES = {path.stem.strip("_") for path in PACKAGE.rglob("*.py")}


def mirrored(folder: Path) -> Path:
    """Return the folder that a folder of tests mirrors."""
    place = folder.relative_to(TESTS)
    top = place.parts[0] if place.parts else ""
    outside = ("benchmarks", "conformance", "fuzz", "tools")
    return ROOT / place if top in outside else PACKAGE / place


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}))
def test_a_folder_of_tests_mirrors_a_folder(folder: Path) -> None:
    assert mirrored(folder).is_dir()


def test_a_test_named_for_a_module_is_in_the_folder_of_that_module() -> None:
    for path in FILES:
        home, name = mirrored(path.parent), path.stem.removeprefix("test_")
        beside = {entry.stem.strip("_") for entry in home.iterdir()} | {home.name}
        # The tests of C++ are named for its files, of which some are called as Python modules are.
        of_python = home.is_relative_to(PACKAGE) and home.name != "native"
        assert not of_python or name not in MODULES or name in beside, path
