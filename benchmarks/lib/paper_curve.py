"""The published curves of the GaussianImage paper's codec, which writes no files to measure.

The rate follows from the paper's count of bits. PSNR and MS-SSIM are means over all 24 pictures of
the Kodak set, even if our codec is measured on other pictures.
"""

from gaussianimage.paper.tables.published import RATE_DISTORTION, formula_bits
from lib.curves import Curve, decibels

KEY = "paper"
NAME = "GaussianImage (ECCV 2024), published"
POINTS = RATE_DISTORTION["kodak"]
PIXELS = 768 * 512


def bits_per_pixel(gaussians: int) -> float:
    return formula_bits(gaussians) / PIXELS


def curve(metric: str) -> Curve:
    """Return the published curve in "psnr" or "ms_ssim", in dB."""
    result = Curve.through(
        (
            bits_per_pixel(point.gaussians),
            point.psnr if metric == "psnr" else decibels(point.ms_ssim),
        )
        for point in POINTS
    )
    assert result is not None
    return result
