"""Tiled files of format versions that are out decode to the same Gaussians and pixels as ever.

As in tests/codec/test_golden.py, the files are never made again; only the digests of pixels may be
renewed, for a better renderer that draws the same Gaussians.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import digest
from plain import tiles as plain

from gaussianimage.codec.decoder.decode import decode, decode_gaussians

FOLDER = Path(__file__).resolve().parents[2] / "data" / "v1" / "tiled"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())

all_files = pytest.mark.parametrize("name", sorted(EXPECTED))


def content(name: str) -> bytes:
    return (FOLDER / f"{name}.gimg").read_bytes()


@all_files
def test_the_plain_decoder_gets_the_same_gaussians_as_ever(name: str) -> None:
    expected = EXPECTED[name]
    data = content(name)
    assert hashlib.sha256(data).hexdigest() == expected["file"]
    file = plain.decode(data)
    assert len(file.tiles) == expected["tiles"]
    numbers = file.numbers()
    assert len(numbers) == expected["gaussians"]
    assert digest(np.array([n.mean for n in numbers], np.float64)) == expected["means"]
    assert digest(np.array([n.cholesky for n in numbers], np.float64)) == expected["cholesky"]
    assert digest(np.array([n.color for n in numbers], np.float32)) == expected["colors"]


@all_files
def test_the_native_decoder_gets_the_same_gaussians_as_ever(name: str) -> None:
    expected = EXPECTED[name]
    gaussians = decode_gaussians(content(name))[1:]  # without the background
    assert len(gaussians) == expected["gaussians"]
    assert digest(gaussians.means) == expected["means"]
    assert digest(gaussians.colors.astype(np.float32)) == expected["colors"]


@all_files
@pytest.mark.usefixtures("_instruction_set")
@pytest.mark.parametrize("threads", [1, 3])
def test_pixels_are_the_same_on_every_cpu(name: str, threads: int) -> None:
    data = content(name)
    for key, expected in EXPECTED[name]["pixels"].items():
        dtype, _, size = key.partition(" ")
        wanted = (
            None if size == "None" else tuple(json.loads(size.replace("(", "[").replace(")", "]")))
        )
        assert digest(decode(data, size=wanted, dtype=dtype, threads=threads)) == expected
