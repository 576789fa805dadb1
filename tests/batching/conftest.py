"""Folders of small pictures, and one Ray for all tests of it."""

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gaussianimage.batching import stores

SUPPORT = Path(__file__).resolve().parents[1] / "support"


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "WAITS", (0.0, 0.0, 0.0))


def draw(path: Path, seed: int = 0) -> Path:
    """Write a picture of 24 x 16 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:16, 0:24]
    planes = [x * 10 + seed, y * 15, np.where(x + y > 12 + seed % 9, 250, 5)]
    Image.fromarray(np.stack(planes, axis=2).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a folder of pictures of these names."""

    def pictures(*names: str) -> Path:
        for seed, name in enumerate(names):
            draw(tmp_path / "photos" / name, seed)
        return tmp_path / "photos"

    return pictures


@pytest.fixture
def unreliable() -> None:
    """Make the URLs ``unreliable://`` known."""
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    import unreliable_store

    unreliable_store.register()


@pytest.fixture(scope="session")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start Ray with two workers, for all tests together."""
    pytest.importorskip("ray", reason="Ray is not installed")
    # An entry point makes the URLs ``unreliable://`` known in the workers too.
    home = tmp_path_factory.mktemp("path")
    facts = home / "unreliable_store-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: unreliable-store\nVersion: 1\n")
    point = "unreliable = unreliable_store:UnreliableFileSystem"
    (facts / "entry_points.txt").write_text(f"[fsspec.specs]\n{point}\n")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(home), str(SUPPORT), before]))
    from gaussianimage.batching.ray_engine import RayEngine

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        engine = RayEngine(None, 2, 0)
        yield engine
        engine.close()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
