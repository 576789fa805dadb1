"""Registering the format with Pillow: what it adds, and what it leaves as it is."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from samples import sample

import gaussianimage
from gaussianimage import pillow_plugin
from gaussianimage.errors import PictureError
from gaussianimage.picture.reader import readable_extensions
from gaussianimage.picture.writer import extensions
from gaussianimage.pillow_plugin import register_gimg_opener


def run_python(code: str, *arguments: str) -> Any:
    """Run code in a fresh interpreter, where every warning is an error; return what it prints."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_import_registers_the_format(tmp_path: Path) -> None:
    path = tmp_path / "a.gimg"
    path.write_bytes(sample())
    code = """
import json, sys
from PIL import Image
before = ".gimg" in Image.registered_extensions()
import gaussianimage.pillow_plugin
with Image.open(sys.argv[1]) as image:
    image.load()
print(json.dumps([before, image.format, Image.registered_extensions()[".gimg"],
                  Image.MIME["GIMG"], Image.open(sys.argv[1], formats=["GIMG"]).size]))
"""
    expected = [False, "GIMG", "GIMG", "image/x-gaussianimage", [16, 12]]
    assert run_python(code, str(path)) == expected


def test_the_encoder_is_imported_when_an_image_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.gimg"
    path.write_bytes(sample())
    code = """
import io, json, sys
from PIL import Image
import gaussianimage.pillow_plugin
def loaded():
    rooms = ("gaussianimage.fitting", "gaussianimage.picture")
    return any(name.startswith(rooms) for name in sys.modules)
Image.open(sys.argv[1]).load()
before = loaded()
Image.new("L", (4, 4)).save(io.BytesIO(), "GIMG")
print(json.dumps([before, loaded()]))
"""
    assert run_python(code, str(path)) == [False, True]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"threads": 0}, ValueError),
        ({"threads": 1.5}, TypeError),
        ({"limits": 5}, TypeError),
        ({"effort": 0}, ValueError),
        ({"effort": "high"}, TypeError),
        ({"quality": 50}, TypeError),  # which is for save
    ],
)
def test_bad_options_are_refused_and_change_nothing(
    options: dict[str, Any], error: type[Exception]
) -> None:
    before = Image.OPEN["GIMG"]
    with pytest.raises(error):
        register_gimg_opener(**options)
    assert Image.OPEN["GIMG"] is before


def test_registering_again_adds_no_second_format() -> None:
    register_gimg_opener(threads=1)
    register_gimg_opener()
    assert Image.ID.count("GIMG") == 1


def test_the_package_reads_and_writes_the_same_pictures_as_without_the_plugin(
    tmp_path: Path,
) -> None:
    assert pillow_plugin.EXTENSION not in readable_extensions()
    assert pillow_plugin.EXTENSION not in extensions()
    path = tmp_path / "a.gimg"
    path.write_bytes(sample())
    for source in (path, path.read_bytes()):
        with pytest.raises(PictureError, match=r"a \.gimg file already; decode it first"):
            gaussianimage.as_picture(source)
    with pytest.raises(ValueError, match="known are"):
        gaussianimage.write(tmp_path / "b.gimg", gaussianimage.decode(path))


def test_an_opened_image_is_a_picture_for_the_package(tmp_path: Path) -> None:
    path = tmp_path / "a.gimg"
    path.write_bytes(sample())
    with Image.open(path) as image:
        picture = gaussianimage.as_picture(image)
    assert (picture.height, picture.width, picture.channels) == (12, 16, 3)
