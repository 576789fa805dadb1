import io

import numpy as np
import pytest
from PIL import Image

from gaussianimage import picture
from gaussianimage.errors import PictureWarning


def several(name, count, **options):
    frames = [Image.fromarray(np.full((8, 8, 3), 250 - 9 * i, np.uint8)) for i in range(count)]
    file = io.BytesIO()
    frames[0].save(file, name, save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("TIFF", "pages"),
        ("GIF", "frames"),
        ("PNG", "frames"),
        ("WEBP", "frames"),
        ("AVIF", "frames"),
    ],
)
def test_several_pages_or_frames_are_told_with_their_number(name, what):
    with pytest.warns(PictureWarning, match=f"the file has 5 {what}; the first is read"):
        result = picture.read(several(name, 5))
    np.testing.assert_allclose(result.pixels, 250 / 255, atol=0.02)


@pytest.mark.parametrize("name", ["TIFF", "GIF", "PNG", "WEBP", "AVIF", "MPO"])
def test_of_one_picture_there_is_nothing_to_tell(name, recwarn):
    picture.read(several(name, 1))
    assert not [w for w in recwarn if w.category is PictureWarning]


def test_a_photo_with_its_depth_is_one_picture(recwarn):
    picture.read(several("MPO", 2))
    assert not [w for w in recwarn if w.category is PictureWarning]


def test_local_palettes_and_extensions_of_a_gif_are_no_frames():
    frames = [
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (9, 9, 3), np.uint8))
        for i in range(3)
    ]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], comment=b"x" * 700)
    with pytest.warns(PictureWarning, match="3 frames"):
        picture.read(file.getvalue())


def test_frames_without_number_are_not_counted_to_the_end():
    data = several("GIF", 1)
    start = data.index(b",", 13)
    frame = data[start:-1]
    with pytest.warns(PictureWarning, match="more than 10,000 frames"):
        picture.read(data[:-1] + 10_001 * frame + b";")
