"""The module at the end of the process, in other interpreters, and with undrawable Gaussians."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gaussianimage
from gaussianimage import _native

PARROT = Path(__file__).parents[1] / "data" / "parrot.png"

DAEMONS = """
import sys, threading, time
import gaussianimage

data = open(sys.argv[1], "rb").read()

def work():
    while True:
        gaussianimage.decode(data, size=(512, 768))

for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""

ELSEWHERE = """
import sys
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
code = "import warnings; warnings.simplefilter('ignore'); import gaussianimage._native"
try:
    found = interpreters.run_string(interpreters.create(), code)
except Exception as error:
    found = error
print(found)
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("attempt", range(4))
def test_daemon_threads_may_decode_while_the_process_ends(attempt: int, tmp_path: Path) -> None:
    path = tmp_path / "parrot.gimg"
    path.write_bytes(gaussianimage.encode(PARROT, gaussians=100, effort=1))
    run = python(DAEMONS, str(path))
    assert (run.returncode, run.stderr) == (0, "")


def test_a_subinterpreter_is_refused() -> None:
    run = python(ELSEWHERE)
    if "No module named" in run.stderr:
        pytest.skip("this Python has no module for subinterpreters")
    assert run.returncode == 0, run.stderr
    assert "does not work in subinterpreters" in run.stdout


def test_what_lies_beside_the_picture_is_no_more_work_than_to_look_at_it() -> None:
    # Wide and flat, above the picture by less than a pixel: no row's center is reached.
    count, width = 1000, 4096
    means = np.tile([[width / 2, -0.6]], (count, 1))
    cholesky = np.tile([[800.0, 0.0, 0.3]], (count, 1))
    colors = np.ones((count, 3), np.float32)
    arguments = means, cholesky, colors, 0.5, 16, width, None, 1
    work = _native.work(*arguments)
    inside = _native.work(np.add(means, [0, 5]), *arguments[1:])
    assert work <= 64 * count
    assert inside > 20 * work


def test_nothing_is_drawn_of_colors_without_energy() -> None:
    means, cholesky = np.array([[4.0, 4.0]]), np.array([[1e-30, 0.0, 1e-30]])
    gaussians = gaussianimage.Gaussians.from_cholesky(
        means, cholesky, np.zeros((1, 3), np.float32), 8, 8, 4.5
    )
    assert not gaussianimage.render(gaussians).any()
