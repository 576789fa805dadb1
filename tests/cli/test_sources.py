"""The inputs of commands."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

import gaussianimage
from gaussianimage import FormatError, Gaussians, LimitError, Limits, PictureError
from gaussianimage.cli.sources import (
    is_gimg,
    limit_options,
    output_type,
    read_gaussians,
    read_picture,
)
from gaussianimage.picture import to_array

LIMITS = Limits()


def pipe(monkeypatch: Any, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))


def test_gaussians_come_from_either_kind_of_file(
    gimg: Path, encoded: bytes, tmp_path: Path, monkeypatch: Any
) -> None:
    gaussians = gaussianimage.decode_gaussians(encoded)
    gaussians.save(tmp_path / "x.safetensors")
    assert read_gaussians(str(gimg), LIMITS).gaussians == gaussians
    assert read_gaussians(str(tmp_path / "x.safetensors"), LIMITS).gaussians == gaussians
    pipe(monkeypatch, encoded)
    assert read_gaussians("-", LIMITS).gaussians == gaussians
    assert isinstance(gaussians, Gaussians)


def test_what_is_neither_is_an_error(parrot: Path) -> None:
    with pytest.raises(FormatError, match=r"not a \.gimg file"):
        read_gaussians(str(parrot), LIMITS)


def test_pictures_come_from_pictures_and_files(
    parrot: Path, gimg: Path, encoded: bytes, monkeypatch: Any
) -> None:
    decoded = gaussianimage.decode(encoded)
    np.testing.assert_array_equal(to_array(read_picture(str(gimg), LIMITS).pixels), decoded)
    pipe(monkeypatch, encoded)
    np.testing.assert_array_equal(to_array(read_picture("-", LIMITS).pixels), decoded)
    original = gaussianimage.as_picture(parrot).pixels
    np.testing.assert_array_equal(read_picture(str(parrot), LIMITS).pixels, original)
    pipe(monkeypatch, parrot.read_bytes())
    np.testing.assert_array_equal(read_picture("-", LIMITS).pixels, original)


def test_what_is_no_picture_is_an_error(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"")
    with pytest.raises(PictureError, match=f"{path}: "):
        read_picture(str(path), LIMITS)
    pipe(monkeypatch, b"nothing")
    with pytest.raises(PictureError):
        read_picture("-", LIMITS)


def test_limits_hold_for_both(parrot: Path, gimg: Path) -> None:
    for path in (parrot, gimg):
        with pytest.raises(LimitError):
            read_picture(str(path), Limits(max_pixels=96 * 64 - 1))


def test_a_file_is_known_by_its_start(encoded: bytes, parrot: Path) -> None:
    assert is_gimg(encoded)
    assert not is_gimg(parrot.read_bytes())
    assert not is_gimg(b"")


def test_samples_of_16_bits_need_16() -> None:
    assert (output_type(8), output_type(16)) == (np.uint8, np.uint16)


def test_limits_can_be_set_and_lifted() -> None:
    found: list[Limits] = []

    @click.command()
    @limit_options
    def command(limits: Limits) -> None:
        found.append(limits)

    for arguments in ([], ["--max-pixels", "5"], ["--no-limits"], ["--max-pixels", str(10**9)]):
        CliRunner().invoke(command, arguments, standalone_mode=False)
    assert found[0] == Limits()
    assert (found[1].max_pixels, found[1].warn_pixels) == (5, 5)
    assert min(found[2].max_pixels, found[2].max_work, found[2].max_gaussians) > 2**60
    # A user who raises the limit on pixels wants them in any format.
    assert min(found[3].max_pixels, found[3].max_output // 16, found[3].max_memory // 16) >= 10**9
