"""Results on the disk are whole or missing, and are never those of another setting."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gaussianimage.errors import FormatError
from gaussianimage.paper.datasets import Sample
from gaussianimage.paper.results import Record, Results, Setting

SETTING = Setting("represent", "cholesky-n5", {"model": "cholesky", "gaussians": 5})


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    Image.new("RGB", (4, 3), "red").save(tmp_path / "red.png")
    return Sample(tmp_path / "red.png")


@pytest.fixture
def results(tmp_path: Path, sample: Sample) -> Results:
    """Return a folder with one result, which has one file."""
    results = Results(tmp_path / "out")
    results.path(SETTING, sample, ".safetensors").write_bytes(b"model")
    results.save(SETTING, sample, make_record(sample))
    return results


def make_record(sample: Sample) -> Record:
    values = dict(SETTING.values)
    measured = {"psnr": 30.5, "ms_ssim": None}
    return Record(
        "represent",
        "other",
        "red",
        sample.digest,
        3,
        4,
        values,
        measured,
        files=["red.safetensors"],
    )


def test_a_result_is_found_again(results: Results, sample: Sample) -> None:
    assert results.find(SETTING, sample) == make_record(sample) == results.all()[0]


def test_another_setting_has_a_folder_of_its_own(results: Results, sample: Sample) -> None:
    other = dataclasses.replace(SETTING, values={"model": "cholesky", "gaussians": 6})
    assert other.folder != SETTING.folder
    assert SETTING.folder.parts[0] == "represent"
    assert results.find(other, sample) is None


def test_the_order_of_settings_does_not_matter(results: Results, sample: Sample) -> None:
    turned = dict(reversed(SETTING.values.items()))
    assert results.find(dataclasses.replace(SETTING, values=turned), sample) is not None


def test_other_pixels_of_the_same_name_have_no_result(results: Results, sample: Sample) -> None:
    Image.new("RGB", (4, 3), "blue").save(sample.path)
    assert results.find(SETTING, Sample(sample.path)) is None


def test_without_its_files_a_result_is_not_there(results: Results, sample: Sample) -> None:
    results.path(SETTING, sample, ".safetensors").unlink()
    assert results.find(SETTING, sample) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', "\xff"])
def test_what_is_no_result_counts_as_none_and_is_an_error_where_all_are_read(
    results: Results, sample: Sample, text: str
) -> None:
    path = results.path(SETTING, sample, ".json")
    path.write_bytes(text.encode("latin-1"))
    assert results.find(SETTING, sample) is None
    with pytest.raises(FormatError, match=r"red\.json: no result of gaussianimage paper"):
        results.all()


@pytest.mark.parametrize("broken", [{"measured": None}, {"settings": 3}, {"picture": ...}])
def test_a_result_with_parts_missing_is_an_error(
    results: Results, sample: Sample, broken: dict[str, Any]
) -> None:
    path = results.path(SETTING, sample, ".json")
    values = json.loads(path.read_text()) | broken
    kept = {key: value for key, value in values.items() if value is not ...}
    path.write_text(json.dumps(kept))
    with pytest.raises(FormatError, match=r"red\.json: "):
        results.all()


def test_a_result_that_cannot_be_written_leaves_the_old_one(
    results: Results, sample: Sample
) -> None:
    record = dataclasses.replace(make_record(sample), measured={"psnr": float("inf")})
    with pytest.raises(ValueError, match="JSON"):
        results.save(SETTING, sample, record)
    assert results.find(SETTING, sample) == make_record(sample)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Results(tmp_path / "missing").all()
