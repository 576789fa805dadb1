"""One fit, quantized to files of different steps."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import thread_count
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.encoder.effort import Effort
from gaussianimage.codec.encoder.local_contrast import worst_excess
from gaussianimage.codec.encoder.prune_and_regrow import prune, settle
from gaussianimage.codec.encoder.rate_control import most_gaussians, step_for_fit
from gaussianimage.codec.encoder.rd_quantization import WEIGHT_OF_A_BIT, Rounding
from gaussianimage.codec.encoder.repair import repair
from gaussianimage.codec.encoder.serialize import assemble
from gaussianimage.codec.encoder.staged_quantization import freeze
from gaussianimage.codec.encoder.stretch import Stretch
from gaussianimage.codec.format.layers import divide_into_layers, model_set
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import (
    BACKGROUND_LEVELS,
    MOST_COLOR_INDEX,
    MOST_STEP,
    SHAPE_STEP_ONE,
    QuantizerParameters,
    nearest_color_index,
)
from gaussianimage.fitting.density import bands
from gaussianimage.fitting.loop import FitResult
from gaussianimage.metrics import psnr, ssim
from gaussianimage.picture import Picture, from_array, to_array
from gaussianimage.picture.warn import ignore
from gaussianimage.rendering import render

CRC_BYTES = 4

# Weight of the penalty on energy, while fitting and while freezing.
ENERGY = 0.01

# A step coarser than a file can hold makes bits dearer instead, up to what this one would.
DEAREST_STEP = 4.0

# A further draft takes so many times fewer rounds, as it starts from what the last one settled at.
# Much finer steps need more Gaussians than those rounds can bring: they start from the fit.
AGAIN = 3
FINER = 0.6

# Blocks may have so much error by the depth of the picture's samples alone, for 0 to 1.
LEAST_ERROR = {8: 1 / 255, 16: 0.0}

# What a bit is worth, in units of what it usually is, where a file is to get a little smaller.
LIGHTER = (1.1, 1.2, 1.35, 1.5, 1.7, 2.0)


@dataclass(frozen=True)
class Draft:
    """A file, and what it was made from."""

    data: bytes
    layers: list[QuantizedGaussians]
    settings: QuantizerParameters
    step: float  # the color step Δ; beyond the coarsest, the one that bits were priced by
    metadata_bytes: int

    @property
    def gaussians(self) -> int:
        """How many the file holds."""
        return sum(len(layer.precision) for layer in self.layers)

    @property
    def picture_bytes(self) -> int:
        """Size without ICC profile, EXIF and XMP."""
        return len(self.data) - self.metadata_bytes


class Writer:
    """Makes files from one fit.

    Parameters
    ----------
    picture : Picture
    fitted : FitResult
        A fit of it, stretched, whose first Gaussian is the background.
    effort : Effort
    threads : int or None
    on_stage : callable
        Called after each round, stage of a freeze and sweep with what it is ("settle", "quantize",
        "refine"), its number, their number, the number of Gaussians and the PSNR in dB.
    stretch : Stretch, optional
        What the picture was fitted as; by default itself.
    alpha_map : bytes, optional
        The map of alpha, encoded.
    interrupt : Interrupt, optional
        That of the whole work.

    Notes
    -----
    Steps are those of the stretched picture, but for those in a file's header.
    """

    def __init__(
        self,
        picture: Picture,
        fitted: FitResult,
        effort: Effort,
        threads: int | None,
        on_stage: Callable[[str, int, int, int, float], None],
        stretch: Stretch | None = None,
        alpha_map: bytes | None = None,
        interrupt: Interrupt | None = None,
    ) -> None:
        self._alpha_map = alpha_map
        self._picture = picture
        self._stretch = stretch or Stretch.none(picture.channels)
        self._stretched = self._stretch.apply(picture)
        self._fitted = fitted
        self._effort = effort
        self._threads = threads
        self._on_stage = on_stage
        self._interrupt = interrupt or Interrupt()
        mean = np.clip(self._stretch.restored(fitted.state.colors[0]), 0, 1)
        self._background = tuple(int(level) for level in np.rint(mean * BACKGROUND_LEVELS))
        self._dtype = np.dtype(np.uint16 if picture.bit_depth == 16 else np.uint8)
        self._metadata = _metadata(picture)
        self._metadata_bytes = self.metadata_size(picture)
        # What the last draft was rounded from, and its step.
        self._settled: tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None = None
        self._settled_by = 0.0

    @property
    def fitted(self) -> FitResult:
        """The fit."""
        return self._fitted

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C came: what follows is to be as quick as can be."""
        return self._interrupt.is_pressed()

    @property
    def most_gaussians(self) -> int:
        """How many Gaussians a fit of the picture can have."""
        return most_gaussians(self._picture)

    def balanced_step(self) -> float:
        """Return the color step that suits the fit's error."""
        error = 10 ** (-self._fitted.psnr / 10) * self._picture.pixels.size
        return max(step_for_fit(error, len(self._fitted.gaussians)), 2.0**-15)

    def draft(self, step: float) -> Draft:
        """Return a file of this color step, or of the coarsest and fewer Gaussians."""
        index = min(nearest_color_index(step), MOST_COLOR_INDEX - self._stretch.sixteenths)
        settings = QuantizerParameters(index, SHAPE_STEP_ONE, self._background)
        step = min(step, DEAREST_STEP) if step > MOST_STEP else settings.color_step
        optimizer = self._optimizer(settings)
        most, rounds = len(optimizer), self._effort.rounds
        if step > FINER * self._settled_by and self._settled is not None:
            optimizer.keep(np.zeros(most, np.uint8))
            optimizer.add(*self._settled)
            rounds = -(-rounds // AGAIN)
        self._settle(optimizer, step, most, rounds)
        self._settled = optimizer.means, optimizer.cholesky, optimizer.colors
        self._settled_by = step
        rounding = self._rounding(settings, step)
        count = len(optimizer)
        parts = freeze(
            optimizer,
            rounding,
            energy=ENERGY,
            stages=self._effort.stages,
            iterations=self._effort.stage,
            sweeps=self._effort.stage_sweeps,
            on_stage=lambda *news: self._tell("quantize", *news, gaussians=count),
            interrupt=self._interrupt,
        )
        return self._assembled(
            self._refined(rounding, divide_into_layers(parts), optimizer), settings, step
        )

    def _refined(
        self, rounding: Rounding, layers: list[QuantizedGaussians], optimizer: _native.Optimizer
    ) -> list[QuantizedGaussians]:
        """Refine what has been frozen; what the optimizer is left with is its residual."""
        if self._interrupt.is_pressed():
            return layers
        with self._interrupt.cut_short():
            weights = [1.0] * self._effort.sweeps
            refinements = rounding.refined(layers, optimizer.residual(), weights)
            for number, better in enumerate(refinements, 1):
                layers = better
                count = sum(len(layer.precision) for layer in layers)
                self._tell("refine", number, len(weights), math.nan, gaussians=count)
        return layers

    def repaired(self, draft: Draft) -> Draft:
        """Return a file with what the blocks of another have lost put back; see `repair`."""
        if self._interrupt.is_pressed():
            return draft
        rounding = self._rounding(draft.settings, draft.step)
        optimizer = self._optimizer(draft.settings)
        optimizer.keep(np.zeros(len(optimizer), np.uint8))
        if draft.layers:
            optimizer.add(
                *rounding.quantizer.dequantize(*QuantizedGaussians.concatenate(draft.layers))
            )
            optimizer.bake(np.ones(len(optimizer), np.uint8))
        layers = draft.layers or [QuantizedGaussians.none(self._picture.channels)]
        repairs = repair(
            optimizer,
            rounding,
            self._stretched.pixels,
            rounding.settings.color_step,
            least=LEAST_ERROR[self._picture.bit_depth] * self._stretch.gain,
            model_set=model_set(len(layers) - 1, len(layers)),
            costs=rounding.costs(layers),
        )
        added: list[QuantizedGaussians] = []
        with self._interrupt.cut_short():
            added.extend(repairs)
        if not added:
            return draft
        last = QuantizedGaussians.concatenate([layers[-1], *added])
        return self._assembled([*layers[:-1], last], draft.settings, draft.step)

    def lighter(self, draft: Draft) -> Iterator[Draft]:
        """Yield smaller and smaller files of a draft's Gaussians, refined as if bits cost more."""
        rounding = self._rounding(draft.settings, draft.step)
        optimizer = self._optimizer(draft.settings)
        optimizer.keep(np.zeros(len(optimizer), np.uint8))
        if draft.layers:
            optimizer.add(
                *rounding.quantizer.dequantize(*QuantizedGaussians.concatenate(draft.layers))
            )
        refined = rounding.refined(draft.layers, optimizer.residual(), LIGHTER)
        while not self._interrupt.is_pressed():
            layers = None
            with self._interrupt.cut_short():
                layers = next(refined, None)
            if layers is None:
                return
            yield self._assembled(layers, draft.settings, draft.step)

    def shortened(self, draft: Draft, most_bytes: float) -> Draft:
        """Leave out the least important Gaussians until the file is small enough.

        A file without any may still be larger; there is none smaller.
        """
        fits = self._first(draft, 0)
        low, high = 0, draft.gaussians
        while low + 1 < high:
            middle = (low + high) // 2
            shorter = self._first(draft, middle)
            if shorter.picture_bytes <= most_bytes:
                low, fits = middle, shorter
            else:
                high = middle
        return fits

    def _first(self, draft: Draft, count: int) -> Draft:
        """Return a file of the first, most important Gaussians of another."""
        layers = []
        for layer in draft.layers:
            taken = min(count, len(layer.precision))
            if taken:
                layers.append(layer.select(np.arange(taken)))
            count -= taken
        return self._assembled(layers, draft.settings, draft.step)

    def pixels(self, draft: Draft) -> NDArray[Any]:
        """Return what a file decodes to, in the source's bit depth."""
        return decode(draft.data, dtype=self._dtype, threads=self._threads)

    def fitted_pixels(self) -> NDArray[Any]:
        """Return what the fit looks like, in the source's bit depth."""
        drawn = self._stretch.restored(render(self._fitted.gaussians, threads=self._threads))
        return to_array(drawn, self._dtype)

    def worst_excess(self, draft: Draft) -> float:
        """Return by how much a file's worst block is worse than its mean color, for 0 to 1."""
        return worst_excess(
            self._picture.pixels, from_array(self.pixels(draft), warn=ignore).pixels
        )

    def cost(self, draft: Draft, step: float) -> float:
        """Return a file's squared error and its bits, as a color step Δ weighs them."""
        error = 10 ** (-self.psnr(self.pixels(draft)) / 10) * self._picture.pixels.size
        weight = WEIGHT_OF_A_BIT * step**2
        return float(error * self._stretch.gain**2 + weight * 8 * len(draft.data))

    def psnr(self, decoded: NDArray[Any]) -> float:
        """Return the PSNR of decoded pixels in dB, in the source's bit depth.

        Colors are multiplied by alpha: what isn't seen doesn't count.
        """
        return psnr(*self._pair(decoded))

    def ssim(self, decoded: NDArray[Any]) -> float:
        """Return the SSIM of decoded pixels, as `psnr`.

        Raises
        ------
        ValueError
            If the picture is smaller than the metric's window.
        """
        return ssim(*self._pair(decoded))

    def _pair(self, decoded: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        if self._picture.has_alpha:
            return self._picture.pixels, from_array(decoded, warn=ignore).pixels
        return _rounded(self._picture.pixels, self._dtype), decoded

    @staticmethod
    def metadata_size(picture: Picture) -> int:
        """Return the bytes that a picture's ICC profile, EXIF and XMP take in a file."""
        chunks = _metadata(picture).to_chunks()
        return sum(chunk.payload_offset + len(chunk.payload) + CRC_BYTES for chunk in chunks)

    def _optimizer(self, settings: QuantizerParameters) -> _native.Optimizer:
        """Return an optimizer with the fit, and the rounded background in its target."""
        state = self._fitted.state
        optimizer = _native.Optimizer(
            self._stretched.pixels, state.q_max, thread_count(self._threads)
        )
        if self._picture.weights is not None:
            optimizer.weigh(self._picture.weights)
        colors = state.colors.copy()
        colors[0] = self._stretch.stretched(settings.background_color)
        replace(state, colors=colors).restore(optimizer)
        background = np.zeros(len(optimizer), np.uint8)
        background[0] = 1
        optimizer.bake(background)
        return optimizer

    def _rounding(self, settings: QuantizerParameters, step: float) -> Rounding:
        return Rounding(
            settings,
            step,
            height=self._picture.height,
            width=self._picture.width,
            q_max=self._fitted.state.q_max,
            threads=thread_count(self._threads),
        )

    def _settle(self, optimizer: _native.Optimizer, step: float, most: int, rounds: int) -> None:
        """Thin out what is to be rounded, and fill it in, unless cut short."""
        if self._interrupt.is_pressed():
            prune(optimizer, step)
            return
        settling = settle(
            optimizer,
            self._stretched.pixels,
            step,
            most=most,
            energy=ENERGY,
            rounds=rounds,
            iterations=self._effort.settle,
            newton=self._effort.newton,
            seed=self._fitted.state.seed,
        )
        with self._interrupt.cut_short():
            for number, (count, loss) in enumerate(settling, 1):
                self._tell("settle", number, rounds, loss, gaussians=count)
        if self._interrupt.is_pressed():
            prune(optimizer, step)

    def _assembled(
        self, layers: list[QuantizedGaussians], settings: QuantizerParameters, step: float
    ) -> Draft:
        picture = self._picture
        index = settings.color_index + self._stretch.sixteenths
        data = assemble(
            layers,
            replace(settings, color_index=index),
            self._metadata,
            height=picture.height,
            width=picture.width,
            bit_depth=picture.bit_depth,
            q_max=self._fitted.state.q_max,
            alpha_map=self._alpha_map,
        )
        return Draft(data, layers, settings, step, self._metadata_bytes)

    def _tell(self, stage: str, number: int, count: int, loss: float, *, gaussians: int) -> None:
        mean = 2 * loss / self._picture.pixels.size
        psnr = math.inf if mean <= 0 else -10 * math.log10(mean)
        self._on_stage(stage, number, count, gaussians, psnr)


def _rounded(pixels: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what a picture file of this depth holds, made a few rows at a time."""
    height, width, channels = pixels.shape
    rounded: NDArray[Any] = np.empty((height, width) if channels == 1 else pixels.shape, dtype)
    for rows in bands(height, width):
        rounded[rows] = to_array(pixels[rows], dtype)
    return rounded


def _metadata(picture: Picture) -> Metadata:
    return Metadata(icc=picture.icc, exif=picture.exif, xmp=picture.xmp)
