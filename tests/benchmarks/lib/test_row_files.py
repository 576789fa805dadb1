from pathlib import Path

import numpy as np
import pytest
from lib.row_files import PpmRows, write_ppm
from PIL import Image

PICTURE = np.random.default_rng(0).integers(0, 256, (600, 33, 3)).astype(np.uint8)


def test_rows_of_a_file_are_those_of_the_picture(tmp_path: Path) -> None:
    write_ppm(PICTURE, tmp_path / "a.ppm")
    rows = PpmRows(tmp_path / "a.ppm")
    assert rows.shape == PICTURE.shape
    for part in (slice(0, 5), slice(250, 300), slice(599, 700), slice(7, 7)):
        assert np.array_equal(rows[part], PICTURE[part])
    with Image.open(tmp_path / "a.ppm") as picture:
        assert np.array_equal(np.asarray(picture), PICTURE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.ppm"]


def test_comments_are_skipped_and_other_files_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P6 # a comment\n2 1\n# another\n255\nabcdef")
    assert PpmRows(tmp_path / "a.ppm")[:].tobytes() == b"abcdef"
    (tmp_path / "a.pgm").write_bytes(b"P5\n2 1\n255\nab")
    with pytest.raises(ValueError, match="expected a PPM file"):
        PpmRows(tmp_path / "a.pgm")
