import warnings

import pytest

from gaussianimage import PictureWarning
from gaussianimage.picture.warn import issue


def test_a_warning_is_one_of_pictures_and_of_users():
    with pytest.warns(PictureWarning, match="a page") as caught:
        issue("a page")
    assert caught[0].filename == __file__
    assert issubclass(PictureWarning, UserWarning)


def test_every_message_is_shown_once_at_a_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for message in ("a", "a", "b"):
            issue(message)
    assert [str(w.message) for w in caught] == ["a", "b"]
