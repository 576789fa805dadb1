"""An allocation that fails anywhere raises MemoryError, and the next call works."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CALLS = (
    "decode",
    "decode_float",
    "decode_small",
    "decode_gaussians",
    "render",
    "render_bytes",
    "gradient",
    "grain",
    "alpha",
    "encode",
    "optimize",
    "see",
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the library that makes an allocation fail."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    if not sys.platform.startswith("linux"):
        pytest.skip("needs LD_PRELOAD")
    target = tmp_path_factory.mktemp("library") / "failing_new.so"
    source = HERE / "failing_new.cpp"
    flags = ["-std=c++20", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, str(source), "-o", str(target), "-ldl"], check=True)
    return target


@pytest.mark.parametrize("name", CALLS)
def test_each_allocation_that_fails_is_a_memory_error(library: Path, name: str) -> None:
    result = subprocess.run(
        [sys.executable, str(HERE / "allocations.py"), name],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=300,  # one that waits for ever would not end
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 5, "hardly anything has been allocated"
