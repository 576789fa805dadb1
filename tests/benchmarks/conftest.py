"""The path to the benchmarks' modules, and small pictures and records to test them with."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

# Python puts the folder of a script on the path, so that the script finds the modules beside it.
sys.path.insert(0, str(BENCHMARKS))


@pytest.fixture
def pixels():
    """Return a picture with an edge, a slope and a texture."""
    y, x = np.mgrid[0:48, 0:64]
    texture = 20 * np.sin(x / 2) * np.cos(y / 3)
    planes = [x * 3, y * 4, np.where(x + y > 50, 200, 60)]
    return np.clip(np.stack(planes, axis=2) + texture[..., None], 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, pixels):
    """Return a folder of two pictures and a text file."""
    path = tmp_path / "pictures"
    path.mkdir()
    Image.fromarray(pixels).save(path / "b.png")
    Image.fromarray(pixels[::-1]).save(path / "a.png")
    (path / "notes.txt").write_text("no picture")
    return path


@pytest.fixture
def make_records():
    """Return a maker of records: a codec whose files are `factor` times the size of JPEG's."""
    from lib.measure import Record

    def records(codec, factor, dial="quality", pictures=("p", "q"), ms_ssim=True):
        made = []
        for offset, picture in enumerate(pictures):
            for setting in range(1, 8):
                rate = 0.04 * 1.7**setting
                quality = 24 + 1.5 * setting + offset
                made.append(
                    Record(
                        picture=picture,
                        digest="0",
                        codec=codec,
                        version="1",
                        dial=dial,
                        setting=float(setting),
                        threads=2,
                        effort=5,
                        bytes=100 * setting,
                        file="0",
                        bpp=rate * factor,
                        psnr=quality,
                        ms_ssim=1 - 10 ** (-quality / 20) if ms_ssim else None,
                        encode_seconds=0.5 * setting,
                        decode_seconds=0.001,
                    )
                )
        return made

    return records
