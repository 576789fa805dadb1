"""Targets in Python on seeds and past findings, and those in C++ where they are built."""

import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from support import loop
from support.mutation import WORDS, mutate_file, read_raw, write_raw
from support.seeds import SEEDS

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
PROGRAMS = FUZZ.parent / "build" / "fuzz" / "address" / "fuzz"
GOLDEN = sorted((FUZZ.parent / "tests" / "data" / "v1").glob("*.gimg"))
NATIVE = sorted(path.stem for path in (FUZZ / "targets").glob("*.cpp"))
PYTHON = sorted(path.stem for path in (FUZZ / "targets").glob("*.py"))


def regressions(target: str) -> list[Path]:
    return sorted((FUZZ / "regressions" / target).glob("*"))


@pytest.mark.parametrize("name", PYTHON)
def test_a_target_passes_its_seeds_and_past_findings(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if name in ("checkpoints", "saved_models"):
        pytest.importorskip("torch", reason="needs PyTorch")
    if name.startswith("javascript") and shutil.which("node") is None:
        pytest.skip("Node is not installed")
    target = loop.load_target(name)
    seeds = target.seeds()
    assert seeds
    for data in [*seeds, *(path.read_bytes() for path in regressions(name))]:
        assert target.check(data)
    rng = random.Random(1)
    changed = [getattr(target, "mutate", mutate_file)(rng.choice(seeds), rng) for _ in range(20)]
    assert len(set(changed)) > 10
    for data in changed:
        target.check(data)
    getattr(target, "close", lambda: None)()


@pytest.mark.parametrize("name", NATIVE)
def test_a_program_passes_past_findings(name: str) -> None:
    program, found = PROGRAMS / name, regressions(name)
    if not program.exists():
        pytest.skip("not built: make sanitize")
    subprocess.run([program, *found, "-runs=0"], check=True, capture_output=True, timeout=60)


def test_every_target_in_c_plus_plus_has_seeds() -> None:
    assert sorted(SEEDS) == NATIVE
    for make in SEEDS.values():
        assert any(make())


def test_past_findings_belong_to_targets() -> None:
    folders = {path.name for path in (FUZZ / "regressions").iterdir() if path.is_dir()}
    assert folders <= {*NATIVE, *PYTHON}


def test_raw_chunks_make_the_same_file_again() -> None:
    for path in GOLDEN:
        assert write_raw(read_raw(path.read_bytes())) == path.read_bytes()


def test_changes_of_a_file_nearly_always_have_right_checksums() -> None:
    rng = random.Random(2)
    data = GOLDEN[0].read_bytes()
    changed = [mutate_file(data, rng) for _ in range(300)]
    right = [other for other in changed if other != data and write_raw(read_raw(other)) == other]
    assert len(right) > 200


def test_the_dictionary_has_the_signature_and_every_type_of_chunk() -> None:
    assert {b"\x8bGIMG\r\n\n", b"HEAD", b"LAYR", b"TILE", b"gRAN", b"GEND"} <= set(WORDS)
