"""A picture's way to the bytes of a file: the stages in their order.

prepare → choose the number of Gaussians and the color step → fit → quantize → repair → measure
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gaussianimage._util.arguments import thread_count, within
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.backends import select_backend
from gaussianimage.codec.decoder.decode import decode_picture
from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.effort import DEFAULT_EFFORT, Effort, effort_level
from gaussianimage.codec.encoder.meter import Meter
from gaussianimage.codec.encoder.prepare import AlphaOptions, PreparedPicture, prepare
from gaussianimage.codec.encoder.quantize_fit import ENERGY, LEAST_ERROR, FitQuantizer
from gaussianimage.codec.encoder.rate_model import (
    gaussians_for_psnr,
    gaussians_for_size,
    gaussians_for_step,
    step_for_picture,
    step_for_quality,
)
from gaussianimage.codec.encoder.search import (
    PSNR,
    SSIM,
    Measure,
    decibels_of_ssim,
    search_quality,
    search_size,
)
from gaussianimage.codec.encoder.source_quality import SourceQuality
from gaussianimage.codec.encoder.targets import Target
from gaussianimage.codec.encoder.tiny_pictures import FEW_PIXELS, best_start
from gaussianimage.codec.format.quantizer import MOST_STEP
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.progress import OnProgress
from gaussianimage.fitting.state import FitState
from gaussianimage.metrics import SSIM_WINDOW
from gaussianimage.picture import Color, Kept, PictureSource, as_picture, kept_kinds

# Cut-off of the file's Gaussians. A fit of its own has 4.5 (3 σ instead of 2.65 σ): this one draws
# a third less for 0.2 % more bytes (docs/experiments).
Q_MAX = 3.5

# From this quality on, small things on a plain ground are held to be in the file.
LEAST_REPAIRED = 40.0

# A block may have this much more error than its mean color has, root mean square in steps of the
# quality. If repairs leave more, the file is made once more with steps that are finer by a factor
# within FINER.
EXCESS = 0.036
FINER = 0.5, 0.8

# Pixels for each Gaussian of a first guess, where nothing tells more.
PIXELS_PER_GAUSSIAN = 130


@dataclass(frozen=True)
class EncodeResult:
    """A file and how it came about.

    Attributes
    ----------
    data : bytes
        The file.
    height, width : int
        In pixels.
    gaussians : int
        How many it holds.
    psnr : float
        Of the decoded picture against the source in dB, both in the source's bit depth, colors
        multiplied by alpha.
    ssim : float or None
        Likewise; only where an SSIM was asked for.
    seconds : float
        That encoding took.
    interrupted : bool
        Whether Ctrl-C came, which was to be no error; the file is whole all the same.
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
        """Bits per pixel."""
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
    metadata: Kept = "all",
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
        The value in the source that becomes 1.0, such as 4095 for data of 12 bits in a file of 16;
        see `gaussianimage.as_picture`.
    quality : float, optional
        0 to 100; about 0.03 to 2 bits per pixel on photos. It is relative to what a picture shows:
        faint pictures, icons and printed pages get finer steps. From 40 on, small things on a plain
        ground are held to be there. 60 if no target is given. At most one of the targets may be.
    gaussians : int, optional
        Number of Gaussians to fit; those that don't earn their bits are left out.
    bpp : float, optional
        Bits per pixel of the file, metadata included; it will not be larger than this, if any file
        can be that small.
    size : int, optional
        Bytes of the file; it will not be larger, metadata included, if any file can be that small.
    psnr : float, optional
        PSNR of the decoded picture in dB, within 0.1 if the picture allows.
    ssim : float, optional
        SSIM of the decoded picture, 0 to 0.9999, within 2 % of 1 − SSIM or so if the picture
        allows, which must have 11 pixels a side at least. It can't be less than that of hardly
        anything but the mean color, 0.2 to 0.7 on photos.
    alpha : bool, default True
        False to leave alpha out: the picture on `background`, or on white.
    alpha_quality : float, optional
        100 keeps every pixel that is fully transparent or fully opaque exactly so, at the nominal
        size; alpha between is as good as color is. Less takes what is nearly transparent or opaque
        for wholly so and leaves small areas to the Gaussians, and 0 leaves all of alpha to them.
        By default 100, but for a `bpp` or `size` of which it would take too much.
    background : str or sequence of 3 int, optional
        A color to put a picture with alpha on, which is then left out: a name or "#rrggbb", as
        `PIL.ImageColor` knows them, or red, green and blue of 0 to 255.
    metadata : str or collection of str, default "all"
        "all", "none", or what to keep of the picture's metadata: some of "icc", "exif", "xmp" and
        "gps". By default a photo's location goes along; EXIF and XMP are kept without it where
        "gps" is not named.
    effort : int, default 5
        1 (fastest) to 10 (smallest); see docs/guide/effort.md for times.
    seed : int, default 0
        The same picture, options and seed give the same file, whatever the threads.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    device : str, default "cpu"
        "cuda" or "cuda:1" to fit on a GPU; needs `pip install gaussianimage[torch]`. The file is
        another one than from the CPU, and decodes everywhere.
    progress : callable, optional
        Called with a `Progress` about ten times a second while fitting, and after each round,
        stage and pass of quantizing.
    on_interrupt : {"raise", "keep"}, default "raise"
        What becomes of Ctrl-C. "keep" returns the best file so far, and raises only where there is
        none yet, in the first second or so, or when it comes twice; `encode_with_result` tells.

    Returns
    -------
    bytes

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came, within some 50 ms.
    PictureError, LimitError, OSError
        If the picture can't be read, is too large, or holds NaN or infinite pixels; a `LimitError`
        also if metadata takes so much that the file can't have the size or bpp asked for.
    TypeError, ValueError
        If an argument is of a wrong type or out of range, or there is more than one target.
    ImportError
        If a GPU is asked for and PyTorch or Triton is not installed.
    GaussianImageError
        If there is no such GPU.

    Warns
    -----
    PictureWarning
        If the picture may not be what is meant; see `gaussianimage.as_picture`.
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
        metadata=metadata,
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
    metadata: Kept = "all",
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    progress: OnProgress | None = None,
    on_interrupt: str = "raise",
) -> EncodeResult:
    """Encode a picture and tell how it went; `encode` documents the arguments and errors.

    Returns
    -------
    EncodeResult
    """
    target = Target.parse(
        quality=quality, gaussians=gaussians, bpp=bpp, size=size, psnr=psnr, ssim=ssim
    )
    alpha_options = AlphaOptions(alpha, alpha_quality, background)
    began = time.perf_counter()
    with Interrupt(on_interrupt) as interrupt:
        select_backend(device, thread_count(threads))  # says early what is missing
        kept_kinds(metadata)
        level = effort_level(effort)
        loaded = as_picture(picture, white=white)
        source = prepare(loaded, target, alpha_options, metadata, q_max=Q_MAX)
        meter = Meter(
            progress,
            level,
            # A search may take more drafts, but seldom does.
            drafts=1 if target.kind in ("quality", "gaussians") else min(3, level.drafts),
            probes=target.kind not in ("gaussians", "ssim"),
        )
        encoder = _Encoder(source, level, seed, threads, device, meter, interrupt)
        draft = encoder.encode(target)
        pixels = encoder.quality.decode(draft)
    return EncodeResult(
        data=draft.data,
        height=source.picture.height,
        width=source.picture.width,
        gaussians=draft.gaussians,
        psnr=encoder.quality.psnr(pixels),
        ssim=encoder.quality.ssim(pixels) if target.kind == "ssim" else None,
        seconds=time.perf_counter() - began,
        interrupted=interrupt.is_pressed(),
    )


