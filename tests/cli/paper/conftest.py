"""Pictures for the commands of `paper` to work on."""

from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path: Path, parrot: Path, plane: Path) -> Path:
    """Return a folder of two pictures of 48 x 32."""
    path = tmp_path / "pictures"
    path.mkdir()
    for source in (parrot, plane):
        with Image.open(source) as image:
            image.resize((48, 32)).save(path / source.name)
    return path
