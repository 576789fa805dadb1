"""The command `info`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alpha_samples import ball
from paper_samples import paper_record

import gaussianimage
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.picture import Picture


def test_a_file_is_described_on_stdout(run: Any, gimg: Path, encoded: bytes) -> None:
    result = run("info", gimg)
    found = gaussianimage.info(encoded)
    assert result.stderr == ""
    first, second = result.stdout.splitlines()
    assert first == (
        f"{gimg}: 96 x 64, {found.gaussians} Gaussians, {found.bytes} B ({found.bpp:.3f} bpp)"
    )
    assert second == "  RGB, 8 bit, 1 layer, format version 1"


def test_stdin_is_described_too(run: Any, encoded: bytes) -> None:
    assert run("info", "-", stdin=encoded).stdout.startswith("stdin: 96 x 64, ")


def test_metadata_is_listed(run: Any, tmp_path: Path) -> None:
    pixels = np.full((3, 5, 2), 0.5, np.float32)
    picture = Picture(pixels, 16, icc=b"i" * 1234, xmp=b"x" * 56)
    (tmp_path / "x.gimg").write_bytes(gaussianimage.encode(picture, gaussians=2))
    text = run("info", tmp_path / "x.gimg").stdout
    assert "5 x 3" in text
    assert "gray + alpha, 16 bit" in text
    assert "  ICC profile 1.2 kB, XMP 56 B\n" in text


def test_verbose_lists_the_chunks(run: Any, gimg: Path, encoded: bytes) -> None:
    lines = run("info", "-v", gimg).stdout.splitlines()
    chunks = gaussianimage.info(encoded).chunks
    assert sum(line.startswith("  chunk ") for line in lines) == len(chunks)
    assert f"  chunk HEAD at byte {chunks[0].offset}, {chunks[0].size} B" in lines


def test_json_is_one_object_a_line(run: Any, gimg: Path, encoded: bytes) -> None:
    result = run("info", "--json", gimg, gimg)
    for line in result.stdout.splitlines():
        record = json.loads(line)
        assert record.pop("file") == str(gimg)
        assert record == json.loads(json.dumps(gaussianimage.info(encoded).as_dict()))
    assert len(result.stdout.splitlines()) == 2


def test_a_failure_does_not_stop_the_rest(run: Any, gimg: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.gimg"
    result = run("info", missing, gimg, code=1)
    assert "96 x 64" in result.stdout
    assert result.stderr.splitlines() == [
        f"gaussianimage: {missing}: No such file or directory",
        "gaussianimage: 1 of 2 failed",
    ]


def test_a_cut_file_is_described_and_counts_as_failed(run: Any, gimg: Path, encoded: bytes) -> None:
    gimg.write_bytes(encoded[:-20])
    result = run("info", "--json", gimg, code=1)
    assert json.loads(result.stdout)["complete"] is False
    (line,) = result.stderr.splitlines()
    assert "(at byte " in line


def test_what_is_no_file_fails(fails: Any, parrot: Path) -> None:
    assert "not a .gimg file" in fails("info", parrot)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "6-bit Cholesky, 2 codebooks of 8 colors, interleaved stream"),
        (
            {"rotation": True, "color": "uniform", "color_bits": 8},
            "6-bit scale-rotation, 8-bit colors, interleaved stream",
        ),
    ],
    ids=["vector", "uniform"],
)
def test_a_file_of_the_papers_codec_tells_its_quantizers(
    run: Any, tmp_path: Path, options: dict[str, Any], line: str
) -> None:
    path = tmp_path / "paper.gimg"
    path.write_bytes(encode_record(paper_record(9, **options), stream="interleaved"))
    lines = run("info", "-v", path).stdout.splitlines()
    assert lines[2] == f"  the paper's codec: {line}"
    assert [text.split()[1] for text in lines[3:]] == ["HEAD", "QUAN", "GAUS"]
    record = json.loads(run("info", "--json", path).stdout)
    assert record["color_step"] is None
    assert record["paper"]["stream"] == "interleaved"


def test_exact_alpha_is_told(run: Any, tmp_path: Path) -> None:
    data = gaussianimage.encode(ball(), effort=1)
    (tmp_path / "x.gimg").write_bytes(data)
    size = gaussianimage.info(data).alpha_map
    assert (
        f"  exact alpha where it is 0 or full, {size} B\n"
        in run("info", tmp_path / "x.gimg").stdout
    )
