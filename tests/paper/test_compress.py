"""Files of the paper's codec: rates from the files, and no work done twice."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import gaussianimage
from gaussianimage import FormatError
from gaussianimage.codec.decoder.paper_record import decode_record
from gaussianimage.codec.paper_profile.stream import STREAMS
from gaussianimage.metrics import psnr
from gaussianimage.paper import compress as module
from gaussianimage.paper.checkpoints import load_quantized
from gaussianimage.paper.compress import CompressSettings, compress
from gaussianimage.paper.datasets import Dataset, Sample
from gaussianimage.paper.quantized_model import VARIANTS, QuantizerSettings
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.released_code import RELEASED
from gaussianimage.paper.represent import Job, represent
from gaussianimage.paper.results import Results
from gaussianimage.paper.settings import FitSettings
from gaussianimage.paper.tables.published import QUANTIZATION

PARROT = Path(__file__).parent.parent / "data" / "parrot.png"
RECIPE = Recipe(iterations=8, learning_rate=0.03)
SETTINGS = CompressSettings(FitSettings(60, recipe=RECIPE), RECIPE)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    sample = Sample(PARROT)
    return Job(sample, Dataset("other", (sample,)), Results(tmp_path / "out"), timed=0)


def read_files(job: Job, settings: CompressSettings = SETTINGS) -> dict[str, bytes]:
    paths = {s: job.results.path(settings.setting, job.sample, f".{s}.gimg") for s in STREAMS}
    return {stream: path.read_bytes() for stream, path in paths.items()}


def test_rates_are_counted_from_the_files(job: Job) -> None:
    record = compress(job, SETTINGS)
    files = read_files(job)
    assert record.measured["bytes"] == {stream: len(data) for stream, data in files.items()}
    assert record.measured["bpp"]["plain"] == 8 * len(files["plain"]) / (64 * 96)
    assert record.measured["formula_bpp"] == (56 * 60 + 1728) / (64 * 96)
    overhead = len(files["plain"]) - (56 * 60 + 1728) / 8
    assert 0 < overhead < 100
    assert len(files["interleaved"]) < len(files["plain"])


def test_every_file_holds_the_same_gaussians_and_the_quality_is_of_the_file(job: Job) -> None:
    record = compress(job, SETTINGS)
    files = read_files(job)
    decoded = gaussianimage.decode(files["plain"])
    assert record.measured["psnr"] == psnr(job.sample.pixels, decoded)
    assert record.measured["psnr_float"] == pytest.approx(record.measured["psnr"], abs=0.1)
    expected = decode_record(files["plain"]).canonical()
    assert all(decode_record(data).canonical() == expected for data in files.values())


def test_the_fit_is_kept_and_taken_again(job: Job, monkeypatch: Any) -> None:
    compress(job, SETTINGS)
    kinds = sorted(record.kind for record in job.results.all())
    assert kinds == ["compress", "represent"]
    fitted = represent(job, SETTINGS.fit)
    monkeypatch.setattr("gaussianimage.paper.represent.train", None)
    other = dataclasses.replace(SETTINGS, quantizer=VARIANTS["v2"])
    record = compress(job, other)
    assert record.measured["encode_seconds"] > fitted.measured["seconds"]
    assert len(job.results.all()) == 3


def test_what_is_there_is_not_done_again(job: Job, monkeypatch: Any) -> None:
    record = compress(job, SETTINGS)
    monkeypatch.setattr(module, "fine_tune", None)
    assert compress(job, SETTINGS) == record
    job.results.path(SETTINGS.setting, job.sample, ".entropy.gimg").unlink()
    with pytest.raises(TypeError):
        compress(job, SETTINGS)


def test_a_run_cut_short_in_fine_tuning_keeps_the_fit(job: Job) -> None:
    def stop(progress: Any) -> None:
        if progress.stage == "quantize":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress(dataclasses.replace(job, progress=stop), SETTINGS)
    assert job.results.find(SETTINGS.setting, job.sample) is None
    assert job.results.find(SETTINGS.fit.setting, job.sample) is not None
    assert compress(job, SETTINGS).kind == "compress"


def test_fine_tuning_brings_the_picture_closer(job: Job) -> None:
    rounded = dataclasses.replace(SETTINGS, fine_tuning=Recipe(iterations=0))
    before = compress(job, rounded).measured["psnr_float"]
    assert compress(job, SETTINGS).measured["psnr_float"] > before


def test_scales_and_rotations_are_compressed_too(job: Job) -> None:
    settings = dataclasses.replace(SETTINGS, fit=dataclasses.replace(SETTINGS.fit, model="rs"))
    compress(job, settings)
    assert decode_record(read_files(job, settings)["plain"]).rotation
    assert np.all(gaussianimage.decode_gaussians(read_files(job, settings)["plain"]).drawable)


@pytest.mark.parametrize("model", ["opacity", "alpha", "3dgs"])
def test_the_codec_takes_no_other_models(model: str) -> None:
    with pytest.raises(ValueError, match=r"^model: expected cholesky or rs for the codec, got"):
        CompressSettings(FitSettings(5, model), RECIPE)


def test_folders_say_how_colors_are_quantized() -> None:
    names = [
        dataclasses.replace(SETTINGS, quantizer=quantizer).setting.folder.name
        for quantizer in (*VARIANTS.values(), QuantizerSettings(covariance_bits=5))
    ]
    assert [name.rsplit("-", 1)[0] for name in names] == [
        "cholesky-n60-rvq-i8",
        "cholesky-n60-rvq-no-commitment-i8",
        "cholesky-n60-int6-i8",
        "cholesky-n60-int8-i8",
        "cholesky-n60-rvq-i8",
    ]
    assert len(set(names)) == 5


def test_the_rows_of_table_4_are_the_codec_s_variants() -> None:
    for line, variant in zip(QUANTIZATION, VARIANTS.values(), strict=True):
        assert (line.color, line.color_bits) == (variant.color, variant.color_bits)
        assert line.commitment == variant.commitment


def test_a_damaged_fit_is_named_with_the_way_out(job: Job) -> None:
    represent(job, SETTINGS.fit)
    fit = job.results.path(SETTINGS.fit.setting, job.sample, ".safetensors")
    fit.write_bytes(fit.read_bytes()[:700])
    with pytest.raises(FormatError, match=r"/parrot\.safetensors: .*; delete the file to repeat"):
        compress(job, SETTINGS)
    fit.unlink()
    assert compress(job, SETTINGS).measured["psnr"] > 0


def test_the_angle_of_the_released_code_is_another_setting(job: Job) -> None:
    fit = replace(SETTINGS.fit, model="rs")
    plain = replace(SETTINGS, fit=fit)
    angle = replace(plain, quantizer=QuantizerSettings(angle=True))
    assert "angle" not in plain.setting.values
    assert plain.setting.folder != angle.setting.folder
    compress(job, angle)
    record = decode_record(read_files(job, angle)["plain"])
    assert record.angle
    path = job.results.path(angle.setting, job.sample, ".quantized.safetensors")
    assert load_quantized(path).record() == record


def test_the_released_code_is_followed_and_goes_on_where_it_stopped(job: Job) -> None:
    quantizer = QuantizerSettings(scaling=False, revive=False)
    released = replace(SETTINGS, fit=replace(SETTINGS.fit, released=RELEASED), quantizer=quantizer)
    assert released.setting.folder != replace(SETTINGS, quantizer=quantizer).setting.folder
    record = compress(job, released)
    assert record.measured["loop"] == "native"
    assert record.settings["released"]["tile_entries"] == 256
    assert decode_record(read_files(job, released)["plain"]).half_pixel
    folder = job.results.path(released.setting, job.sample, ".json").parent
    assert not [*folder.glob("*.partial.safetensors")]
