"""The stages of the encoder, in the order in which a picture passes through them.

prepare → choose the number of Gaussians and the color step → fit → quantize → repair → measure
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from gaussianimage._util.arguments import thread_count, within
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.backends import select_backend
from gaussianimage.codec.decoder.decode import decode_picture
from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.drawings import is_drawing
from gaussianimage.codec.encoder.effort import DEFAULT_EFFORT, Effort, effort_level
from gaussianimage.codec.encoder.grain import MOST_SHARE, add_grain
from gaussianimage.codec.encoder.meter import Meter
from gaussianimage.codec.encoder.prepare import AlphaOptions, PreparedPicture, prepare
from gaussianimage.codec.encoder.prune_and_regrow import PRUNE
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.codec.encoder.rate_model import (
    gaussians_for_psnr,
    gaussians_for_size,
    gaussians_for_step,
    step_for_picture,
    step_for_quality,
)
from gaussianimage.codec.encoder.search import (
    FEW_GAUSSIANS,
    PSNR,
    SSIM,
    Measure,
    decibels_of_ssim,
    search_quality,
    search_size,
)
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.codec.encoder.targets import FEW_PIXELS, Target, Tune
from gaussianimage.codec.encoder.tiny_pictures import (
    best_start,
    best_start_for_quality,
    best_start_within_size,
)
from gaussianimage.codec.format.quantizer import MOST_STEP
from gaussianimage.fitting.fit import fit_picture
from gaussianimage.fitting.progress import OnProgress
from gaussianimage.fitting.state import FitState
from gaussianimage.metrics import SSIM_WINDOW
from gaussianimage.picture import Color, Kept, PictureSource, as_picture, kept_kinds

# Cut-off of the file's Gaussians: 2.65 σ. Drawing takes a third less work than with `fit`'s default
# of 4.5 (3 σ), for 0.2 % more bytes (docs/experiments/cutting-earlier.md).
Q_MAX = 3.5

# From this quality on, blocks that have lost small things on a plain ground are repaired.
LEAST_REPAIRED = 35.0

# If a block is worse than its mean color by more than MOST_EXCESS times what the quality allows,
# even after repairs, the color step is too coarse for the picture, as for areas of one color with
# sharp outlines. It becomes FINER_STEP times as large, at most FURTHER_REPAIRS times.
MOST_EXCESS = 1.41
FINER_STEP = 0.7
FURTHER_REPAIRS = 3

# If less than LEAST_KEPT of a few Gaussians that the caller asked for are left, the error that sets
# the step is that of what they cannot show. The step is halved, at most FINER_STEPS times.
LEAST_KEPT = 1 / 3
FINER_STEPS = 5

# A draft of a smooth picture whose stretched PSNR is NEARLY_EXACT dB or more is compared with those
# of half its size, of a fourth and so on, until one is worse by more than PLAINLY_WORSE dB.
NEARLY_EXACT = 50.0
PLAINLY_WORSE = 3.0
HALVINGS = 6

# Pixels per Gaussian in the first guess for an SSIM, for which there is no rate model.
PIXELS_PER_GAUSSIAN = 130


@dataclass(frozen=True)
class EncodeResult:
    """An encoded file, its quality and the time that encoding took.

    Attributes
    ----------
    data : bytes
        The file.
    height, width : int
        Size of the picture in pixels.
    gaussians : int
        Number of Gaussians in the file.
    psnr : float
        PSNR of the decoded picture against the source in dB; both have the source's bit depth, and
        their colors are multiplied by alpha. Grain is left out.
    ssim : float or None
        SSIM of the same two pictures, at most 1; None if the target is not an SSIM.
    seconds : float
        Wall-clock time of encoding.
    interrupted : bool
        Whether Ctrl-C cut encoding short. The file is complete in any case.
    """

    data: bytes = field(repr=False)
    height: int
    width: int
    gaussians: int
    psnr: float
    ssim: float | None
    seconds: float
    interrupted: bool

    @property
    def bpp(self) -> float:
        """Size of the file in bits per pixel."""
        return 8 * len(self.data) / (self.height * self.width)

    def _repr_png_(self) -> bytes:
        from gaussianimage.picture.preview import LONGEST

        size = within((self.height, self.width), LONGEST)
        return decode_picture(self.data, size=size)._repr_png_()


def encode(
    picture: PictureSource,
    *,
    white: float | None = None,
    quality: float | None = None,
    gaussians: int | None = None,
    bpp: float | None = None,
    size: int | None = None,
    psnr: float | None = None,
    ssim: float | None = None,
    alpha: bool = True,
    alpha_quality: float | None = None,
    background: Color | None = None,
    grain: bool = False,
    metadata: Kept = "all",
    progressive: bool = True,
    tune: Tune | None = None,
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    progress: OnProgress | None = None,
    on_interrupt: str = "raise",
) -> bytes:
    """Encode a picture as a ``.gimg`` file.

    Parameters
    ----------
    picture : Picture, array, PIL image, path or bytes
        What `gaussianimage.as_picture` takes.
    white : float, optional
        The source's value that becomes 1.0, such as 4095 for 12-bit data in a 16-bit file; see
        `gaussianimage.as_picture`.
    quality : float, optional
        Quality from 0 to 100. At 75, photos look good, and at 90, they are hard to tell from the
        source; docs/guide/quality.md has bytes and scores. Faint pictures, icons and printed pages
        get finer steps than photos of the same quality. From 35 on, the encoder
        repairs blocks that have lost small things on a plain ground. `quality`, `gaussians`, `bpp`,
        `size`, `psnr` and `ssim` are targets: at most one may be given, and quality 75 is the
        default.
    gaussians : int, optional
        Number of Gaussians to fit, at least 1. The file has fewer, because Gaussians that aren't
        worth their bits are pruned.
    bpp : float, optional
        Largest number of bits per pixel of the file, metadata included. The file is larger only if
        the smallest possible file is.
    size : int, optional
        Largest size of the file in bytes, metadata included. The file is larger only if the
        smallest possible file is.
    psnr : float, optional
        PSNR of the decoded picture in dB. The file comes within 0.1 dB if the picture allows it;
        that of a picture of up to 1024 pixels may have more.
    ssim : float, optional
        SSIM of the decoded picture, 0 to 0.9999. 1 − SSIM comes within about 2 % if the picture
        allows it. The picture must have at least 11 pixels a side. The lowest reachable SSIM is
        that of a nearly constant picture, 0.2 to 0.7 on photos.
    alpha : bool, default True
        Whether the file keeps alpha. If not, the picture is laid on `background`, or on white.
    alpha_quality : float, optional
        How much of alpha the file stores exactly, 0 to 100. At 100, every fully transparent or
        fully opaque pixel stays so at the nominal size. Below 100, nearly transparent and nearly
        opaque pixels become fully so, and the Gaussians alone show small areas. At 0, the Gaussians
        alone show alpha. They show partial alpha at every quality, as well as they show color. The
        default is 100, or less if the map of alpha takes too much of a `bpp` or `size`.
    background : str or sequence of 3 int, optional
        Color to lay a picture with alpha on; the file then has no alpha. A name or "#rrggbb" as
        `PIL.ImageColor` knows them, or red, green and blue from 0 to 255.
    grain : bool, default False
        Describe the fine texture that the file lacks by noise, which decoders add to the picture.
        It takes at most 2 % of the file, and the picture looks less smooth, but every measure of
        the difference from the source is worse.
    metadata : str or collection of str, default "all"
        Metadata that the file keeps: "all", "none", or some of "icc", "exif", "xmp" and "gps". The
        default keeps the place where a photo was taken; without "gps", the file's EXIF and XMP
        don't tell it.
    progressive : bool, default True
        Whether the file has layers: a first part of it then shows the picture, as far as it goes.
        Without them a file of more than 1000 Gaussians is about 1 % smaller.
    tune : {"eye", "psnr"}, optional
        What the encoder optimizes. "eye" makes files that look better at the same size, and "psnr"
        makes files of a higher PSNR: errors count alike at every pixel. The default is "psnr" with
        a target in PSNR, and "eye" else.
    effort : int, default 5
        Effort from 1 (fastest) to 10 (smallest file); docs/guide/effort.md has the times.
    seed : int, default 0
        Seed of the fit, 0 to 2⁶³ − 1. The same picture, options and seed give the same file,
        whatever the number of threads.
    threads : int, optional
        Number of threads, 1 to 256; by default as many as there are CPUs for this process.
    device : str, default "cpu"
        Device of the fit: "cpu", or "cuda" or "cuda:1" for a GPU, which needs
        `pip install gaussianimage[torch]`. A GPU gives a different file from the CPU; both decode
        everywhere.
    progress : callable, optional
        Function that takes a `Progress`. The encoder calls it about ten times a second while
        fitting, and after each round, stage and pass of the quantization.
    on_interrupt : {"raise", "keep"}, default "raise"
        What Ctrl-C does. "raise" raises KeyboardInterrupt. "keep" returns the best file so far, and
        `EncodeResult.interrupted` of `encode_with_result` is true; it raises KeyboardInterrupt only
        for a second Ctrl-C, or in about the first second, before there is a file.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    KeyboardInterrupt
        The user pressed Ctrl-C; the error comes within about 50 ms, and within half a second for a
        picture of 144 megapixels.
    PictureError, LimitError, OSError
        The picture can't be read, is too large, or has NaN or infinite pixels. A `LimitError` also
        comes if the metadata leaves too little of `size` or `bpp` for the picture.
    TypeError, ValueError
        An argument has a wrong type or is out of range, or there is more than one target.
    ImportError
        The device is a GPU, and PyTorch or Triton is not installed.
    GaussianImageError
        The machine doesn't have this GPU.

    Warns
    -----
    PictureWarning
        The picture may not be what its owner means; see `gaussianimage.as_picture`.
    """
    return encode_with_result(
        picture,
        white=white,
        quality=quality,
        gaussians=gaussians,
        bpp=bpp,
        size=size,
        psnr=psnr,
        ssim=ssim,
        alpha=alpha,
        alpha_quality=alpha_quality,
        background=background,
        grain=grain,
        metadata=metadata,
        progressive=progressive,
        tune=tune,
        effort=effort,
        seed=seed,
        threads=threads,
        device=device,
        progress=progress,
        on_interrupt=on_interrupt,
    ).data


def encode_with_result(
    picture: PictureSource,
    *,
    white: float | None = None,
    quality: float | None = None,
    gaussians: int | None = None,
    bpp: float | None = None,
    size: int | None = None,
    psnr: float | None = None,
    ssim: float | None = None,
    alpha: bool = True,
    alpha_quality: float | None = None,
    background: Color | None = None,
    grain: bool = False,
    metadata: Kept = "all",
    progressive: bool = True,
    tune: Tune | None = None,
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    progress: OnProgress | None = None,
    on_interrupt: str = "raise",
) -> EncodeResult:
    """Encode a picture and measure the file; `encode` documents the arguments and errors.

    Returns
    -------
    EncodeResult
        The file, its quality and the time that encoding took.
    """
    target = Target.parse(
        quality=quality, gaussians=gaussians, bpp=bpp, size=size, psnr=psnr, ssim=ssim
    )
    chosen = target.choose_tune(tune)
    alpha_options = AlphaOptions(alpha, alpha_quality, background)
    began = time.perf_counter()
    with Interrupt(on_interrupt) as interrupt:
        select_backend(device, thread_count(threads))  # raises before the work if one is missing
        kept_kinds(metadata)
        level = effort_level(effort)
        loaded = as_picture(picture, white=white)
        source = prepare(
            loaded, target, alpha_options, metadata, q_max=Q_MAX, tune=chosen, threads=threads
        )
        meter = Meter(
            progress,
            level,
            # A search seldom takes more than three drafts.
            drafts=1 if target.kind in ("quality", "gaussians") else min(3, level.drafts),
            probes=target.kind not in ("gaussians", "ssim"),
        )
        if grain and source.most_bytes is not None:
            source = replace(source, most_bytes=(1 - MOST_SHARE) * source.most_bytes)
        encoder = _Encoder(
            source, level, seed, threads, device, meter, interrupt, progressive=bool(progressive)
        )
        draft = encoder.encode(target)
        pixels = encoder.quality.decode(draft)
        data = draft.data
        if grain:
            found = encoder.quality.describe_grain(pixels, MOST_SHARE * draft.picture_bytes)
            data = add_grain(data, found) if found else data
    return EncodeResult(
        data=data,
        height=source.picture.height,
        width=source.picture.width,
        gaussians=draft.gaussians,
        psnr=encoder.quality.psnr(pixels),
        ssim=encoder.quality.ssim(pixels) if target.kind == "ssim" else None,
        seconds=time.perf_counter() - began,
        interrupted=interrupt.is_pressed(),
    )


class _Encoder:
    """Takes a prepared picture through the stages to a draft, for each kind of target.

    Parameters
    ----------
    source : PreparedPicture
    effort : Effort
    seed : int
        Seed of the first fit.
    threads : int or None
        Number of threads; by default as many as there are CPUs for this process.
    device : str
        Device of the fit.
    meter : Meter
    interrupt : Interrupt
    progressive : bool
        Whether the file has layers.
    """

    def __init__(
        self,
        source: PreparedPicture,
        effort: Effort,
        seed: int,
        threads: int | None,
        device: str,
        meter: Meter,
        interrupt: Interrupt,
        *,
        progressive: bool,
    ) -> None:
        self.quality = SourceQuality(source, threads)
        self._source = source
        self._effort = effort
        self._seed = seed
        self._threads = threads
        self._device = device
        self._meter = meter
        self._interrupt = interrupt
        self._progressive = progressive

    def encode(self, target: Target) -> Draft:
        """Return the draft that comes closest to a target."""
        ways: dict[str, Callable[[float], Draft]] = {
            "quality": self._encode_at_quality,
            "gaussians": self._encode_gaussians,
            "psnr": self._encode_at_psnr,
            "ssim": self._encode_at_ssim,
            "size": self._encode_within_size,
            "bpp": self._encode_within_size,
        }
        return ways[target.kind](target.value)

    def _encode_at_quality(self, quality: float) -> Draft:
        source = self._source
        step = step_for_picture(source.picture, quality, threads=self._threads)
        step *= source.stretch.gain
        counts = gaussians_for_step(
            source.fitted, step, threads=self._threads, progress=self._meter.report_probe
        )
        if source.pixels <= FEW_PIXELS:
            return best_start(self._fit, self.quality, source, counts.fitted, step)
        quantizer = self._fit(counts.fitted, most=counts.most, solve=False, least=PRUNE * step)
        draft = quantizer.quantize(step)
        if quality < LEAST_REPAIRED:
            return draft
        repaired = quantizer.repair(draft, step_for_quality(quality))
        for _ in range(FURTHER_REPAIRS):
            if repaired.excess <= MOST_EXCESS:
                break
            step *= FINER_STEP
            finer = quantizer.quantize(step)
            if quantizer.interrupted:
                break  # a draft that was cut short is no better
            repaired = quantizer.repair(finer, step_for_quality(quality))
        return repaired.draft

    def _encode_gaussians(self, count: float) -> Draft:
        quantizer = self._fit_precisely(int(count))
        # A coarser step would prune more of the Gaussians that the caller asked for.
        step = min(quantizer.balanced_step(), MOST_STEP)
        draft = quantizer.quantize(step)
        if count > FEW_GAUSSIANS:
            return draft
        for _ in range(FINER_STEPS):
            exact = self.quality.psnr_of(draft) == np.inf
            if exact or draft.gaussians >= LEAST_KEPT * (count - 1) or quantizer.interrupted:
                break
            step /= 2
            draft = quantizer.quantize(step)
        return draft

    def _encode_at_psnr(self, psnr: float) -> Draft:
        # The stretched picture's error is larger by the gain, so its PSNR is lower.
        stretched = psnr + PSNR.loss - 20 * np.log10(self._source.stretch.gain)
        guess = gaussians_for_psnr(
            self._source.fitted,
            stretched,
            threads=self._threads,
            progress=self._meter.report_probe,
        )
        return self._search_quality(guess, psnr, PSNR)

    def _encode_at_ssim(self, ssim: float) -> Draft:
        height, width = self._source.picture.height, self._source.picture.width
        if min(height, width) < SSIM_WINDOW:
            raise ValueError(
                f"ssim: expected a picture of at least {SSIM_WINDOW} pixels a side, "
                f"got {height} x {width}"
            )
        guess = max(1, self._source.pixels // PIXELS_PER_GAUSSIAN)
        return self._search_quality(guess, decibels_of_ssim(ssim), SSIM)

    def _search_quality(self, guess: int, decibels: float, measure: Measure) -> Draft:
        source = self._source
        if source.pixels <= FEW_PIXELS:
            return best_start_for_quality(self._fit, self.quality, source, guess, decibels, measure)
        return search_quality(
            self._fit_precisely, self.quality, guess, decibels, measure, self._effort.drafts
        )

    def _encode_within_size(self, _: float) -> Draft:
        most = self._source.most_bytes
        assert most is not None
        if self._source.pixels <= FEW_PIXELS:
            guess = self._gaussians_for_size(most)
            return best_start_within_size(self._fit, self.quality, self._source, guess, most)
        draft = self._search_size(most)
        return self._or_smaller(draft, most) if self._shows_small_errors else draft

    def _or_smaller(self, draft: Draft, most: float) -> Draft:
        """Return the best of a draft within a size and drafts within a half, a fourth and so on.

        A fit of more Gaussians takes more iterations to come as close to a smooth picture.
        """
        # The stretched picture's error is larger by the gain, so its PSNR is lower.
        nearly_exact = NEARLY_EXACT + 20 * np.log10(self._source.stretch.gain)
        decibels = self.quality.psnr_of(draft)
        for _ in range(HALVINGS):
            if not nearly_exact <= decibels < np.inf or self._interrupt.is_pressed():
                break
            most /= 2
            smaller = self._search_size(most)
            found = self.quality.psnr_of(smaller)
            if found > decibels:
                draft, decibels = smaller, found
            elif found < decibels - PLAINLY_WORSE:
                break
        return draft

    def _search_size(self, most: float) -> Draft:
        guess = self._gaussians_for_size(most)
        return search_size(self._fit_precisely, guess, most, self._effort.drafts)

    def _gaussians_for_size(self, most: float) -> int:
        return gaussians_for_size(
            self._source.fitted, most, threads=self._threads, progress=self._meter.report_probe
        )

    def _fit_precisely(self, gaussians: int) -> FitQuantizer:
        """Fit Gaussians for a target that, unlike a quality, does not say which step is enough."""
        return self._fit(gaussians, precise=self._shows_small_errors)

    @cached_property
    def _shows_small_errors(self) -> bool:
        """Whether the picture has 16 bits, which show what is below a level of 8, and is smooth.

        A drawing has few errors in its plain areas, and more rounds make its outlines worse.
        """
        picture = self._source.picture
        return picture.bit_depth == 16 and not is_drawing(picture)

    def _fit(
        self,
        gaussians: int,
        start: int = 0,
        resume: FitState | None = None,
        *,
        most: int = 0,
        solve: bool = True,
        least: float = 0.0,
        precise: bool = False,
    ) -> FitQuantizer:
        """Fit Gaussians to the picture; fits with another `start` have another seed.

        Drafts may have `most` Gaussians, if that is more. Without `solve`, the quantizer's balanced
        step and the PSNR of its fit are not exact. `least` is the amplitude below which Gaussians
        will be pruned, with which a fit of many may end early. `precise` is the quantizer's.
        """
        fitted = fit_picture(
            self._source.fitted,
            gaussians,
            newton=False,
            solve=solve,
            least=least,
            iterations=self._effort.fit,
            seed=(self._seed + start) % 2**63 if start else self._seed,
            threads=self._threads,
            device=self._device,
            q_max=Q_MAX,
            energy=ENERGY,
            progress=self._meter.report_fit,
            resume=resume,
            on_interrupt=self._interrupt,
        )
        return FitQuantizer(
            self._source,
            fitted,
            self._effort,
            self._threads,
            self._meter.report,
            self._interrupt,
            progressive=self._progressive,
            most=most,
            precise=precise,
        )
