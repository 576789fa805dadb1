from gaussianimage import FormatError, PictureError
from gaussianimage._util.describe import describe_error, printable


def test_an_error_is_one_line_that_names_the_file() -> None:
    assert describe_error(PictureError("no picture"), "a.png") == "a.png: no picture"
    assert describe_error(FormatError("b.gimg: bad"), "b.gimg") == "b.gimg: bad"
    assert describe_error(OSError(2, "gone", "c.png"), "other") == "c.png: gone"
    assert describe_error(MemoryError(), "a.png") == "a.png: not enough memory"
    assert describe_error(KeyError("x"), "a.png").startswith("a.png: internal error: KeyError")
    assert describe_error(ValueError("ours"), text="another") == "another"


def test_notes_follow_the_message() -> None:
    error = PictureError("no picture")
    error.add_note("in a.zip")
    assert describe_error(error, "a.png") == "a.png: no picture, in a.zip"


def test_control_characters_are_escaped() -> None:
    assert printable("a\nb\x1b") == "a\\nb\\x1b"
