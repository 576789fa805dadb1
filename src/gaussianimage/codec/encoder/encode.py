"""From a picture to the bytes of a file."""

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gaussianimage._util.arguments import number, thread_count, within
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.backends import select_backend
from gaussianimage.codec.decoder.decode import decode_picture
from gaussianimage.codec.encoder.alpha_map import encode_map, map_within, weighted
from gaussianimage.codec.encoder.effort import DEFAULT_EFFORT, effort_level
from gaussianimage.codec.encoder.meter import Meter
from gaussianimage.codec.encoder.quantize_fit import ENERGY, LEAST_ERROR, Draft, Writer
from gaussianimage.codec.encoder.rate_control import (
    Target,
    gaussians_for_psnr,
    gaussians_for_size,
    gaussians_for_step,
    most_gaussians,
    step_for_picture,
    step_for_quality,
)
from gaussianimage.codec.encoder.search import (
    PSNR,
    SSIM,
    decibels_of_ssim,
    search_quality,
    search_size,
)
from gaussianimage.codec.encoder.serialize import assemble
from gaussianimage.codec.encoder.stretch import Stretch
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import MOST_STEP, SHAPE_STEP_ONE, Settings
from gaussianimage.errors import LimitError
from gaussianimage.fitting.fit import fit
from gaussianimage.fitting.placement import one_per_pixel
from gaussianimage.fitting.progress import OnProgress
from gaussianimage.fitting.state import TRAIN_ALL, FitState
from gaussianimage.metrics import SSIM_WINDOW
from gaussianimage.picture import (
    WHITE,
    Color,
    Kept,
    Picture,
    PictureSource,
    as_picture,
    flatten,
    kept_kinds,
    rgb,
)

# Cut earlier than a fit of its own (2.65 σ for 3 σ): a third less to draw, for 0.2 % more bytes
# (docs/decisions.md).
Q_MAX = 3.5

# Pictures of so few pixels are fitted from several starts, and the best is kept.
FEW_PIXELS = 1024
STARTS = 6
STARTS_OF_PIXELS = 1024  # of a single one, falling to the other number

# So few pixels may have a Gaussian each.
PIXEL_BY_PIXEL = 64

# Below this quality nobody expects small things to be there.
LEAST_REPAIRED = 40.0

# A block may have so much more error, root mean square in steps of the quality, than its mean color
# has. What repairs don't bring that far is below a step, and takes one that is finer by this.
EXCESS = 0.036
FINER = 0.5, 0.8

PIXELS_PER_GAUSSIAN = 130  # where nothing tells how many there should be


