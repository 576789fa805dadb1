"""The quality of a draft or a fit, against the source and in the source's bit depth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.grain import describe_grain
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.rd_quantization import WEIGHT_OF_A_BIT
from gaussianimage.codec.format.grain import Grain
from gaussianimage.fitting.loop import FitResult
from gaussianimage.metrics import psnr, ssim
from gaussianimage.picture import from_array, to_array
from gaussianimage.picture.warn import ignore
from gaussianimage.rendering import render

Pixels = NDArray[Any]  # (H, W) or (H, W, C), uint8 or uint16


class SourceQuality:
    """Compares decoded or drawn pixels with one source.

    Colors are multiplied by alpha, so invisible colors have no influence.

    Parameters
    ----------
    source : PreparedPicture
    threads : int or None
        Number of threads; by default as many as there are CPUs for this process.
    """

    def __init__(self, source: PreparedPicture, threads: int | None) -> None:
        self._source = source
        self._threads = threads
        self._dtype = np.dtype(np.uint16 if source.picture.bit_depth == 16 else np.uint8)

    def decode(self, draft: Draft) -> Pixels:
        """Decode a draft to pixels, gray ones if the source is gray."""
        pixels = decode(draft.data, dtype=self._dtype, threads=self._threads)
        return np.ascontiguousarray(pixels[..., 0]) if self._source.in_rgb else pixels

    def draw(self, fitted: FitResult) -> Pixels:
        """Draw a fit, without quantizing it."""
        drawn = render(fitted.gaussians, threads=self._threads)
        return to_array(self._source.stretch.restored(drawn), self._dtype)

    def psnr(self, pixels: Pixels) -> float:
        """Return the PSNR of pixels in dB."""
        return psnr(*self._pair(pixels))

    def ssim(self, pixels: Pixels) -> float:
        """Return the SSIM of pixels, at most 1.

        Raises
        ------
        ValueError
            The picture is smaller than the metric's window.
        """
        return ssim(*self._pair(pixels))

    def psnr_of(self, draft: Draft) -> float:
        """Return the PSNR of a draft's file in dB, infinite if it has no error."""
        return self.psnr(self.decode(draft))

    def describe_grain(self, pixels: Pixels, most_bytes: float) -> Grain | None:
        """Return the grain of what the pixels lack; see `describe_grain`."""
        return describe_grain(*self._pair(pixels), most_bytes)

    def cost(self, draft: Draft, step: float) -> float:
        """Return a draft's rate-distortion cost for a color step Δ: squared error + λ · bits."""
        picture, gain = self._source.picture, self._source.stretch.gain
        error = 10 ** (-self.psnr_of(draft) / 10) * picture.pixels.size
        weight = WEIGHT_OF_A_BIT * step**2
        return float(error * gain**2 + weight * 8 * len(draft.data))

    def _pair(self, pixels: Pixels) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the source and the pixels as arrays of one type."""
        picture = self._source.picture
        if picture.has_alpha:
            return picture.pixels, from_array(pixels, warn=ignore).pixels
        return to_array(picture.pixels, self._dtype), pixels
