"""Measures of quality that follow the eye, where they are installed."""

import importlib
import io
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from lib.pictures import Bytes

BUTTERAUGLI = "butteraugli_main"  # of libjxl's tools
_NORM = re.compile(r"3-norm:\s*([0-9.]+)")
DISPLAY = "standard_4k"  # of ColorVideoVDP: a monitor of 30 inches seen from 0.75 m


@dataclass(frozen=True)
class EyeMeasure:
    """A measure that compares a decoded picture with its source.

    Attributes
    ----------
    key, name : str
        Name in files, and in tables.
    available : callable
        Whether what computes it is installed.
    version : callable
        What computes it, with its version.
    compare : callable
        Function from the source and the decoded picture, both (H, W, 3) uint8, to the value.
    missing : str
        What to install.
    """

    key: str
    name: str
    available: Callable[[], bool]
    version: Callable[[], str]
    compare: Callable[[Bytes, Bytes], float]
    missing: str


def ssimulacra2(source: Bytes, decoded: Bytes) -> float:
    """Return SSIMULACRA 2: 100 for equal pictures; about 30 is low, 50 medium, 70 high quality."""
    from ssimulacra2 import compute_ssimulacra2

    return float(compute_ssimulacra2(_file(source), _file(decoded)))


def butteraugli(source: Bytes, decoded: Bytes) -> float:
    """Return the 3-norm of Butteraugli's distance, 0 for equal pictures."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("source.ppm", "decoded.ppm")]
        for path, pixels in zip(paths, (source, decoded), strict=True):
            Image.fromarray(pixels).save(path)
        done = subprocess.run([BUTTERAUGLI, *paths], capture_output=True, text=True, check=True)
    found = _NORM.search(done.stdout)
    if found is None:
        raise RuntimeError(f"{BUTTERAUGLI}: expected a line with the 3-norm, got {done.stdout!r}")
    return float(found[1])


def cvvdp(source: Bytes, decoded: Bytes) -> float:
    """Return the quality that ColorVideoVDP predicts, in JOD, 10 for equal pictures."""
    quality, _ = _cvvdp().predict(decoded, source, dim_order="HWC")
    return float(quality)


def _file(pixels: Bytes) -> io.BytesIO:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    buffer.seek(0)
    return buffer


@cache
def _has_module() -> bool:
    return find_spec("ssimulacra2") is not None


@cache
def _has_tool() -> bool:
    return shutil.which(BUTTERAUGLI) is not None


@cache
def _cvvdp() -> Any:
    return importlib.import_module("pycvvdp").cvvdp(display_name=DISPLAY, heatmap=None)


@cache
def _has_cvvdp() -> bool:
    try:
        _cvvdp()
    except ImportError:
        return False
    except RuntimeError:  # a torchvision that was built for another PyTorch
        return False
    return True


EYE_MEASURES = (
    EyeMeasure(
        "ssimulacra2",
        "SSIMULACRA 2",
        _has_module,
        lambda: f"ssimulacra2 {metadata.version('ssimulacra2')}",
        ssimulacra2,
        "pip install gaussianimage[bench]",
    ),
    EyeMeasure(
        "butteraugli",
        "Butteraugli",
        _has_tool,
        lambda: BUTTERAUGLI,
        butteraugli,
        "apt-get install libjxl-devtools",
    ),
    EyeMeasure(
        "cvvdp",
        "ColorVideoVDP",
        _has_cvvdp,
        lambda: f"cvvdp {metadata.version('cvvdp')}, {DISPLAY}",
        cvvdp,
        "pip install cvvdp, which needs PyTorch and the torchvision of the same build",
    ),
)


def eye_measures(source: Bytes, decoded: Bytes) -> dict[str, float | None]:
    """Return the value of every measure by its key; None where a measure is not installed."""
    return {
        measure.key: measure.compare(source, decoded) if measure.available() else None
        for measure in EYE_MEASURES
    }
