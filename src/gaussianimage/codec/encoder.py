"""From a picture to the bytes of a file."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gaussianimage import _native
from gaussianimage.codec.assemble import assemble, layers_of
from gaussianimage.codec.decoder import decode
from gaussianimage.codec.freeze import freeze
from gaussianimage.codec.metadata import Metadata
from gaussianimage.codec.quantize import Levels, normalized_colors
from gaussianimage.codec.ratecontrol import (
    BITS_PER_GAUSSIAN,
    check_targets,
    gaussians_for_step,
    step_for_fit,
    step_for_quality,
)
from gaussianimage.codec.settings import (
    BACKGROUND_LEVELS,
    SHAPE_STEP_ONE,
    Settings,
    nearest_color_index,
)
from gaussianimage.engine import thread_count
from gaussianimage.fitting.fit import FitProgress, FitResult, fit
from gaussianimage.metrics import psnr
from gaussianimage.picture import Picture, PictureSource, as_picture, to_array

CRC_BYTES = 4
FIT_ITERATIONS = 600
Q_MAX = 4.5
ENERGY = 0.01

# Gaussians whose amplitude is below this many color steps cost more than they bring.
PRUNE = 2.2
SETTLE_ROUNDS = 3
SETTLE_ITERATIONS = 60
SETTLE_RATES = (0.05, 0.03, 0.015)

Progress = Callable[[FitProgress], None]


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
        Of the decoded picture against the source in dB, both in the source's bit depth.
    seconds : float
        That encoding took.
    interrupted : bool
        Whether Ctrl-C ended the fit early; the file is whole all the same.
    """

    data: bytes
    height: int
    width: int
    gaussians: int
    psnr: float
    seconds: float
    interrupted: bool

    @property
    def bpp(self) -> float:
        """Bits per pixel."""
        return 8 * len(self.data) / (self.height * self.width)


