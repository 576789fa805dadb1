"""How results are written."""

import math

import pytest

from gaussianimage.cli.report import bytes_text, decibels, plural, result_line, seconds_text


def test_the_result_line_reads_as_documented() -> None:
    line = result_line(512, 768, 9000, n_bytes=27_328, psnr=34.06, seconds=4.81)
    assert line == "768 x 512, 9000 Gaussians, 27.3 kB (0.556 bpp), 34.1 dB, 4.8 s"


def test_the_result_line_leaves_out_what_is_not_known() -> None:
    assert result_line(1, 1, 1) == "1 x 1, 1 Gaussian"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.00 MB"),
        (12_345_678, "12.35 MB"),
    ],
)
def test_sizes_are_in_powers_of_1000(count: int, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0004, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (3599.6, "60 min 0 s"),
    ],
)
def test_durations_never_round_to_sixty_seconds(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_equal_pictures_have_no_error() -> None:
    assert decibels(math.inf) == "no error"
    assert decibels(34.06) == "34.1 dB"


def test_one_is_singular() -> None:
    assert [plural(count, "rep") for count in (0, 1, 2)] == ["0 reps", "1 rep", "2 reps"]
