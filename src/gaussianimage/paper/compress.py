"""Pictures as files of the paper's codec: Tables 2 and 4 and the rate–distortion figure."""

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import gaussianimage.torch  # isort: skip  (says how to get PyTorch)
import torch

import gaussianimage
from gaussianimage._util.files import write_atomic
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.codec.paper_profile.stream import STREAMS
from gaussianimage.errors import FormatError
from gaussianimage.metrics import bpp
from gaussianimage.paper.checkpoints import load_model, save_quantized
from gaussianimage.paper.environment import environment
from gaussianimage.paper.fine_tuning import fine_tune
from gaussianimage.paper.measurement import frames_per_second
from gaussianimage.paper.quality import finite_decibels, measure_quality
from gaussianimage.paper.quantized_model import QuantizerSettings
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.released_code import ReleasedCode
from gaussianimage.paper.represent import Job, history, news, represent
from gaussianimage.paper.results import Record, Setting
from gaussianimage.paper.settings import FitSettings
from gaussianimage.torch.models.sum import CholeskyModel, ScaleRotationModel

__all__ = ["CODEC_MODELS", "CompressSettings", "compress"]

CODEC_MODELS = ("cholesky", "rs")
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class CompressSettings:
    """A fit that is fine-tuned with its quantizers and written to files.

    Parameters
    ----------
    fit : FitSettings
        Settings of the fit, whose model is "cholesky" or "rs".
    fine_tuning : Recipe
        Recipe of the fine-tuning; the paper uses the fit's recipe again.
    quantizer : QuantizerSettings
        Settings of the quantizers; the paper's by default.

    Raises
    ------
    ValueError
        If the codec doesn't support the model.
    """

    fit: FitSettings
    fine_tuning: Recipe
    quantizer: QuantizerSettings = field(default_factory=QuantizerSettings)

    def __post_init__(self) -> None:
        if self.fit.model not in CODEC_MODELS:
            raise ValueError(f"model: expected cholesky or rs for the codec, got {self.fit.model}")

    @property
    def setting(self) -> Setting:
        """The identity of these settings in a folder of results."""
        recipe = self.fine_tuning
        own = {
            "fine_tuning": recipe.iterations,
            "fine_tuning_rate": recipe.learning_rate,
            "fine_tuning_halve_every": recipe.halve_every,
        }
        values = self.fit.values() | own | asdict(self.quantizer)
        # Left out where they are not set, so that earlier results keep their identity.
        if not values["angle"]:
            del values["angle"]
        if values["revive"]:
            del values["revive"]
        colors = self.quantizer.color
        if colors == "int":
            colors += str(self.quantizer.color_bits)
        elif not self.quantizer.commitment:
            colors += "-no-commitment"
        if self.quantizer.angle:
            colors += "-angle"
        if not self.quantizer.revive:
            colors += "-no-revival"
        if self.fit.released != ReleasedCode():
            colors += "-as-released"
        parts = (self.fit.model, f"n{self.fit.gaussians}", colors, f"i{recipe.iterations}")
        return Setting("compress", "-".join(parts), values)


def compress(job: Job, settings: CompressSettings) -> Record:
    """Fit a picture, fine-tune the fit with quantizers, write files, and measure the files.

    Parameters
    ----------
    job : Job
    settings : CompressSettings

    Returns
    -------
    Record
        Measured: ``psnr`` (dB) and ``ms_ssim`` of the 8-bit picture that `gaussianimage.decode`
        returns; ``psnr_float``, the PSNR before rounding to 8 bits; ``bytes`` and ``bpp`` of whole
        files by kind of stream, see `encode_record`; ``formula_bpp``, the paper's bits per pixel
        for "plain"; ``decode_fps`` by stream, on the CPU, from bytes to pixels; ``encode_seconds``,
        the time of the fit, fine-tuning and writing "plain"; ``history`` of fine-tuning. The fit is
        saved as by `represent`, and an existing fit is used; the model with its quantizers is saved
        for `load_quantized`. An existing result of the same
        settings and pixels is returned unchanged.

    Raises
    ------
    GaussianImageError, OSError
        In the same cases as `represent`.
    """
    setting = settings.setting
    found = job.results.find(setting, job.sample)
    if found is not None:
        return found
    fitted = represent(job, settings.fit)
    path = job.results.path(settings.fit.setting, job.sample, ".safetensors")
    target = job.target(settings.fit.device)
    try:
        model = load_model(path).to(target.device)
    except FormatError as error:
        raise FormatError(f"{error}; delete the file to repeat the fit") from error
    assert isinstance(model, CholeskyModel | ScaleRotationModel)
    saved = job.saved(setting)
    tuned = fine_tune(
        model,
        target,
        settings.fine_tuning,
        settings.quantizer,
        progress=news(job.progress, "quantize", settings.fit.gaussians),
        loop=settings.fit.loop,
        saved=saved,
        released=settings.fit.released,
    )
    files = {stream: encode_record(tuned.record, stream=stream) for stream in STREAMS}
    for stream, data in files.items():
        write_atomic(job.results.path(setting, job.sample, f".{stream}.gimg"), data)
    state = job.results.path(setting, job.sample, ".quantized.safetensors")
    save_quantized(tuned.model, state)
    write = partial(encode_record, tuned.record)
    writing = 1 / frames_per_second(write, _CPU, seconds=0)
    measured = _measured(job, tuned.record, files) | {
        "psnr_float": finite_decibels(tuned.psnr),
        "encode_seconds": fitted.measured["seconds"] + tuned.training.seconds + writing,
        "fine_tuning_seconds": tuned.training.seconds,
        "loop": tuned.training.loop,
        "history": history(tuned.training),
    }
    record = replace(
        fitted,
        kind=setting.kind,
        settings=dict(setting.values),
        measured=measured,
        environment=environment(target.device),
        files=[*(f"{job.sample.name}.{stream}.gimg" for stream in STREAMS), state.name],
    )
    job.results.save(setting, job.sample, record)
    saved.remove()
    return record


def _measured(job: Job, record: PaperRecord, files: dict[str, bytes]) -> dict[str, Any]:
    size = record.height, record.width
    speeds = {
        stream: frames_per_second(partial(gaussianimage.decode, data), _CPU, seconds=job.timed)
        for stream, data in files.items()
    }
    return measure_quality(job.sample.pixels, gaussianimage.decode(files["plain"])) | {
        "bytes": {stream: len(data) for stream, data in files.items()},
        "bpp": {stream: bpp(len(data), *size) for stream, data in files.items()},
        "formula_bpp": record.formula_bits / (record.height * record.width),
        "decode_fps": speeds,
    }
