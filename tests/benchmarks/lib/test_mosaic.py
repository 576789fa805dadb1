import numpy as np
import pytest
from lib.mosaic import FADE, Framed, Mosaic
from lib.terrain import Terrain

RNG = np.random.default_rng(0)
PHOTOS = [RNG.integers(0, 256, (150, 170, 3)).astype(np.uint8) for _ in range(3)]


@pytest.mark.parametrize(
    "picture",
    [Mosaic(PHOTOS, 400, 500), Terrain(400, 500), Framed(Terrain(211, 301), 400, 500)],
)
def test_rows_do_not_depend_on_how_they_are_asked_for(picture: Framed | Mosaic | Terrain) -> None:
    whole = picture[:]
    assert whole.shape == picture.shape == (400, 500, 3)
    assert whole.dtype == picture.dtype
    for step in (1, 7, 256):
        parts = [picture[top : min(top + step, 400)] for top in range(0, 400, step)]
        assert np.array_equal(np.concatenate(parts), whole)


def test_a_photo_fades_into_the_next() -> None:
    plain = [np.full((150, 170, 3), value, np.uint8) for value in (0, 200)]
    whole = Mosaic(plain, 400, 500)[:].astype(int)
    assert set(np.unique(whole[FADE:80, FADE:100])) <= {0, 200}
    assert np.abs(np.diff(whole, axis=0)).max() < 10
    assert np.abs(np.diff(whole, axis=1)).max() < 10


def test_terrain_has_detail_everywhere_and_depends_on_its_seed() -> None:
    whole = Terrain(512, 512)[:].astype(float)
    blocks = whole.reshape(16, 32, 16, 32, 3)
    assert blocks.std(axis=(1, 3)).max(axis=2).min() > 2
    assert not np.array_equal(Terrain(512, 512, seed=1)[:], whole)
    # A larger picture is the same country.
    assert np.array_equal(Terrain(600, 700)[:512][:, :512], whole)
