"""Joining the modules to one script."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import gaussianimage
from gaussianimage.web.bundle import MODULES, bundle, declared_names, squeeze

SCRIPTS = sorted(MODULES.glob("*.js"))


def test_comments_and_indentation_go_and_nothing_else() -> None:
    text = "/**\n * What\n */\nconst a = /** @type {X} */ (b);\n\n  // why\n    a('//');\n"
    assert squeeze(text) == "const a = /** @type {X} */ (b);\na('//');\n"
    cast = "/** @type {X} */ (a).b();\n/** c */\nd();\n"
    assert squeeze(cast) == "/** @type {X} */ (a).b();\nd();\n"


def test_no_two_modules_declare_the_same_name() -> None:
    names: Counter[str] = Counter()
    for path in SCRIPTS:
        names.update(declared_names(path.read_text(encoding="utf-8")))
    assert {"decode", "GimgError", "LAYER_WEIGHTS"} <= set(names)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_modules_use_the_part_of_the_language_that_is_joined(path: Path, node: str) -> None:
    text = bundle(path.name)
    assert "} = await import(" not in path.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(?:import|export)\b", text, re.MULTILINE)
    result = subprocess.run(
        [node, "--input-type=module", "--check"], input=text, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_the_npm_package_is_of_the_same_version_and_has_all_modules() -> None:
    package = json.loads((MODULES / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == gaussianimage.__version__
    assert {"*.js", "*.css", "*.html", "types", "README.md"} == set(package["files"])
    assert (MODULES / package["exports"]["."]["default"]).exists()


def test_the_decoder_is_small() -> None:
    # A minifier gets it to 20.5 kB.
    assert 28_000 < len(bundle("gimg.js")) < 34_500


def test_the_types_of_the_modules_are_right() -> None:
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip("TypeScript is not installed; make lint checks the types too")
    result = subprocess.run(
        [compiler, "--noEmit", "-p", str(MODULES)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