class _Encoder:
    """The stages between a prepared picture and a draft, for each kind of target."""

    def __init__(
        self,
        source: PreparedPicture,
        effort: Effort,
        seed: int,
        threads: int | None,
        device: str,
        meter: Meter,
        interrupt: Interrupt,
    ) -> None:
        self.quality = SourceQuality(source, threads)
        self._source = source
        self._effort = effort
        self._seed = seed
        self._threads = threads
        self._device = device
        self._meter = meter
        self._interrupt = interrupt

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
        step = step_for_picture(source.picture, quality) * source.stretch.gain
        count = gaussians_for_step(
            source.fitted, step, threads=self._threads, progress=self._meter.tell_of_probe
        )
        if source.pixels <= FEW_PIXELS:
            return best_start(self._fit, self.quality, source, count, step)
        quantizer = self._fit(count)
        draft = quantizer.quantize(step)
        if quality < LEAST_REPAIRED:
            return draft
        draft = quantizer.repair(draft)
        return self._hold_blocks(quantizer, draft, step_for_quality(quality))

    def _encode_gaussians(self, count: float) -> Draft:
        quantizer = self._fit(int(count))
        # A coarser step would thin out the number that was asked for.
        return quantizer.quantize(min(quantizer.balanced_step(), MOST_STEP))

    def _encode_at_psnr(self, psnr: float) -> Draft:
        # The stretched picture has an error that is larger by the gain.
        stretched = psnr + PSNR.loss - 20 * np.log10(self._source.stretch.gain)
        guess = gaussians_for_psnr(
            self._source.fitted,
            stretched,
            threads=self._threads,
            progress=self._meter.tell_of_probe,
        )
        return self._search_quality(guess, psnr, PSNR)

    def _encode_at_ssim(self, ssim: float) -> Draft:
        height, width = self._source.picture.height, self._source.picture.width
        if min(height, width) < SSIM_WINDOW:
            raise ValueError(
                f"ssim: expected a picture of {SSIM_WINDOW} pixels a side at least, "
                f"got {height} x {width}"
            )
        guess = max(1, self._source.pixels // PIXELS_PER_GAUSSIAN)
        return self._search_quality(guess, decibels_of_ssim(ssim), SSIM)

    def _search_quality(self, guess: int, decibels: float, measure: Measure) -> Draft:
        return search_quality(
            self._fit, self.quality, guess, decibels, measure, self._effort.drafts
        )

    def _encode_within_size(self, _: float) -> Draft:
        most = self._source.most_bytes
        assert most is not None
        guess = gaussians_for_size(
            self._source.fitted, most, threads=self._threads, progress=self._meter.tell_of_probe
        )
        return search_size(self._fit, guess, most, self._effort.drafts)

    def _hold_blocks(self, quantizer: FitQuantizer, draft: Draft, step: float) -> Draft:
        """Return a draft of finer steps if a block is much worse than its mean color.

        Parameters
        ----------
        quantizer : FitQuantizer
        draft : Draft
        step : float
            The color step Δ of the quality that was asked for.
        """
        if self._interrupt.is_pressed():
            return draft
        most = max(EXCESS * step, 2 * LEAST_ERROR[self._source.picture.bit_depth])
        worst = self.quality.worst_excess(self.quality.decode(draft))
        if worst <= most:
            return draft
        finer = draft.step * float(np.clip(most / worst, *FINER))
        return quantizer.repair(quantizer.quantize(finer))

    def _fit(self, gaussians: int, start: int = 0, resume: FitState | None = None) -> FitQuantizer:
        """Fit Gaussians to the picture; `start` numbers the fits of one picture."""
        fitted = fit(
            self._source.fitted,
            gaussians,
            iterations=self._effort.fit,
            seed=(self._seed + start) % 2**63 if start else self._seed,
            threads=self._threads,
            device=self._device,
            q_max=Q_MAX,
            energy=ENERGY,
            progress=self._meter.tell_of_fit,
            resume=resume,
            on_interrupt=self._interrupt,
        )
        return FitQuantizer(
            self._source, fitted, self._effort, self._threads, self._meter.tell, self._interrupt
        )
