"""The command `bench`: its report, but no times."""

import json
import re
from pathlib import Path
from typing import Any

import gaussianimage
from gaussianimage.cli.bench import Timing

SPEED = r"[\d.]+(e[+-]\d+)? MP/s"


def test_a_file_is_decoded(run: Any, gimg: Path) -> None:
    result = run("bench", gimg, "-r", 3, "-t", 1)
    head, decode = result.stdout.splitlines()
    assert head.startswith(f"{gimg}: 96 x 64, ")
    pattern = rf"  decode  {SPEED} \[[\d.]+, [\d.]+\], [\d.]+ ms, 3 reps, 1 thread"
    assert re.fullmatch(pattern, decode)
    assert result.stderr == ""


def test_a_picture_is_encoded_and_decoded(run: Any, parrot: Path) -> None:
    lines = run("bench", parrot, "-r", 1, "-n", 40, "-t", 2).stdout.splitlines()
    assert re.fullmatch(rf"  encode  {SPEED}, [\d.]+ m?s, 1 rep, 2 threads", lines[1])
    assert re.fullmatch(rf"  decode  {SPEED}, [\d.]+ ms, 1 rep, 2 threads", lines[2])


def test_stdin_is_a_file_or_a_picture(run: Any, parrot: Path, encoded: bytes) -> None:
    for data in (parrot.read_bytes(), encoded):
        result = run("bench", "-", "-r", 1, "-n", 40, stdin=data)
        assert result.stdout.startswith("stdin: 96 x 64, ")


def test_json_holds_every_repetition(run: Any, parrot: Path, gimg: Path) -> None:
    result = run("bench", gimg, parrot, "-r", 3, "-n", 40, "-e", 2, "--json")
    decoded, encoded = (json.loads(line) for line in result.stdout.splitlines())
    assert decoded["encode"] is None
    assert len(encoded["encode"]["seconds"]) == 1
    assert len(encoded["decode"]["seconds"]) == 3
    assert encoded["bytes"] == len(gaussianimage.encode(parrot, gaussians=40, effort=2))


def test_a_folder_is_decoded_as_a_whole(run: Any, gimg: Path) -> None:
    (gimg.parent / "other.gimg").write_bytes(gimg.read_bytes())
    (gimg.parent / "notes.txt").write_text("not a picture")
    head, decode = run("bench", gimg.parent, "-r", 3, "-t", 2).stdout.splitlines()
    assert head == f"{gimg.parent}: 2 files, 0.0 megapixels"
    number = r"[\d.]+(e[+-]\d+)?"
    pattern = (
        rf"  decode  {number} frames/s \[{number}, {number}\], {SPEED} \[{number}, {number}\], "
        r"[\d.]+ ms, 3 reps, 2 threads"
    )
    assert re.fullmatch(pattern, decode)
    record = json.loads(run("bench", gimg.parent, "-r", 2, "--json").stdout)
    assert (record["files"], record["pixels"]) == (2, 2 * 96 * 64)
    assert record["bytes"] == 2 * gimg.stat().st_size
    assert len(record["decode"]["seconds"]) == 2


def test_a_folder_without_files_fails(fails: Any, tmp_path: Path) -> None:
    assert fails("bench", tmp_path).endswith("there are no .gimg files in this folder")


def test_a_broken_file_in_a_folder_is_named(fails: Any, gimg: Path) -> None:
    gimg.write_bytes(gimg.read_bytes()[:-4])
    assert gimg.name in fails("bench", gimg.parent)


def test_speeds_are_megapixels_a_second() -> None:
    speed = Timing([1.0, 2.0, 4.0], 8_000_000).as_dict()
    assert (speed["mps_min"], speed["mps_median"], speed["mps_max"]) == (2, 4, 8)
    speed = Timing([1.0, 2.0, 4.0], 8_000_000, 8).as_dict()
    assert (speed["fps_min"], speed["fps_median"], speed["fps_max"]) == (2, 4, 8)
    assert Timing([0.25], 10).text() == "4e-05 MP/s, 250 ms, 1 rep"


def test_a_failure_does_not_stop_the_rest(run: Any, gimg: Path, tmp_path: Path) -> None:
    result = run("bench", tmp_path / "missing.gimg", gimg, "-r", 1, code=1)
    assert "decode" in result.stdout
    assert "1 of 2 failed" in result.stderr
