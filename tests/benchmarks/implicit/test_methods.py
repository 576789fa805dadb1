import io

import pytest
from lib.rivals import RIVALS
from PIL import Image

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from implicit.methods import (
    Method,
    Settings,
    compress,
    compress_by_rival,
    coordinates,
    represent,
)
from implicit.siren import Siren

SMALL = Method("small", lambda height, width, generator: Siren(16, 2, generator), 1e-3)


def test_coordinates_are_pixel_centers_row_by_row():
    places = coordinates(2, 4, torch.device("cpu"))
    assert places[:5].tolist() == [
        [-0.75, -0.5],
        [-0.25, -0.5],
        [0.25, -0.5],
        [0.75, -0.5],
        [-0.75, 0.5],
    ]
    assert places.shape == (8, 2)


def test_a_representation_is_a_row_of_table_1(pixels):
    row = represent(pixels, SMALL, Settings(20, 512, timed=0))
    assert row["parameters"] == 371
    assert row["ms_ssim"] is None
    assert row["memory_kind"] == "process"
    assert min(row["seconds"], row["fps"], row["memory_mib"], row["psnr"]) > 0


@pytest.mark.parametrize("batch", [None, 100, 10**6])
def test_the_same_seed_gives_the_same_network(pixels, batch):
    rows = [represent(pixels, SMALL, Settings(5, batch, seed, timed=0)) for seed in (1, 1, 2)]
    assert rows[0]["psnr"] == rows[1]["psnr"] != rows[2]["psnr"]


def test_coin_is_measured_by_its_file(pixels):
    row = compress(pixels, 2, 16, Settings(20, 512, timed=0))
    assert row["bytes"] == 2 * 371 + 16
    assert row["bpp"] == 8 * row["bytes"] / (48 * 64)
    assert row["encode_fps"] < row["decode_fps"]


@pytest.mark.parametrize("key", ["jpeg", "jpeg2000"])
def test_a_rival_is_measured_at_about_the_rate(pixels, key):
    rival = next(rival for rival in RIVALS if rival.key == key)
    if not rival.available:
        pytest.skip(f"this Pillow has no {rival.name}")
    row = compress_by_rival(pixels, rival, 4.0, Settings(timed=0))
    assert 3.5 < row["bpp"] < 5
    lower = compress_by_rival(pixels, rival, 3.0, Settings(timed=0))
    assert lower["psnr"] < row["psnr"]


def test_beyond_a_rival_s_dial_its_end_is_taken(pixels):
    jpeg = next(rival for rival in RIVALS if rival.key == "jpeg")
    best = io.BytesIO()
    Image.fromarray(pixels).save(best, "JPEG", **jpeg.save(100))
    assert compress_by_rival(pixels, jpeg, 1e3, Settings(timed=0))["bytes"] == len(best.getvalue())
