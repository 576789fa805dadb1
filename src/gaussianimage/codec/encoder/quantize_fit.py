"""From a fit to a draft: prune and regrow, quantize in stages, refine, serialize."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import thread_count
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.backends import LEAST_COARSE_PIXELS
from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.effort import Effort
from gaussianimage.codec.encoder.eye_weights import (
    BLOCK_WEIGHT,
    luma,
    luma_parts,
    on_channels,
    renewed_weights,
)
from gaussianimage.codec.encoder.gray_in_rgb import GRAY_STEP, GrayParameters, step_share
from gaussianimage.codec.encoder.local_contrast import EXCESS
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.prune_and_regrow import prune, prune_and_regrow
from gaussianimage.codec.encoder.rate_model import most_gaussians, step_for_fit
from gaussianimage.codec.encoder.rd_quantization import RdQuantizer, Within
from gaussianimage.codec.encoder.repair import repair
from gaussianimage.codec.encoder.staged_quantization import START_RATES, quantize_in_stages
from gaussianimage.codec.encoder.worse_blocks import Refined, refine_worse_blocks
from gaussianimage.codec.format.layers import divide_into_layers, model_set
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.quantizer import (
    BACKGROUND_LEVELS,
    MOST_COLOR_INDEX,
    MOST_STEP,
    SHAPE_STEP_ONE,
    QuantizerParameters,
    nearest_color_index,
)
from gaussianimage.fitting.loop import FitResult
from gaussianimage.fitting.placement import GaussianArrays

# Weight of the penalty on energy while fitting and while quantizing in stages.
ENERGY = 0.01

# Beyond the coarsest step of a file, only the weight of a bit grows, up to its value at this step.
DEAREST_STEP = 4.0

# A further draft starts from the Gaussians of an earlier one and needs 1/AGAIN of the rounds: of
# the coarsest that is finer, else of one that is coarser. If its step is finer than FINER times
# that one's, it needs more Gaussians than those rounds add, and starts from the fit.
AGAIN = 3
FINER = 0.6

# A fit of a smooth picture is so close to it that the rounds need more iterations to come closer:
# with each MORE_PRECISE dB above PRECISE there are as many more rounds as the effort has, up to
# PRECISE_FACTOR times as many or PRECISE_ROUNDS. Fits of photos have less PSNR at any quality.
PRECISE = 44.0
MORE_PRECISE = 2.0
PRECISE_FACTOR = 4
PRECISE_ROUNDS = 64

# The rounds before which the weights of the error are found anew: the second, the fifth, ….
FIRST_RENEWAL, RENEWAL_EVERY = 1, 3

# Errors that rounding to the bit depth alone explains, for values 0 to 1.
LEAST_ERROR = {8: 1 / 255, 16: 0.0}

# Weights of a bit, relative to its usual weight, that make a file a little smaller.
LIGHTER = (1.1, 1.2, 1.35, 1.5, 1.7, 2.0)
# The same for a file that is a little larger.
RICHER = (0.85, 0.7, 0.55, 0.4, 0.3, 0.2)

# The arguments are the stage, the step in it, the number of steps, the number of Gaussians and the
# PSNR in dB.
OnStage = Callable[[str, int, int, int, float], None]


class Grown(NamedTuple):
    """The Gaussians of a draft before they were rounded."""

    step: float
    gaussians: GaussianArrays


class Repaired(NamedTuple):
    """A draft in which blocks were repaired, and what is left to repair."""

    draft: Draft
    # By how much the worst block's error exceeds that of its mean color, 1 for as much as the
    # quality allows; 0 if no block is worse.
    excess: float


class FitQuantizer:
    """Quantizes one fit, with any step and any number of times.

    Parameters
    ----------
    source : PreparedPicture
    fitted : FitResult
        A fit of `source.fitted`, whose first Gaussian is the background.
    effort : Effort
    threads : int or None
        Number of threads; by default as many as there are CPUs for this process.
    on_stage : callable
        Called after each round of pruning, each stage of the quantization and each pass over all
        Gaussians. Its arguments are the stage ("prune", "quantize", "refine"), the step in it, the
        number of steps, the number of Gaussians and the PSNR in dB.
    interrupt : Interrupt, optional
        The interrupt of the encoder. Once Ctrl-C has come, the remaining stages are short; the
        draft is complete in any case.
    background : ndarray, (C,), optional
        The background of the file, 0 to 1; by default that of the fit.
    within : tuple of 4 floats, optional
        Rectangle that the rounding lets no Gaussian reach out of: left, top, right and bottom in
        pixels.
    progressive : bool, default True
        Whether files have layers.
    most : int, default 0
        The largest number of Gaussians in the rounds of pruning and regrowing, background included,
        if it is larger than that of the fit.
    precise : bool, default False
        Whether a fit that is nearly exact gets more rounds.

    Notes
    -----
    Color steps are those of the stretched picture; only a file's header has the step of the source.
    """

    def __init__(
        self,
        source: PreparedPicture,
        fitted: FitResult,
        effort: Effort,
        threads: int | None,
        on_stage: OnStage,
        interrupt: Interrupt | None = None,
        background: NDArray[np.float64] | None = None,
        within: Within | None = None,
        progressive: bool = True,
        most: int = 0,
        precise: bool = False,
    ) -> None:
        self._source = source
        self._precise = precise
        self._progressive = progressive
        self._most = most
        self._within = within
        # The weights of the error at each pixel; None without tuning for the eye.
        self._weights = source.weights
        # The same for each channel, times those of the picture, (H, W, C); None if all are 1.
        self._channel_weights = source.fitted.weights
        self._fitted = fitted
        self._effort = effort
        self._threads = threads
        self._on_stage = on_stage
        self._interrupt = interrupt or Interrupt()
        fitted_mean = source.stretch.restored(fitted.state.colors[0])
        mean = np.clip(fitted_mean if background is None else background, 0, 1)
        self._background = tuple(int(level) for level in np.rint(mean * BACKGROUND_LEVELS))
        # The last draft, and the coarsest of the earlier ones that are finer.
        self._grown: list[Grown] = []

    @property
    def fitted(self) -> FitResult:
        """The fit."""
        return self._fitted

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has come, and the remaining work must be short."""
        return self._interrupt.is_pressed()

    @property
    def most_gaussians(self) -> int:
        """The largest number of Gaussians that a fit of the picture can have."""
        return most_gaussians(self._source.picture)

    def balanced_step(self) -> float:
        """Return the color step Δ that suits the fit's error."""
        error = 10 ** (-self._fitted.psnr / 10) * self._source.picture.pixels.size
        return max(step_for_fit(error, len(self._fitted.colors)), 2.0**-15)

    def quantize(self, step: float) -> Draft:
        """Quantize the fit with a color step, or with the coarsest step and fewer Gaussians.

        Parameters
        ----------
        step : float
            The color step Δ. A step beyond a file's coarsest sets the weight of bits alone.
        """
        in_rgb, sixteenths = self._source.in_rgb, self._source.stretch.sixteenths
        share = GRAY_STEP if in_rgb else 1.0
        index = nearest_color_index(step / share)
        index = max(min(index, MOST_COLOR_INDEX - sixteenths), -sixteenths)
        kind = GrayParameters if in_rgb else QuantizerParameters
        parameters = kind(index, SHAPE_STEP_ONE, self._background)
        coarser = step > MOST_STEP * share
        step = min(step, DEAREST_STEP * share) if coarser else parameters.color_step
        optimizer = self._load_fit(parameters)
        self._prune_and_regrow(optimizer, step)
        quantizer = self._rd_quantizer(parameters, step)  # with the last weights
        layers = self._quantize_in_stages(optimizer, quantizer)
        layers = self._refine(optimizer, quantizer, layers)
        for _ in range(self._effort.cycles - 1):
            if self._interrupt.is_pressed():
                break
            optimizer = self._load_layers(layers, quantizer)
            layers = self._quantize_in_stages(optimizer, quantizer)
            layers = self._refine(optimizer, quantizer, layers)
        return Draft.make(self._source, layers, parameters, step=step, q_max=self._q_max)

    def repair(
        self, draft: Draft, step: float, inside: NDArray[np.bool_] | None = None
    ) -> Repaired:
        """Add Gaussians to a draft where blocks have lost detail; see `repair`.

        Blocks that are still worse than their mean color get better integers of the Gaussians that
        reach them; see `worse_blocks`.

        Parameters
        ----------
        draft : Draft
        step : float
            The color step Δ of the quality, before it is adapted to the picture.
        inside : ndarray, (K,), optional
            Which blocks to check; by default all.
        """
        if self._interrupt.is_pressed():
            return Repaired(draft, 0.0)
        quantizer = self._rd_quantizer(draft.parameters, draft.step)
        layers, descent = self._add_repairs(draft, quantizer, inside)
        most = self._most_excess(step)
        refined = Refined(layers, 0.0)
        with self._interrupt.cut_short():
            for better in refine_worse_blocks(
                layers,
                self._seen,
                descent,
                quantizer,
                most=most,
                bounds=self._bounds,
                q_max=self._q_max,
                inside=inside,
                threads=self._threads,
            ):
                refined = better
        if refined.layers is not draft.layers:
            draft = draft.with_layers(refined.layers)
        return Repaired(draft, refined.excess / most)

    def lighter(self, draft: Draft) -> Iterator[Draft]:
        """Refine a draft with growing weights of a bit, and yield a smaller draft after each."""
        return self._reweighed(draft, LIGHTER)

    def richer(self, draft: Draft) -> Iterator[Draft]:
        """Refine a draft with falling weights of a bit, and yield a larger draft after each."""
        return self._reweighed(draft, RICHER)

    def _reweighed(self, draft: Draft, weights: Sequence[float]) -> Iterator[Draft]:
        quantizer = self._rd_quantizer(draft.parameters, draft.step)
        refined = quantizer.refine(
            draft.layers, self._load_layers(draft.layers, quantizer), weights
        )
        while not self._interrupt.is_pressed():
            layers = None
            with self._interrupt.cut_short():
                layers = next(refined, None)
            if layers is None:
                return
            yield draft.with_layers(layers)

    def error(self, draft: Draft) -> float:
        """Return half the squared error of a draft, with the weights that the encoder optimizes.

        It is that of the stretched picture. Drafts are compared by it.
        """
        quantizer = self._rd_quantizer(draft.parameters, draft.step)
        optimizer = self._load_layers(draft.layers, quantizer)
        unmoved = np.zeros((1, len(START_RATES)), np.float32)
        return float(optimizer.adam(unmoved, 0.0)[0])

    # -- The stages of a draft ---------------------------------------------------------------------

    def _prune_and_regrow(self, optimizer: _native.Optimizer, step: float) -> None:
        """Prune and regrow the optimizer's Gaussians, and keep a copy for the next draft."""
        # The background is in the optimizer's target.
        most, rounds = max(len(optimizer), self._most - 1), self._rounds()
        start = self._start_for(step)
        if start is not None:
            optimizer.keep(np.zeros(len(optimizer), np.uint8))
            optimizer.add(*start.gaussians)
            rounds = -(-rounds // AGAIN)
        if not self._interrupt.is_pressed():
            news = prune_and_regrow(
                optimizer,
                self._source.fitted.pixels,
                step,
                most=most,
                energy=ENERGY,
                rounds=rounds,
                iterations=self._effort.round_iterations,
                seed=self._fitted.state.seed,
                weigh=lambda number: self._renew_weights(optimizer, number),
                threads=self._threads,
            )
            optimizer.coarse = self._source.pixels >= LEAST_COARSE_PIXELS
            with self._interrupt.cut_short():
                for number, (count, loss) in enumerate(news, 1):
                    self._report("prune", number, rounds, loss, gaussians=count)
            optimizer.coarse = False  # the stages that follow need the drawing of the file
        if self._interrupt.is_pressed():
            prune(optimizer, step)
        gaussians = GaussianArrays(optimizer.means, optimizer.cholesky, optimizer.colors)
        finer = [one for one in self._grown if one.step < step]
        self._grown = [*sorted(finer, key=lambda one: one.step)[-1:], Grown(step, gaussians)]

    def _rounds(self) -> int:
        """Return the number of rounds of pruning and regrowing that suits the fit's error."""
        rounds = self._effort.rounds
        if not self._precise:
            return rounds
        factor = 1 + max(self._fitted.psnr - PRECISE, 0) / MORE_PRECISE
        wanted = round(min(factor, PRECISE_FACTOR) * rounds)
        return max(rounds, min(wanted, PRECISE_ROUNDS))

    def _start_for(self, step: float) -> Grown | None:
        """Return the draft whose Gaussians a draft of a step starts from; None for the fit."""
        finer = [one for one in self._grown if one.step <= step]
        if finer:
            return max(finer, key=lambda one: one.step)
        near = [one for one in self._grown if step > FINER * one.step]
        return min(near, key=lambda one: one.step, default=None)

    def _quantize_in_stages(
        self, optimizer: _native.Optimizer, quantizer: RdQuantizer
    ) -> list[QuantizedGaussians]:
        """Round all Gaussians in stages, and divide them into layers."""
        count = len(optimizer)
        parts = quantize_in_stages(
            optimizer,
            quantizer,
            energy=ENERGY,
            stages=self._effort.stages,
            iterations=self._effort.stage_iterations,
            passes=self._effort.stage_passes,
            progressive=self._progressive,
            on_stage=lambda *news: self._report("quantize", *news, gaussians=count),
            interrupt=self._interrupt,
        )
        return divide_into_layers(parts, progressive=self._progressive)

    def _refine(
        self, optimizer: _native.Optimizer, quantizer: RdQuantizer, layers: list[QuantizedGaussians]
    ) -> list[QuantizedGaussians]:
        """Refine the integers of all Gaussians against the residual in the optimizer."""
        if self._interrupt.is_pressed():
            return layers
        with self._interrupt.cut_short():
            weights = [1.0] * self._effort.passes
            refinements = quantizer.refine(layers, optimizer, weights)
            for number, better in enumerate(refinements, 1):
                layers = better
                count = sum(len(layer.precision) for layer in layers)
                self._report("refine", number, len(weights), math.nan, gaussians=count)
        return layers

    def _add_repairs(
        self, draft: Draft, quantizer: RdQuantizer, inside: NDArray[np.bool_] | None
    ) -> tuple[list[QuantizedGaussians], _native.CoordinateDescent]:
        """Return the layers of a draft with repairs, and a coordinate descent that draws them."""
        source = self._source
        optimizer = self._load_layers(draft.layers, quantizer)
        optimizer.bake(np.ones(len(optimizer), np.uint8))
        layers = draft.layers
        filled = layers or [QuantizedGaussians.none(source.picture.channels)]
        repairs = repair(
            optimizer,
            quantizer,
            self._seen,
            quantizer.parameters.color_step / step_share(source.picture.channels),
            weights=self._weights,
            inside=inside,
            least=LEAST_ERROR[source.picture.bit_depth] * source.stretch.gain,
            model_set=model_set(len(filled) - 1, len(filled)),
            costs=quantizer.costs(filled),
            threads=self._threads,
        )
        added: list[QuantizedGaussians] = []
        with self._interrupt.cut_short():
            added.extend(repairs)
        if added:
            layers = [*filled[:-1], QuantizedGaussians.concatenate([filled[-1], *added])]
        return layers, quantizer.coordinate_descent(optimizer)

    def _most_excess(self, step: float) -> float:
        """Return by how much a block's error may exceed that of its mean color.

        The error is the root of the mean square, in the colors of `_seen`; `step` is the color step
        Δ of the quality.
        """
        source = self._source
        rounding = LEAST_ERROR[source.picture.bit_depth]
        # The decoder's rounding adds a twelfth of a level squared.
        most = math.sqrt(max(EXCESS * step, 2 * rounding) ** 2 - rounding**2 / 12)
        return most * source.stretch.gain

    # -- What counts as error ----------------------------------------------------------------------

    def _weigh(self, optimizer: _native.Optimizer) -> None:
        """Set what an optimizer counts as error."""
        if self._weights is not None:
            optimizer.block_weight = BLOCK_WEIGHT
        if self._channel_weights is not None:
            optimizer.weigh(self._channel_weights)

    def _renew_weights(
        self, optimizer: _native.Optimizer, number: int
    ) -> NDArray[np.float32] | None:
        """Weigh the errors of an optimizer's Gaussians anew in some of the rounds."""
        if self._weights is None:
            return None
        # Further drafts keep the weights of the first, so that a search compares like with like.
        due = number >= FIRST_RENEWAL and (number - FIRST_RENEWAL) % RENEWAL_EVERY == 0
        if due and not self._grown:
            threads, source = self._threads, self._source
            error = optimizer.residual_sums(luma_parts(source.picture.channels))
            error /= self._weights
            if source.seen is None:
                light = luma(source.fitted.pixels, threads=threads)
                self._weights = renewed_weights(light, error, self._weights, threads=threads)
            else:
                # A part of a picture keeps its share of the weights.
                share = self._weights.mean(dtype=np.float64)
                error /= np.float32(source.stretch.gain)
                light = luma(source.seen, threads=threads)
                self._weights = renewed_weights(light, error, self._weights, threads=threads)
                self._weights *= np.float32(share)
            self._channel_weights = on_channels(self._weights, source.picture)
            self._weigh(optimizer)
        return self._channel_weights

    # -- What the stages work on -------------------------------------------------------------------

    @property
    def _seen(self) -> NDArray[np.float32]:
        """What a person sees, in the colors of the fit, which may exceed 0 to 1 here."""
        seen = self._source.seen
        if seen is None:
            return self._source.fitted.pixels
        return seen * np.float32(self._source.stretch.gain)

    @property
    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Black and white, in the colors of `_seen`."""
        stretch, channels = self._source.stretch, self._source.picture.channels
        if self._source.seen is not None:
            return np.zeros(channels), np.full(channels, stretch.gain)
        return stretch.stretched(np.zeros(channels)), stretch.stretched(np.ones(channels))

    @property
    def _q_max(self) -> float:
        return self._fitted.state.q_max

    def _load_fit(self, parameters: QuantizerParameters) -> _native.Optimizer:
        """Return an optimizer that holds the fit, with the rounded background in its target."""
        state, source = self._fitted.state, self._source
        optimizer = _native.Optimizer(
            source.fitted.pixels, state.q_max, thread_count(self._threads)
        )
        if source.fitted.ends is not None:
            optimizer.allow_beyond(*source.fitted.ends)
        self._weigh(optimizer)
        colors = state.colors.copy()
        colors[0] = source.stretch.stretched(parameters.background_color)
        optimizer.reserve(len(colors))
        replace(state, colors=colors).restore(optimizer)
        background = np.zeros(len(optimizer), np.uint8)
        background[0] = 1
        optimizer.bake(background)
        return optimizer

    def _load_layers(
        self, layers: Sequence[QuantizedGaussians], quantizer: RdQuantizer
    ) -> _native.Optimizer:
        """Return an optimizer that holds the Gaussians of some layers."""
        optimizer = self._load_fit(quantizer.parameters)
        optimizer.keep(np.zeros(len(optimizer), np.uint8))
        if layers:
            arrays = quantizer.quantizer.dequantize(*QuantizedGaussians.concatenate(layers))
            optimizer.add(*arrays)
        return optimizer

    def _rd_quantizer(self, parameters: QuantizerParameters, step: float) -> RdQuantizer:
        picture = self._source.picture
        return RdQuantizer(
            parameters,
            step,
            height=picture.height,
            width=picture.width,
            q_max=self._q_max,
            threads=thread_count(self._threads),
            weights=self._weights,
            within=self._within,
        )

    def _report(self, stage: str, number: int, count: int, loss: float, *, gaussians: int) -> None:
        mean = 2 * loss / self._source.picture.pixels.size
        psnr = math.inf if mean <= 0 else -10 * math.log10(mean)
        self._on_stage(stage, number, count, gaussians, psnr)
