"""The built distributions, the import, and the public names."""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import gaussianimage
from gaussianimage import _native as native

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "gaussianimage"


def run_python(code: str) -> str:
    """Run code in a fresh interpreter, where every warning is an error; return what it prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


# -- The distributions ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build a wheel and return the names of the files in it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps"]
    # The build directory of `make develop`, so that nothing is compiled twice.
    command += ["--no-build-isolation", "--config-settings=build-dir=build/{wheel_tag}"]
    command += ["--wheel-dir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.slow
def test_the_wheel_holds_the_extension_and_its_types(wheel_names: list[str]) -> None:
    extensions = [n for n in wheel_names if re.match(r"gaussianimage/_native\..*(so|pyd)$", n)]
    assert len(extensions) == 1
    # From 3.12 on the wheel is for the stable ABI.
    assert ("abi3" in extensions[0]) == (sys.version_info >= (3, 12))
    assert "gaussianimage/py.typed" in wheel_names
    assert "gaussianimage/_native.pyi" in wheel_names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel_names)


@pytest.mark.slow
def test_the_wheel_holds_every_python_module(wheel_names: list[str]) -> None:
    modules = {f"gaussianimage/{p.relative_to(PACKAGE).as_posix()}" for p in PACKAGE.rglob("*.py")}
    assert modules
    assert modules <= set(wheel_names)


@pytest.mark.slow
def test_the_wheel_holds_nothing_else(wheel_names: list[str]) -> None:
    top_level = {PurePosixPath(name).parts[0] for name in wheel_names}
    assert {n for n in top_level if not n.endswith(".dist-info")} == {"gaussianimage"}
    inside = [PurePosixPath(n) for n in wheel_names if n.startswith("gaussianimage/")]
    web = {p for p in inside if p.is_relative_to("gaussianimage/web/gimg")}
    assert {"gimg.js", "package.json"} <= {p.name for p in web}
    assert {p.suffix for p in web} <= {".js", ".json", ".css", ".html", ".md"}
    widget = {p for p in inside if p.parent == PurePosixPath("gaussianimage/notebook")}
    assert {p.suffix for p in widget} == {".py", ".js", ".css"}
    pages = {PurePosixPath("gaussianimage/deepzoom/viewer.html")}
    assert pages < set(inside)
    inside = [p for p in inside if p not in web | widget | pages]
    assert {p.suffix for p in inside} <= {".py", ".pyi", ".typed", ".so", ".pyd"} | {""}
    assert not [p for p in inside if {"tests", "benchmarks", "native"} & set(p.parts)]


@pytest.mark.slow
def test_the_source_distribution_can_be_built_from_and_leaves_the_tests_out(
    tmp_path: Path,
) -> None:
    code = "import sys, scikit_build_core.build as b; print(b.build_sdist(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {str(PurePosixPath(*PurePosixPath(n).parts[1:])) for n in archive.getnames()}
    native = {p.relative_to(ROOT).as_posix() for p in (PACKAGE / "native").rglob("*.*")}
    assert native | {"CMakeLists.txt", "pyproject.toml", "LICENSE", "CHANGELOG.md"} <= names
    assert not [n for n in names if n.startswith(("tests", "benchmarks", ".venv", "build"))]


# -- The import ----------------------------------------------------------------------------------


def test_importing_the_package_leaves_heavy_modules_alone() -> None:
    heavy = ["torch", "triton", "matplotlib", "click", "rich"]
    code = f"import sys, gaussianimage; print([m for m in {heavy} if m in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_decoding_leaves_the_encoder_and_pillow_alone() -> None:
    code = """
import sys
import gaussianimage
gaussianimage.decode
heavy = ["PIL.Image", "gaussianimage.fitting", "gaussianimage.paper"]
print([name for name in heavy if name in sys.modules])
"""
    assert run_python(code).strip() == "[]"


def test_the_extension_keeps_denormal_numbers() -> None:
    # Linking with -ffast-math would set flush-to-zero for the whole process.
    code = """
import numpy as np
import gaussianimage._native
tiny = np.full(16, 1e-40, dtype=np.float32)
print(np.all(tiny * np.float32(0.5) != 0), 5e-324 * 1.0 != 0)
"""
    assert run_python(code).split() == ["True", "True"]


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("readelf") is None, reason="needs Linux and readelf"
)
def test_the_extension_is_hardened() -> None:
    """Its tables are read-only when it runs, its stack is not executable, and it is checked."""

    def readelf(option: str) -> str:
        command = ["readelf", "--wide", option, native.__file__]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    dynamic, segments = readelf("--dynamic"), readelf("--program-headers")
    assert re.search(r"\(FLAGS\)\s+BIND_NOW|\(FLAGS_1\)\s+Flags: .*NOW", dynamic)
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK .* RW  0x", segments)
    assert "TEXTREL" not in dynamic
    assert "__stack_chk_fail" in readelf("--dyn-syms")


# -- The names -----------------------------------------------------------------------------------


def test_the_public_names_are_those_promised() -> None:
    promised = json.loads((Path(__file__).parent / "public_names.json").read_text())
    assert promised == sorted(promised)
    assert sorted(gaussianimage.__all__) == promised


def test_every_public_name_exists_and_is_documented() -> None:
    for name in gaussianimage.__all__:
        value = getattr(gaussianimage, name)
        if not isinstance(value, str):  # __version__
            assert value.__doc__, name
    assert set(gaussianimage.__all__) <= set(dir(gaussianimage))


def test_the_version_is_the_one_installed() -> None:
    version = importlib.metadata.version("gaussianimage")
    assert gaussianimage.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
