import numpy as np
import pytest
from lib.pictures import Sample, find_pictures, middle
from PIL import Image


def test_a_folder_gives_its_pictures_by_name(folder, pixels):
    found = find_pictures([folder])
    assert [picture.name for picture in found] == ["a", "b"]
    np.testing.assert_array_equal(found[1].pixels, pixels)


def test_a_picture_may_be_given_by_its_path(folder):
    assert find_pictures([folder / "b.png"]) == [Sample(folder / "b.png")]


def test_other_modes_are_turned_into_rgb(tmp_path):
    Image.new("L", (5, 4), 7).save(tmp_path / "gray.png")
    assert Sample(tmp_path / "gray.png").pixels.tolist() == [[[7, 7, 7]] * 5] * 4


def test_the_middle_is_as_large_as_asked_for_or_as_the_picture(pixels):
    np.testing.assert_array_equal(middle(pixels, (20, 10)), pixels[19:29, 22:42])
    assert middle(pixels, (1000, 10)).shape == (10, 64, 3)


def test_the_digest_tells_pixels_apart(folder):
    a, b = find_pictures([folder])
    assert a.digest != b.digest
    assert a.digest == Sample(a.path).digest


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["empty"], "no pictures"),
        (["absent.png"], "no such picture"),
        (["pictures", "pictures"], "one name"),
    ],
)
def test_what_cannot_be_measured_ends_the_run(tmp_path, folder, names, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=message):
        find_pictures([tmp_path / name for name in names])