@dataclass(frozen=True)
class Encoded:
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
        1 (fastest) to 10 (smallest); see docs/effort.md for times.
    seed : int, default 0
        The same picture, options and seed give the same file, whatever the threads.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    device : str, default "cpu"
        "cuda" or "cuda:1" to fit on a GPU; needs `pip install gaussianimage[torch]`. The file is
        another one than from the CPU, and decodes everywhere.
    progress : callable, optional
        Called with a `Progress` about ten times a second while fitting, and after each round,
        stage and sweep of quantizing.
    on_interrupt : {"raise", "keep"}, default "raise"
        What becomes of Ctrl-C. "keep" returns the best file so far, and raises only where there is
        none yet, in the first second or so, or when it comes twice; `encode_picture` tells.

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
    return encode_picture(
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


def encode_picture(
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
) -> Encoded:
    """Encode a picture and tell how it went; arguments and errors as for `encode`."""
    target = Target.of(
        quality=quality, gaussians=gaussians, bpp=bpp, size=size, psnr=psnr, ssim=ssim
    )
    wanted = AlphaOptions(alpha, alpha_quality, background)
    began = time.perf_counter()
    with Interrupt(on_interrupt) as interrupt:
        job = _Job(
            picture,
            target,
            white,
            wanted,
            metadata,
            effort,
            seed,
            threads,
            device,
            progress,
            interrupt,
        )
        writer, draft = job.run()
        pixels = writer.pixels(draft)
    return Encoded(
        data=draft.data,
        height=job.picture.height,
        width=job.picture.width,
        gaussians=draft.gaussians,
        psnr=writer.psnr(pixels),
        ssim=writer.ssim(pixels) if target.kind == "ssim" else None,
        seconds=time.perf_counter() - began,
        interrupted=writer.interrupted,
    )


@dataclass(frozen=True)
class AlphaOptions:
    """What becomes of a picture's alpha; as `encode` for the arguments and errors."""

    keep: bool = True
    quality: float | None = None
    background: Color | None = None

    def __post_init__(self) -> None:
        if self.background is not None:
            rgb(self.background)
        if self.quality is not None:
            number("alpha_quality", self.quality, 0, 100)

    def applied(self, picture: Picture) -> Picture:
        """Return the picture to encode."""
        if self.keep and self.background is None:
            return picture
        return flatten(picture, WHITE if self.background is None else self.background)

    def map_of(self, picture: Picture, most_bytes: float | None) -> bytes | None:
        """Return the encoded map of alpha for a file of a size, if one was asked for."""
        if self.quality is None and most_bytes is not None:
            return map_within(picture, most_bytes)
        return encode_map(picture, 100 if self.quality is None else self.quality)


def _smallest(picture: Picture) -> int:
    """Return the bytes of a file of that size without any Gaussians and metadata."""
    settings = Settings(0, SHAPE_STEP_ONE, (0,) * picture.channels)
    empty = assemble(
        [],
        settings,
        Metadata(),
        height=picture.height,
        width=picture.width,
        bit_depth=picture.bit_depth,
        q_max=Q_MAX,
    )
    return len(empty)


class _Job:
    """One call of `encode_picture`: how to fit, and whom to tell."""

    def __init__(
        self,
        picture: PictureSource,
        target: Target,
        white: float | None,
        alpha: AlphaOptions,
        metadata: Kept,
        effort: int,
        seed: int,
        threads: int | None,
        device: str,
        progress: OnProgress | None,
        interrupt: Interrupt,
    ) -> None:
        select_backend(device, thread_count(threads))  # says early what is missing
        self._device = device
        kept_kinds(metadata)
        self.picture = alpha.applied(as_picture(picture, white=white)).keeping(metadata)
        self._stretch = Stretch.for_picture(self.picture)
        self._stretched = self.picture
        self._target = target
        self._alpha = alpha
        self._alpha_map: bytes | None = None
        self._effort = effort_level(effort)
        self._seed = seed
        self._threads = threads
        self._interrupt = interrupt
        # A search may take more drafts, but seldom does.
        drafts = 1 if target.kind in ("quality", "gaussians") else min(3, self._effort.drafts)
        probes = target.kind not in ("gaussians", "ssim")
        self._meter = Meter(progress, self._effort, drafts=drafts, probes=probes)

    @property
    def _probing(self) -> dict[str, Any]:
        return {"threads": self._threads, "progress": self._meter.tell_of_probe}

    def run(self) -> tuple[Writer, Draft]:
        target = self._target
        most = self._most_bytes(target)
        self._alpha_map = self._alpha.map_of(self.picture, most)
        self.picture = weighted(self.picture, self._alpha_map)
        self._stretched = self._stretch.apply(self.picture)
        picture, value = self._stretched, target.value
        pixels = picture.height * picture.width
        if target.kind == "quality":
            step = step_for_picture(self.picture, value) * self._stretch.gain
            count = gaussians_for_step(picture, step, **self._probing)
            if pixels <= FEW_PIXELS:
                return self._best_start(count, step)
            writer = self._fit(count)
            draft = writer.draft(step)
            if value >= LEAST_REPAIRED:
                least = 2 * LEAST_ERROR[self.picture.bit_depth]
                most = max(EXCESS * step_for_quality(value), least)
                draft = self._hold_blocks(writer, writer.repaired(draft), most)
            return writer, draft
        if target.kind == "gaussians":
            writer = self._fit(int(value))
            # No coarser: a number that was asked for is not to be thinned out for bits.
            return writer, writer.draft(min(writer.balanced_step(), MOST_STEP))
        if target.kind == "psnr":
            # An error is larger by the gain in the picture that is fitted.
            stretched = value + PSNR.loss - 20 * np.log10(self._stretch.gain)
            guess = gaussians_for_psnr(picture, stretched, **self._probing)
            return search_quality(self._fit, guess, value, PSNR, self._effort.drafts)
        if target.kind == "ssim":
            if min(picture.height, picture.width) < SSIM_WINDOW:
                raise ValueError(
                    f"ssim: expected a picture of {SSIM_WINDOW} pixels a side at least, "
                    f"got {picture.height} x {picture.width}"
                )
            guess = max(1, pixels // PIXELS_PER_GAUSSIAN)
            wanted = decibels_of_ssim(value)
            return search_quality(self._fit, guess, wanted, SSIM, self._effort.drafts)
        assert most is not None
        guess = gaussians_for_size(picture, most, **self._probing)
        return search_size(self._fit, guess, most, self._effort.drafts)

    def _hold_blocks(self, writer: Writer, draft: Draft, most: float) -> Draft:
        """Return a file of finer steps if a block of this one is much worse than its mean color."""
        if writer.interrupted:
            return draft
        worst = writer.worst_excess(draft)
        if worst <= most:
            return draft
        finer = draft.step * float(np.clip(most / worst, *FINER))
        return writer.repaired(writer.draft(finer))

    def _most_bytes(self, target: Target) -> float | None:
        """Return what a size or bpp leaves for all but metadata; None for other targets."""
        picture, most = self.picture, target.value
        if target.kind == "bpp":
            most *= picture.height * picture.width / 8
        elif target.kind != "size":
            return None
        metadata = Writer.metadata_size(picture)
        if metadata and metadata + _smallest(picture) > most:
            raise LimitError(
                f"{target.kind}: ICC profile, EXIF and XMP take {metadata} bytes, which leaves too "
                f"few of {int(most)} for the picture; metadata='none' (--strip) leaves them out"
            )
        return max(most - metadata, 1.0)

    def _best_start(self, gaussians: int, step: float) -> tuple[Writer, Draft]:
        """Return the file that costs least in bits and error together, of several starts.

        A fit of a handful of Gaussians to a few pixels hangs on where they start.
        """
        most = most_gaussians(self._stretched)
        starts = max(STARTS, min(64, STARTS_OF_PIXELS // most))
        best: tuple[Writer, Draft] | None = None
        least = math.inf
        for start in range(starts):
            if start == 0 and most <= PIXEL_BY_PIXEL:
                writer = self._fit_pixels()
            else:
                writer = self._fit(gaussians if start % 2 == 0 else most, start)
            draft = writer.draft(step)
            cost = writer.cost(draft, step)
            if cost < least:
                best, least = (writer, draft), cost
            if writer.interrupted:
                break
        assert best is not None
        return best

    def _fit_pixels(self) -> Writer:
        """Return a fit of one narrow Gaussian for each pixel."""
        state = self._fit(1).fitted.state
        pixels = one_per_pixel(self._stretched.pixels, state.colors[0])
        count = 1 + len(pixels.means)
        width = 5 + self._stretched.channels
        return self._fit(
            1,
            resume=replace(
                state,
                means=np.concatenate((state.means, pixels.means)),
                cholesky=np.concatenate((state.cholesky, pixels.cholesky)),
                colors=np.concatenate((state.colors, pixels.colors)),
                first=np.zeros((count, width), np.float32),
                second=np.zeros((count, width), np.float32),
                age=np.zeros(count, np.uint32),
                trainable=np.append(state.trainable, np.full(count - 1, TRAIN_ALL, np.uint8)),
                iteration=state.iterations,
                target=count,
            ),
        )

    def _fit(self, gaussians: int, start: int = 0, resume: FitState | None = None) -> Writer:
        fitted = fit(
            self._stretched,
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
        return Writer(
            self.picture,
            fitted,
            self._effort,
            self._threads,
            self._meter.tell,
            self._stretch,
            self._alpha_map,
            self._interrupt,
        )
