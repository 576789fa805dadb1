"""Folders of small pictures, and a store that fails."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaussianimage.batching import stores


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
