import numpy as np
from lib import contact
from lib.pictures import find_pictures
from lib.rivals import RIVALS
from PIL import Image

import gaussianimage


def test_the_crop_is_where_the_detail_is():
    pixels = np.zeros((40, 50, 3), np.uint8)
    pixels[22:30:2, 31:41] = 255
    top, left = contact.most_detailed(pixels, (10, 12))
    assert top <= 22
    assert top + 10 >= 29
    assert left <= 31
    assert left + 12 >= 41


def test_a_picture_smaller_than_the_crop_is_shown_whole():
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    assert contact.most_detailed(pixels, (160, 240)) == (0, 0)


def test_the_sheet_has_a_row_for_each_picture_and_a_column_for_each_codec(tmp_path, folder):
    pictures = find_pictures([folder])
    files = [(p, gaussianimage.encode(p.pixels, gaussians=50, threads=1)) for p in pictures]
    contact.draw(files, tmp_path / "new/sheet.png")
    columns = 2 + sum(r.available for r in RIVALS if r.key in contact.COLUMNS)
    with Image.open(tmp_path / "new/sheet.png") as sheet:
        assert sheet.width == contact.GAP + columns * (2 * 64 + contact.GAP)
        assert sheet.height == contact.GAP + 2 * (2 * 48 + contact.CAPTION + contact.GAP)
        corner = np.asarray(sheet)[contact.GAP :: 2, contact.GAP :: 2][:48, :64]
    np.testing.assert_array_equal(corner, pictures[0].pixels)
