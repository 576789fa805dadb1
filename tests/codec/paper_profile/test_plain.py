"""The decoder of the paper's profile against the plain one, which follows docs/format.md."""

import random
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_samples import paper_record
from plain import paper
from plain.appendix import TEXT
from plain.varint import InvalidError
from samples import with_a_changed_payload

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.paper_record import decode_record
from gaussianimage.codec.format.container import read_chunks
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.paper_profile.file import STREAMS, encode_record
from gaussianimage.errors import GaussianImageError, LimitError

options = st.fixed_dictionaries(
    {
        "shape_bits": st.integers(1, 12),
        "color_bits": st.integers(1, 8),
        "color": st.sampled_from(["vector", "uniform"]),
        "stages": st.integers(1, 3),
        "channels": st.integers(1, 4),
        "repeats": st.booleans(),
        "rotation": st.booleans(),
        "offset": st.booleans(),
        "half_pixel": st.booleans(),
        "angle": st.booleans(),
    }
)


def assert_same(data: bytes) -> paper.File:
    """Both decoders get the same fields and numbers."""
    plain, record = paper.decode(data), decode_record(data)
    in_order = plain.quantizers.stream // 2 == 0
    rows = np.array(plain.rows).reshape(-1, record.rows().shape[1])
    order = np.arange(len(rows)) if in_order else np.lexsort(rows.T[::-1])
    assert rows[order].tolist() == record.rows().tolist()
    gaussians = record.gaussians()
    if len(rows) == 0:
        return plain
    numbers = [plain.numbers[i] for i in order]
    means, factors, colors = (np.array([n[part] for n in numbers]) for part in range(3))
    assert np.allclose(means, gaussians.means, rtol=0, atol=1e-9)
    assert np.array_equal(colors, gaussians.colors)
    # Of very thin ones the factor hangs on rounding, the covariance doesn't.
    drawn = gaussians.drawable()
    l11, l21, l22 = factors[drawn].T
    covariance = np.stack((l11 * l11, l11 * l21, l21 * l21 + l22 * l22), axis=1)
    assert np.allclose(covariance, gaussians.covariance[drawn], rtol=1e-6, atol=1e-9)
    return plain


@settings(max_examples=60)
@given(st.integers(0, 40), st.integers(0, 2**32), st.sampled_from(STREAMS), options)
def test_files_of_all_kinds_decode_the_same(
    count: int, seed: int, stream: str, chosen: dict[str, Any]
) -> None:
    assert_same(encode_record(paper_record(count, seed, **chosen), stream=stream))


@pytest.mark.parametrize("stream", STREAMS)
def test_a_usual_number_of_gaussians_decodes_the_same(stream: str) -> None:
    record = paper_record(1200, height=512, width=768, repeats=stream.startswith("entropy"))
    assert_same(encode_record(record, stream=stream))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bit_depth", [8, 16])
def test_pixels_are_those_of_the_document(channels: int, bit_depth: int) -> None:
    data = encode_record(paper_record(30, channels=channels), bit_depth=bit_depth)
    plain = paper.decode(data).pixels()
    found = decode(data, dtype=np.uint16 if bit_depth == 16 else np.uint8).astype(np.int64)
    assert np.abs(found.reshape(plain.shape) - plain).max() <= (16 if bit_depth == 16 else 1)


def test_the_example_in_the_document_is_right() -> None:
    section = TEXT.split("\n### 7.5 An example\n")[1].split("\n## ")[0]
    lines = re.findall(r"^(?:[0-9a-f]{2} )*[0-9a-f]{2}$", section, re.MULTILINE)
    data = bytes.fromhex(" ".join(lines))
    assert f"A file of {len(data)} bytes" in section
    file = assert_same(data)
    rows = {
        "fields": [", ".join(map(str, row)) for row in file.rows],
        "x, y before the tanh": [f"{paper.half(r[0])}, {paper.half(r[1])}" for r in file.rows],
        "mean": [f"{n.mean[0]:.6f}, {n.mean[1]:.6f}" for n in file.numbers],
        "l11, l21, l22": [", ".join(map(str, n.cholesky)) for n in file.numbers],
        "color": [str(n.color[0]) for n in file.numbers],
    }
    for name, cells in rows.items():
        assert f"| {name} | {' | '.join(cells)} |".replace("-", "−") in section
    pixels = ", ".join(map(str, file.pixels()[2, :, 0].tolist()))
    assert f"third row of the picture is {pixels}." in section
    assert decode(data).tolist() == file.pixels()[..., 0].tolist()


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from(STREAMS), options)
def test_both_decoders_refuse_the_same_files(
    seed: int, stream: str, chosen: dict[str, Any]
) -> None:
    rng = random.Random(seed)
    metadata = Metadata(icc=b"profile" * 20) if rng.random() < 0.3 else Metadata()
    chosen = chosen | {"shape_bits": chosen["shape_bits"] % 4 + 1, "rotation": False}
    record = paper_record(rng.randint(0, 12), seed, **chosen)
    data = encode_record(record, stream=stream, metadata=metadata)
    for _ in range(25):
        bad = with_a_changed_payload(data, rng)
        quantizers = next(chunk for chunk in read_chunks(bad) if chunk.type == b"QUAN")
        if bytes(quantizers.payload)[1:2] in (b"\1", b"\3", b"\5", b"\7"):
            continue  # at a scale of 0 rounding decides whether a rotated one is drawn, and counts
        try:
            decode(bad)
        except LimitError:
            pass  # the plain decoder has no limits
        except GaussianImageError:
            with pytest.raises(InvalidError):
                paper.decode(bad)
        else:
            assert_same(bad)
