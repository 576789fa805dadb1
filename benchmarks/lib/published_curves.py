"""Published curves of codecs that write no files here: means over all 24 Kodak pictures.

The points are (bits per pixel, PSNR in dB). CompressAI's curve of VTM is about 0.26 dB above what
others reproduce, because it converts colors otherwise.
"""

from lib import paper_curve
from lib.curves import Curve

_BY_PSNR = {
    "bpg": (
        "BPG 4:4:4 (x265), CompressAI",
        ((0.0678, 26.195), (0.1610, 28.682), (0.3516, 31.595), (0.6847, 34.857), (1.1997, 38.260)),
    ),
    "vtm": (
        "VTM, CompressAI",
        (
            (0.0482, 26.145),
            (0.1125, 28.493),
            (0.2458, 31.200),
            (0.4905, 34.262),
            (0.8748, 37.420),
            (1.4308, 40.424),
        ),
    ),
    "hyperprior": (
        "bmshj2018-hyperprior, CompressAI",
        (
            (0.1313, 27.582),
            (0.2089, 29.197),
            (0.3199, 30.972),
            (0.4784, 32.838),
            (0.6687, 34.526),
            (0.9388, 36.743),
            (1.2592, 38.584),
        ),
    ),
    "factorized": (
        "bmshj2018-factorized (after Ballé 2017), CompressAI",
        (
            (0.1226, 26.909),
            (0.1885, 28.218),
            (0.2878, 29.617),
            (0.4404, 31.277),
            (0.6481, 32.956),
            (0.9670, 35.381),
            (1.3512, 37.397),
        ),
    ),
    "coin": (
        "COIN, results of the COIN++ authors",
        (
            (0.0368, 22.408),
            (0.0736, 23.205),
            (0.1604, 24.641),
            (0.3074, 26.412),
            (0.6109, 28.408),
            (1.2090, 30.644),
        ),
    ),
    "coin++": (
        "COIN++, its authors",
        ((0.0666, 23.682), (0.1325, 24.927), (0.2659, 26.143), (0.3983, 27.032), (0.5366, 27.798)),
    ),
    "elic": (
        "ELIC, its paper",
        (
            (0.1235, 29.113),
            (0.1965, 30.698),
            (0.3337, 32.784),
            (0.4908, 34.577),
            (0.7041, 36.488),
            (0.8573, 37.624),
        ),
    ),
    "cool-chic": (
        "Cool-Chic 5.0, its authors",
        ((0.0839, 27.435), (0.2186, 30.859), (0.4819, 34.521), (0.7594, 37.247), (1.3571, 41.167)),
    ),
    "c3": (
        "C3, its paper",
        (
            (0.0926, 27.065),
            (0.1339, 28.450),
            (0.2025, 30.032),
            (0.2761, 31.336),
            (0.3506, 32.395),
            (0.5144, 34.368),
            (0.7286, 36.384),
            (1.0800, 38.984),
            (1.4093, 40.847),
        ),
    ),
}

NAMES = {key: f"{name}, published" for key, (name, _) in _BY_PSNR.items()}
NAMES[paper_curve.KEY] = paper_curve.NAME


def curve(key: str, metric: str) -> Curve | None:
    """Return a published curve; None if it was not published in this measure."""
    if key == paper_curve.KEY:
        return paper_curve.curve(metric) if metric in ("psnr", "ms_ssim") else None
    return Curve.through(_BY_PSNR[key][1]) if metric == "psnr" else None
