"""The sweep finds lost detail, and continues after a file that is not a picture."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import sweep

from gaussianimage import as_picture

DATA = Path(__file__).resolve().parents[1] / "data"


def test_pictures_are_found_and_other_files_counted(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    shutil.copy(DATA / "parrot.png", tmp_path / "more" / "parrot.png")
    (tmp_path / "notes.txt").write_text("no picture")
    found, unread, errors = sweep.run([tmp_path], 60, 1, 1e6)
    ((name, one),) = found.items()
    assert name.endswith("parrot.png")
    assert (unread, errors) == (1, [])
    assert not one["blank"]
    assert 0 <= one["excess"] < 5


def test_what_is_too_large_is_left_out(tmp_path: Path) -> None:
    shutil.copy(DATA / "parrot.png", tmp_path / "parrot.png")
    assert sweep.run([tmp_path], 60, 1, 1000)[0] == {}


@pytest.mark.parametrize("level", [0, 90])
def test_one_color_is_not_blank(level: int) -> None:
    assert not sweep.look_at(as_picture(np.full((20, 20), level, np.uint8)), 60, 1)["blank"]


def test_other_codecs_are_set_beside_opaque_pictures_of_eight_bits() -> None:
    parrot = as_picture(DATA / "parrot.png")
    jpeg = [rival for rival in sweep.RIVALS if rival.key == "jpeg"]
    found = sweep.look_at(parrot, 40, 1, jpeg)["beside"]
    assert list(found) == ["jpeg"]
    assert 0 <= found["jpeg"] < 20
    clear = np.dstack([np.asarray(parrot), np.asarray(parrot)[..., :1]])
    assert sweep.look_beside(as_picture(clear), 30.0, jpeg) == {}
    assert sweep.look_beside(as_picture(np.asarray(parrot).astype(np.uint16)), 30.0, jpeg) == {}
