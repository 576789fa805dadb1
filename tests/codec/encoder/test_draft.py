import functools
from pathlib import Path

import numpy as np
import pytest

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.prepare import PreparedPicture, metadata_size
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.fitting.fit import fit
from gaussianimage.picture import Picture, as_picture

PARROT = as_picture(Path(__file__).parents[2] / "data" / "parrot.png")


def ignore(*_: object) -> None:
    pass


@functools.cache
def draft(picture: Picture = PARROT, step: float = 0.2) -> Draft:
    fitted = fit(PARROT, 150, iterations=60, energy=ENERGY)
    source = PreparedPicture.plain(picture)
    return FitQuantizer(source, fitted, effort_level(1), 1, ignore).quantize(step)


@pytest.mark.parametrize("most", [600, 300, 100, 60])
def test_a_draft_is_shortened_by_its_least_important_gaussians(most: int) -> None:
    shorter = draft().shortened(most)
    assert shorter.picture_bytes <= most
    assert shorter.gaussians < draft().gaussians
    assert decode(shorter.data).shape == (64, 96, 3)
    for kept, all_of_them in zip(shorter.layers, draft().layers, strict=False):
        count = len(kept.precision)
        assert (kept.position == all_of_them.position[:count]).all()


def test_nothing_is_shorter_than_a_file_without_gaussians() -> None:
    shortest = draft().shortened(1)
    assert shortest.gaussians == 0
    assert shortest.picture_bytes < 60


def test_the_same_layers_make_the_same_file() -> None:
    assert draft().with_layers(draft().layers).data == draft().data


@pytest.mark.parametrize("size", [1, 100, 20000])
def test_metadata_is_counted_to_the_byte(size: int) -> None:
    noise = np.random.default_rng(0).bytes(size)
    picture = Picture(PARROT.pixels, icc=noise, exif=b"II*" + noise, xmp=b"<x/>")
    plain, rich = draft(PARROT, 0.3), draft(picture, 0.3)
    assert metadata_size(rich.source.metadata) == len(rich.data) - len(plain.data)
    assert metadata_size(plain.source.metadata) == 0
    assert rich.picture_bytes == plain.picture_bytes
