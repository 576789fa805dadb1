"""Files of the paper's profile decode to the same Gaussians as ever, and to the same pixels.

What tests/codec/test_golden.py says holds here too: if a test fails, the code is wrong, not a
digest, and only those of pixels may ever be renewed.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import digest
from plain import paper

from gaussianimage.codec.decoder.decode import decode, decode_gaussians
from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.decoder.paper_record import decode_record
from gaussianimage.codec.paper_profile.chunks import PaperContent
from gaussianimage.codec.paper_profile.file import STREAMS, encode_record

FOLDER = Path(__file__).resolve().parents[2] / "data" / "v1" / "paper"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())

all_files = pytest.mark.parametrize("name", sorted(EXPECTED))


def content(name: str) -> bytes:
    return (FOLDER / f"{name}.gimg").read_bytes()


def test_all_kinds_of_files_are_here_and_unchanged() -> None:
    streams, quantizers, flags = set(), set(), set()
    for name, expected in EXPECTED.items():
        data = content(name)
        assert hashlib.sha256(data).hexdigest() == expected["file"]
        profile = parse_file(data).content
        assert isinstance(profile, PaperContent)
        streams.add(profile.stream)
        quantizers.add(min(profile.color_stages, 2))
        flags.add((profile.rotation, profile.offset, profile.half_pixel))
    assert streams == set(STREAMS)
    assert quantizers == {0, 1, 2}
    assert len(flags) == 4


@all_files
def test_fields_and_numbers_are_the_same_as_ever(name: str) -> None:
    expected, data = EXPECTED[name], content(name)
    record, gaussians = decode_record(data), decode_gaussians(data)
    assert len(record) == expected["gaussians"]
    assert digest(record.rows()) == expected["rows"]
    assert hashlib.sha256(record.side_information()).hexdigest() == expected["side_information"]
    for part in ("means", "covariance", "colors"):
        assert digest(getattr(gaussians, part)) == expected[part]


@all_files
def test_the_plain_decoder_gets_the_same_fields_as_ever(name: str) -> None:
    rows = np.array(paper.decode(content(name)).rows, np.uint16)
    if name.partition("+")[0] not in ("plain", "entropy"):
        rows = rows[np.lexsort(rows.T[::-1])]
    assert digest(rows) == EXPECTED[name]["rows"]


@all_files
@pytest.mark.usefixtures("_instruction_set")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_pixels_are_the_same_on_every_cpu(name: str, dtype: str, threads: int) -> None:
    pixels = decode(content(name), dtype=dtype, threads=threads)
    assert digest(pixels) == EXPECTED[name][dtype]


@all_files
def test_the_encoder_still_writes_the_same_file(name: str) -> None:
    # Not a promise, but a change that nobody meant would be seen here.
    data = content(name)
    stream, bit_depth = name.partition("+")[0], parse_file(data).header.bit_depth
    assert encode_record(decode_record(data), stream=stream, bit_depth=bit_depth) == data
