"""Tiles that are encoded on Ray: the file of threads, also when workers are lost."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle_by_value
import numpy as np
import pytest
from PIL import Image

from gaussianimage import GaussianImageError, Progress, encode_tiled
from gaussianimage.codec.tiled import encode as module
from gaussianimage.codec.tiled.tile_job import TileJob, encode_jobs

DATA = Path(__file__).resolve().parents[2] / "data"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def ray(on_ray: Any) -> None:
    """Start Ray before each test."""


@pytest.fixture(scope="module")
def picture() -> Any:
    with Image.open(DATA / "parrot.png") as photo:
        pixels = np.asarray(photo.convert("RGB"))
    return np.tile(pixels, (3, 2, 1))[:150, :180]


def encoded(picture: Any, path: Path, **options: Any) -> bytes:
    encode_tiled(picture, path, tile=64, effort=1, **options)
    return path.read_bytes()


def test_ray_gives_the_file_of_threads(picture: Any, tmp_path: Path) -> None:
    seen: list[Progress] = []
    by_ray = encoded(picture, tmp_path / "a.gimg", engine="ray", progress=seen.append)
    assert by_ray == encoded(picture, tmp_path / "b.gimg")
    assert seen[-1].done == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.gimg", "b.gimg"]


def test_a_lost_worker_costs_nothing_and_two_stop_at_a_tile_that_is_named(
    picture: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fatal = {(1, 0, 2): 1, (1, 1, 1): 10}  # how many workers these tiles end
    folder = str(tmp_path)

    def encode_or_die(threads: int, jobs: Sequence[TileJob]) -> Any:
        place = tuple(jobs[0].frame.place)
        for number in range(fatal.get(place, 0)):
            file = Path(folder, f"{place}-{number}")
            if not file.exists():
                file.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return encode_jobs(threads, jobs)

    path = tmp_path / "a.gimg"
    monkeypatch.setattr(module, "encode_jobs", encode_or_die)
    with (
        cloudpickle_by_value.of(sys.modules[__name__]),
        pytest.raises(GaussianImageError, match="tile 1/1/1 can't be encoded: ended its worker"),
    ):
        encoded(picture, path, engine="ray")
    assert Path(folder, "(1, 0, 2)-0").exists()
    assert not path.exists()
    monkeypatch.undo()
    assert encoded(picture, path, engine="ray") == encoded(picture, tmp_path / "b.gimg")
