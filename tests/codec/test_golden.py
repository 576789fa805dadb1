"""Files of format versions that are out decode to the same Gaussians and pixels as ever.

The files in tests/data/v1/ are never made again, and every later version of the package must
decode them (docs/format.md, section 6). If a test here fails, old files no longer decode to what
they were, and the code is wrong, not a digest. Only the digests of pixels may ever be renewed, for
a better renderer that draws the same Gaussians.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import digest
from plain import gimg
from plain.appendix import PRIORS
from plain.layer import CONFIDENCE, SPLIT, Decoder

from gaussianimage import _native
from gaussianimage.codec.decoder.decode import decode, decode_gaussians
from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.format.container import LAYER

FOLDER = Path(__file__).resolve().parents[1] / "data" / "v1"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())

all_files = pytest.mark.parametrize("name", sorted(EXPECTED))


def content(name: str) -> bytes:
    return (FOLDER / f"{name}.gimg").read_bytes()


def test_all_kinds_of_files_are_here_and_unchanged() -> None:
    kinds = set()
    for name, expected in EXPECTED.items():
        data = content(name)
        assert hashlib.sha256(data).hexdigest() == expected["file"]
        header = parse_file(data).header
        kinds.add((header.channels, header.bit_depth, min(header.layers, 2)))
    assert {channels for channels, _, _ in kinds} == {1, 2, 3, 4}
    assert {depth for _, depth, _ in kinds} == {8, 16}
    assert {layers for _, _, layers in kinds} == {0, 1, 2}


def test_every_model_is_used() -> None:
    used = set()
    for name in EXPECTED:
        data = content(name)
        header = gimg.decode(data).header
        decoder = Decoder(gimg.quantizer(header), header.layers)
        for kind, payload in gimg.chunks(data):
            if kind == "LAYR":
                decoder.decode(payload, header.gaussians)
        used |= {row for row, model in enumerate(decoder.models) if model.seen > CONFIDENCE}
    # One Gaussian within the picture takes raw bits, not a split.
    assert set(range(len(PRIORS))) - used == {SPLIT}


@all_files
def test_the_plain_decoder_gets_the_same_gaussians_as_ever(name: str) -> None:
    expected = EXPECTED[name]
    numbers = gimg.decode(content(name)).numbers
    assert len(numbers) == expected["gaussians"]
    assert digest(np.array([n.mean for n in numbers], np.float64)) == expected["means"]
    assert digest(np.array([n.cholesky for n in numbers], np.float64)) == expected["cholesky"]
    assert digest(np.array([n.color for n in numbers], np.float32)) == expected["colors"]


@all_files
@pytest.mark.usefixtures("_instruction_set")
@pytest.mark.parametrize("threads", [1, 2])
def test_the_native_decoder_gets_the_same_gaussians_as_ever(name: str, threads: int) -> None:
    expected = EXPECTED[name]
    file = parse_file(content(name))
    header = file.header
    _, (means, cholesky, colors) = _native.decode_layers(
        file.layers.parameters.quantizer(header.height, header.width),
        [bytes(chunk.payload) for chunk in file.chunks if chunk.type == LAYER],
        header.layers,
        header.gaussians,
        threads,
    )
    assert len(means) == header.gaussians == expected["gaussians"]
    assert digest(means) == expected["means"]
    assert digest(cholesky) == expected["cholesky"]
    assert digest(colors) == expected["colors"]


@all_files
@pytest.mark.usefixtures("_instruction_set")
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_pixels_are_the_same_on_every_cpu(name: str, dtype: str, threads: int) -> None:
    pixels = decode(content(name), dtype=dtype, threads=threads)
    assert digest(pixels) == EXPECTED[name][dtype]


@all_files
def test_pixels_are_those_of_the_plain_decoder(name: str) -> None:
    file = gimg.decode(content(name))
    plain = file.pixels()
    dtype = np.uint16 if file.header.deep else np.uint8
    pixels = decode(content(name), dtype=dtype).reshape(plain.shape)
    most = 16 if file.header.deep else 1
    wrong = np.abs(pixels.astype(np.int64) - plain) > most
    # A pixel on a Gaussian's edge may be in it or out of it.
    assert wrong.any(axis=2).sum() <= 2


@all_files
def test_the_first_layers_are_a_picture_too(name: str) -> None:
    data = content(name)
    gaussians = decode_gaussians(data)
    layers = gimg.decode(data).layers
    for count in range(len(layers) + 1):
        first = decode_gaussians(data, layers=count)
        assert len(first) == 1 + sum(len(layer) for layer in layers[:count])
        assert first == gaussians[: len(first)]


def test_metadata_is_the_same_as_ever() -> None:
    metadata = parse_file(content("sixteen_bit")).metadata
    assert metadata.icc == bytes(range(256))
    assert metadata.exif == b"MM\0*\0\0\0\x08\0\0\0\0\0\0"
    assert metadata.xmp == b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
