import xml.etree.ElementTree as ET

import numpy as np
import pytest

from gaussianimage.deepzoom.pyramid import Pyramid


@pytest.mark.parametrize(
    ("size", "levels"), [((1, 1), 1), ((2, 1), 2), ((1024, 700), 11), ((1025, 3), 12)]
)
def test_level_0_is_a_pixel_and_the_last_one_the_picture(
    size: tuple[int, int], levels: int
) -> None:
    pyramid = Pyramid(*size)
    assert pyramid.levels == levels
    assert pyramid.size(0) == (1, 1)
    assert pyramid.size(levels - 1) == size
    for level in range(levels - 1):
        finer = pyramid.size(level + 1)
        assert pyramid.size(level) == tuple(-(-side // 2) for side in finer)


@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_tiles_cover_a_level_and_reach_into_their_neighbors(overlap: int) -> None:
    pyramid = Pyramid(100, 75, tile=32, overlap=overlap)
    level = pyramid.levels - 1
    assert pyramid.shape(level) == (4, 3)
    seen = np.zeros((100, 75), int)
    for row in range(4):
        for column in range(3):
            top, left, height, width = pyramid.box(level, column, row)
            assert top == max(0, 32 * row - overlap)
            assert left + width == min(75, 32 * (column + 1) + overlap)
            seen[top : top + height, left : left + width] += 1
    assert seen.min() == 1
    assert (seen > 1).any() == (overlap > 0)


@pytest.mark.parametrize("place", [(7, 0, 4), (7, 3, 0), (8, 0, 0), (-1, 0, 0), (7, -1, 0)])
def test_there_is_no_tile_elsewhere(place: tuple[int, int, int]) -> None:
    with pytest.raises(KeyError):
        Pyramid(100, 75, tile=32).box(*place)


def test_the_xml_is_what_viewers_read() -> None:
    root = ET.fromstring(Pyramid(100, 75, tile=32, overlap=2).to_xml("webp"))
    space = "{http://schemas.microsoft.com/deepzoom/2008}"
    assert root.tag == f"{space}Image"
    assert root.attrib == {"Format": "webp", "Overlap": "2", "TileSize": "32"}
    size = root.find(f"{space}Size")
    assert size is not None
    assert size.attrib == {"Width": "75", "Height": "100"}
