"""The decoder in JavaScript against the golden files, the plain decoder and the native one."""

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain import gimg
from samples import levels, make_file, sample, with_a_changed_payload

import gaussianimage
from gaussianimage.codec.decoder.decode import decode_gaussians
from gaussianimage.codec.format.container import Chunk, read_chunks, write_chunks
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.errors import FormatError, GaussianImageError, LimitError

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/data/v1"
EXPECTED: dict[str, dict[str, Any]] = json.loads((GOLDEN / "expected.json").read_text())

Report = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]


def digest(values: Any, dtype: str) -> str:
    return hashlib.sha256(np.array(values, dtype).tobytes()).hexdigest()


def written(folder: Path, files: Sequence[bytes]) -> list[Path]:
    paths = [folder / f"{i}.gimg" for i in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return paths


def assert_like_plain(found: dict[str, Any], data: bytes) -> None:
    plain = gimg.decode(data)
    header = plain.header
    assert found["header"] == {
        "height": header.height,
        "width": header.width,
        "channels": header.channels,
        "deep": header.deep,
        "gaussians": header.gaussians,
        "layers": header.layers,
        "qMax": header.q_max,
        "work": header.work,
        "colorIndex": header.color_index,
        "shapeIndex": header.shape_index,
        "background": header.background,
    }
    assert len(found["levels"]) == len(plain.layers)
    for layer, mine in zip(plain.layers, found["levels"], strict=True):
        assert mine["classes"] == [g.precision for g in layer]
        assert mine["x"] == [g.x for g in layer]
        assert mine["y"] == [g.y for g in layer]
        assert mine["colors"] == [level for g in layer for level in g.color]
        assert mine["shapes"] == [level for g in layer for level in g.shape]
    assert found["means"] == digest([n.mean for n in plain.numbers], "<f8")
    assert found["cholesky"] == digest([n.cholesky for n in plain.numbers], "<f8")
    assert found["colors"] == digest([n.color for n in plain.numbers], "<f4")
    assert found["metadata"] == {kind: data.hex() for kind, data in plain.metadata.items()}
    levels = None if plain.grain is None else list(plain.grain.levels.values())
    assert found["grain"] == (None if levels is None else digest(levels, "u1"))
    assert found["alpha"] == (None if plain.alpha is None else digest(plain.alpha, "u1"))


def test_golden_files_decode_to_the_same_integers_and_numbers_as_ever(report: Report) -> None:
    requests = [{"file": GOLDEN / f"{name}.gimg", "options": {"levels": True}} for name in EXPECTED]
    for (name, expected), found in zip(EXPECTED.items(), report(requests), strict=True):
        assert found["count"] == expected["gaussians"]
        assert len(found["layers"]) == expected["layers"]
        for field in ("means", "cholesky", "colors"):
            assert found[field] == expected[field], name
        assert_like_plain(found, (GOLDEN / f"{name}.gimg").read_bytes())


def test_files_decode_to_the_integers_that_were_encoded(report: Report, tmp_path: Path) -> None:
    counts = [(), (1,), (13,), (200,), (5, 10, 20, 40), (30,) * 6, (900,)]
    files = [
        make_file([levels(seed, count, channels) for seed, count in enumerate(layer)], channels)
        for layer in counts
        for channels in (1, 2, 3, 4)
    ]
    files += [sample(metadata=Metadata(icc=b"profile" * 100, exif=b"MM\0*", xmp="é".encode()))]
    paths = written(tmp_path, files)
    found = report([{"file": path, "options": {"levels": True}} for path in paths])
    for mine, data in zip(found, files, strict=True):
        assert_like_plain(mine, data)


def test_a_file_may_come_in_pieces(report: Report) -> None:
    path = GOLDEN / "layers.gimg"
    whole, *pieces = report([{"file": path, "pieces": size} for size in (0, 1, 7, 1000)])
    ends = [layer["gaussians"] for layer in whole["layers"]]
    assert len(ends) == 3
    assert whole["layers"][-1]["bytes"] == path.stat().st_size - 9
    for found in pieces:
        assert {**found, "grew": None} == whole
    assert pieces[0]["grew"] == [0, *ends]


# Damage -------------------------------------------------------------------------------------


def test_both_decoders_refuse_the_same_files(report: Report, tmp_path: Path) -> None:
    rng = random.Random(7)
    originals = [
        sample([rng.randint(1, 12) for _ in range(rng.randint(0, 3))], channels)
        for channels in (1, 2, 3, 4)
    ]
    originals += [(GOLDEN / f"{name}.gimg").read_bytes() for name in ("cut_out", "sixteen_bit")]
    files = [with_a_changed_payload(data, rng) for data in originals for _ in range(60)]
    found = report([{"file": path} for path in written(tmp_path, files)])
    accepted = 0
    for data, mine in zip(files, found, strict=True):
        assert "crash" not in mine
        try:
            gaussianimage.decode(data)  # reads the map of alpha, too
            native = decode_gaussians(data)
        except LimitError:
            continue
        except GaussianImageError:
            assert "error" in mine
        else:
            if mine.get("error") != "limit":  # the limits of this decoder are lower
                accepted += 1
                assert mine["count"] == len(native) - 1
                assert mine["means"] == digest(native.means[1:], "<f8")
    assert accepted > 10


def test_any_cut_and_any_flipped_bit_is_refused(report: Report, tmp_path: Path) -> None:
    data = sample((2,))
    files = [data[:end] for end in range(len(data))]
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        files.append(bytes(changed))
    files.append(data + b"\0")
    found = report([{"file": path} for path in written(tmp_path, files)])
    assert {mine.get("error") for mine in found[: len(data)]} == {"truncated"}
    assert {mine.get("error") for mine in found[len(data) :]} <= {"format", "truncated", "limit"}


def test_a_cut_file_gives_its_whole_layers_if_asked(report: Report, tmp_path: Path) -> None:
    data = (GOLDEN / "layers.gimg").read_bytes()
    (whole,) = report([{"file": GOLDEN / "layers.gimg"}])
    ends = [layer["bytes"] for layer in whole["layers"]]
    damaged = bytearray(data)
    damaged[ends[1] + 20] ^= 1
    files = [data[: ends[0]], data[: ends[1] + 5], data[:-1], bytes(damaged), data[:20]]
    paths = written(tmp_path, files)
    found = report([{"file": path, "options": {"partial": True}} for path in paths])
    assert [mine.get("damage") for mine in found] == ["truncated"] * 3 + ["format", None]
    assert [len(mine.get("layers", [])) for mine in found] == [1, 2, 3, 2, 0]
    assert found[4]["error"] == "truncated"
    assert found[0]["means"] == digest(decode_gaussians(data, layers=1).means[1:], "<f8")


def test_unknown_chunks_are_skipped_if_ancillary_and_refused_if_critical(
    report: Report, tmp_path: Path
) -> None:
    chunks = read_chunks((GOLDEN / "rgb.gimg").read_bytes())
    (rgb,) = report([{"file": GOLDEN / "rgb.gimg"}])
    newer = bytearray(chunks[0].payload)
    newer[:2] = bytes([3, 2])
    files = [
        write_chunks([*chunks, Chunk(b"gRA1", b"later")]),
        write_chunks([chunks[0], Chunk(b"zzzz".upper().replace(b"Z", b"z", 1), b""), *chunks[1:]]),
        write_chunks([*chunks, Chunk(b"TILE", b"later")]),
        write_chunks([Chunk(b"HEAD", bytes(newer)), *chunks[1:]]),
        (GOLDEN / "paper/plain.gimg").read_bytes(),
        b"\xff\xd8\xff\xe0 a JPEG",
        b"",
    ]
    found = report([{"file": path} for path in written(tmp_path, files)])
    assert found[0]["means"] == found[1]["means"] == rgb["means"]
    kinds = ["format", "unsupported", "unsupported", "format", "truncated"]
    assert [mine["error"] for mine in found[2:]] == kinds
    assert "TILE" in found[2]["message"]
    assert "version 2" in found[3]["message"]
    assert "paper" in found[4]["message"]
    assert found[5]["message"] == "this is not a .gimg file"


def test_metadata_that_does_not_decompress_is_an_error(report: Report, tmp_path: Path) -> None:
    data = sample((2,), metadata=Metadata(icc=b"profile" * 20))
    chunks = read_chunks(data)
    icc = next(chunk for chunk in chunks if chunk.type == b"iCCP")
    payload = bytes(icc.payload)

    def with_icc(changed: bytes) -> bytes:
        return write_chunks([Chunk(c.type, changed) if c is icc else c for c in chunks])

    files = [
        with_icc(payload + b"\0"),
        with_icc(payload[:-1]),
        with_icc(bytes([payload[0] ^ 1]) + payload[1:]),
        with_icc(b"\xff\xff\xff\x07" + payload[2:]),
        write_chunks([*chunks, icc]),
    ]
    for data in files:
        with pytest.raises(FormatError):
            gaussianimage.decode(data)
    found = report([{"file": path} for path in written(tmp_path, files)])
    assert [mine.get("error") for mine in found] == ["format"] * 5


def test_limits_refuse_large_files(report: Report) -> None:
    limits = {"maxPixels": 6000, "maxSide": 50, "maxGaussians": 10, "maxWork": 100, "maxBytes": 99}
    requests = [
        {"file": GOLDEN / "rgb.gimg", "options": {"limits": {name: value}}}
        for name, value in limits.items()
    ]
    found = report(requests)
    assert [mine["error"] for mine in found] == ["limit"] * 5
    assert all(name in mine["message"] for name, mine in zip(limits, found[:4], strict=False))


# The sources --------------------------------------------------------------------------------


def test_the_tables_are_those_of_the_document() -> None:
    command = [sys.executable, str(ROOT / "tools/web_tables.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0