def encode(
    picture: PictureSource,
    *,
    quality: float | None = None,
    gaussians: int | None = None,
    bpp: float | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Encode a picture as a ``.gimg`` file.

    Parameters
    ----------
    picture : Picture, array, PIL image, path or bytes
        What `gaussianimage.as_picture` takes.
    quality : float, optional
        0 to 100; about 0.03 to 2 bits per pixel on photos. 50 if no target is given.
    gaussians : int, optional
        Number of Gaussians to fit; those that don't earn their bits are left out.
    bpp : float, optional
        Bits per pixel of the file; it will not be larger than this, metadata aside, unless even a
        file of nothing but one color is (some 45 bytes).
    seed : int, default 0
        The same picture, options and seed give the same file, whatever the threads.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    progress : callable, optional
        Called with a `FitProgress` about ten times a second.

    Returns
    -------
    bytes

    Raises
    ------
    PictureError, LimitError, OSError
        If the picture can't be read, is too large, or holds NaN or infinite pixels.
    TypeError, ValueError
        If an argument is of a wrong type or out of range, or there is more than one target.
    """
    return encode_picture(
        picture,
        quality=quality,
        gaussians=gaussians,
        bpp=bpp,
        seed=seed,
        threads=threads,
        progress=progress,
    ).data


def encode_picture(
    picture: PictureSource,
    *,
    quality: float | None = None,
    gaussians: int | None = None,
    bpp: float | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Encoded:
    """Encode a picture and tell how it went; arguments and errors as for `encode`."""
    began = time.perf_counter()
    quality, gaussians, bpp = check_targets(quality, gaussians, bpp)
    thread_count(threads)
    source = as_picture(picture)
    pixels = source.height * source.width
    step = None
    if quality is not None:
        step = step_for_quality(quality)
        gaussians = gaussians_for_step(source, step, threads=threads)
    elif bpp is not None:
        gaussians = max(1, round(bpp * pixels / BITS_PER_GAUSSIAN))
    assert gaussians is not None
    result = fit(
        source,
        gaussians,
        iterations=FIT_ITERATIONS,
        seed=seed,
        threads=threads,
        q_max=Q_MAX,
        energy=ENERGY,
        progress=progress,
    )
    writer = _Writer(source, result, threads, progress, began)
    if bpp is not None:
        data, count = writer.within(bpp * pixels / 8)
    else:
        data, count = writer.write(step or writer.balanced_step())
    decoded = decode(data, dtype=np.uint16 if source.bit_depth == 16 else np.uint8, threads=threads)
    return Encoded(
        data=data,
        height=source.height,
        width=source.width,
        gaussians=count,
        psnr=psnr(to_array(source.pixels, decoded.dtype), decoded),
        seconds=time.perf_counter() - began,
        interrupted=result.interrupted,
    )


class _Writer:
    """Quantizes one fit to files of different steps."""

    def __init__(
        self,
        picture: Picture,
        result: FitResult,
        threads: int | None,
        progress: Progress | None,
        began: float,
    ) -> None:
        self._picture = picture
        self._result = result
        self._threads = thread_count(threads)
        self._progress = progress
        self._began = began
        mean = np.clip(result.state.colors[0].astype(np.float64), 0, 1)
        self._background = tuple(int(level) for level in np.rint(mean * BACKGROUND_LEVELS))

    def balanced_step(self) -> float:
        """Return the color step that suits the fit's error."""
        error = 10 ** (-self._result.psnr / 10) * self._picture.pixels.size
        return max(step_for_fit(error, len(self._result.gaussians)), 2.0**-15)

    def write(self, step: float) -> tuple[bytes, int]:
        """Return a file of this color step, and the number of Gaussians in it."""
        layers, settings = self._quantized(step)
        return self._assembled(layers, settings)

    def within(self, most_bytes: float) -> tuple[bytes, int]:
        """Return the largest file found of at most so many bytes, metadata aside."""
        step = self.balanced_step()
        best: tuple[bytes, int] | None = None
        low, high = 0.0, np.inf  # steps known to be too fine, and to fit
        for _ in range(5):
            layers, settings = self._quantized(step)
            data, count = self._assembled(layers, settings)
            size = len(data) - self._metadata_bytes
            if size <= most_bytes:
                high = min(high, step)
                if best is None or len(data) > len(best[0]):
                    best = data, count
                if size >= 0.98 * most_bytes:
                    break
            else:
                low = max(low, step)
            # Each halving of the step adds a bit to each of about six numbers of a Gaussian.
            bits = 8.0 * (most_bytes * 0.99 - size)
            guess = step * 2.0 ** (-bits / (6.0 * max(count, 1)))
            if low > 0 and high < np.inf and not low < guess < high:
                guess = float(np.sqrt(low * high))
            step = float(np.clip(guess, step / 4, step * 4))
        if best is None:
            best = self._shortened(layers, settings, most_bytes)
        return best

    def _quantized(self, step: float) -> tuple[list[Levels], Settings]:
        settings = Settings(nearest_color_index(step), SHAPE_STEP_ONE, self._background)
        state = self._result.state
        optimizer = _native.Optimizer(self._picture.pixels, state.q_max, self._threads)
        state.restore(optimizer)
        colors = optimizer.colors
        colors[0] = settings.background_color
        optimizer.colors = colors
        background = np.zeros(len(optimizer), np.uint8)
        background[0] = 1
        optimizer.bake(background)
        self._settle(optimizer, settings.color_step)
        parts = freeze(
            optimizer,
            settings,
            height=self._picture.height,
            width=self._picture.width,
            energy=ENERGY,
            on_stage=self._tell,
        )
        return layers_of(parts), settings

    def _settle(self, optimizer: _native.Optimizer, step: float) -> None:
        """Remove Gaussians that don't earn their bits, and let the others make up for it."""
        ramp = np.linspace(1, 0.5, SETTLE_ITERATIONS)
        rates = (ramp[:, None] * np.array(SETTLE_RATES)).astype(np.float32)
        for _ in range(SETTLE_ROUNDS):
            if len(optimizer) == 0:
                return
            cholesky = optimizer.cholesky
            log_size = 0.5 * np.log(cholesky[:, 0] * cholesky[:, 2])
            amplitude = np.linalg.norm(normalized_colors(log_size, optimizer.colors), axis=1)
            optimizer.keep((amplitude > PRUNE * step).astype(np.uint8))
            if len(optimizer):
                optimizer.run(rates, ENERGY)

    def _shortened(
        self, layers: list[Levels], settings: Settings, most_bytes: float
    ) -> tuple[bytes, int]:
        """Leave out the least important Gaussians until the file is small enough."""
        while True:
            data, count = self._assembled(layers, settings)
            if len(data) - self._metadata_bytes <= most_bytes or not layers:
                return data, count
            last = layers[-1]
            keep = np.arange(len(last.precision)) < int(0.9 * len(last.precision))
            layers = [*layers[:-1], last.select(keep)] if keep.any() else layers[:-1]

    def _assembled(self, layers: list[Levels], settings: Settings) -> tuple[bytes, int]:
        picture = self._picture
        data = assemble(
            layers,
            settings,
            Metadata(icc=picture.icc, exif=picture.exif, xmp=picture.xmp),
            height=picture.height,
            width=picture.width,
            bit_depth=picture.bit_depth,
            q_max=self._result.state.q_max,
        )
        return data, sum(len(layer.precision) for layer in layers)

    @property
    def _metadata_bytes(self) -> int:
        picture = self._picture
        chunks = Metadata(icc=picture.icc, exif=picture.exif, xmp=picture.xmp).to_chunks()
        return sum(chunk.payload_offset + len(chunk.payload) + CRC_BYTES for chunk in chunks)

    def _tell(self, stage: int, stages: int, loss: float) -> None:
        if self._progress is None:
            return
        mean = 2 * loss / self._picture.pixels.size
        self._progress(
            FitProgress(
                stage="quantize",
                iteration=stage,
                iterations=stages,
                gaussians=len(self._result.gaussians),
                psnr=float(-10 * np.log10(mean)) if mean > 0 else float("inf"),
                seconds=time.perf_counter() - self._began,
                seconds_left=0.0,
            )
        )
