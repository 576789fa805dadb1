"""Ctrl-C at many moments of the program: it ends soon, quietly, and leaves no half file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gaussianimage

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals")

SOON = 10.0  # seconds; it takes less than 0.2 on a machine that does nothing else

# Sends the signal to itself when a module is about to be imported.
IMPORTING = """
import os, runpy, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == WHEN:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
WHEN = sys.argv.pop(1)
sys.meta_path.insert(0, Finder())
runpy.run_module("gaussianimage", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    path = tmp_path / "photo.png"
    small.resize((640, 480), Image.Resampling.BICUBIC).save(path)
    return path


def check(code: int, errors: str, folder: Path) -> None:
    assert code == 130, errors
    assert "Traceback" not in errors
    assert "KeyboardInterrupt" not in errors
    for path in folder.rglob("*"):
        assert path.suffix in (".gimg", ""), path
        if path.suffix:
            assert gaussianimage.decode(path.read_bytes()).shape == (480, 640, 3)


@pytest.mark.parametrize("module", ["gaussianimage.cli", "click", "numpy", "PIL.Image"])
def test_while_modules_are_imported(module: str, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["encode", str(photo), str(out / "x.gimg")]
    command = [sys.executable, "-c", IMPORTING, module, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    check(run.returncode, run.stderr, out)


@pytest.mark.parametrize("stage", ["probe", "fit", "prune", "quantize", "refine"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_in_every_stage_of_an_encoding(stage: str, jobs: int, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    inputs = [str(photo)] if jobs == 1 else [str(photo), str(photo.with_name("copy.png"))]
    if jobs == 2:
        Path(inputs[1]).write_bytes(photo.read_bytes())
    options = ["-o", f"{out}/", "-j", str(jobs), "-e", "8", "-v"]
    command = [sys.executable, "-m", "gaussianimage", "encode", *inputs, *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        before = ""
        while f"% {stage}, " not in before:
            line = process.stderr.readline()
            assert line, before
            before += line
        process.send_signal(signal.SIGINT)
        pressed = time.monotonic()
        errors = before + process.stderr.read()
        process.wait(SOON)
    assert time.monotonic() - pressed < SOON
    check(process.returncode, errors, out)


@pytest.mark.parametrize("after", [0.3, 0.8])
def test_while_a_large_picture_is_decoded(after: float, photo: Path, tmp_path: Path) -> None:
    data = tmp_path / "photo.gimg"
    data.write_bytes(gaussianimage.encode(photo, gaussians=500, effort=1))
    out = tmp_path / "out"
    out.mkdir()
    arguments = ["decode", str(data), str(out / "x.png"), "--scale", "16"]
    command = [sys.executable, "-m", "gaussianimage", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SOON)
    check(process.returncode, errors, out)
