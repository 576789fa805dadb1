"""The published numbers of the paper's tables, for comparison with measured ones.

X. Zhang, X. Ge, T. Xu, D. He, Y. Wang, H. Qin, G. Lu, J. Geng, J. Zhang: GaussianImage: 1000 FPS
image representation and compression by 2D Gaussian splatting. ECCV 2024, arXiv 2403.08551.

All numbers are means over the 24 pictures of the Kodak set, or over the 100 pictures of DIV2K's
validation set at half size (×2 bicubic), on an NVIDIA V100, after 50,000 iterations. Frames a
second were measured without waiting for the GPU. The module does not need PyTorch.
"""

from dataclasses import dataclass

__all__ = [
    "BITS_PER_GAUSSIAN",
    "CODECS",
    "COMPONENTS",
    "INITIALIZATION",
    "LOSSES",
    "QUANTIZATION",
    "RATE_DISTORTION",
    "REPRESENTATIONS",
    "SIDE_BITS",
    "Ablation",
    "Codec",
    "Offset",
    "QuantizerAblation",
    "RatePoint",
    "Representation",
    "formula_bits",
]

# Without entropy coding, a Gaussian has two 16-bit coordinates, three 6-bit Cholesky factors and
# two 3-bit codebook indices. A file has two codebooks of 8 × 3 numbers and six quantizer
# parameters, of 32 bits each.
BITS_PER_GAUSSIAN = 56
SIDE_BITS = 1728


def formula_bits(gaussians: int) -> int:
    """Return the bits that the paper counts for a picture of `gaussians` Gaussians."""
    return BITS_PER_GAUSSIAN * gaussians + SIDE_BITS


@dataclass(frozen=True)
class Representation:
    """A row of Table 1; seconds of training, frames a second, MiB on the GPU, 1000 parameters."""

    method: str
    psnr: float  # dB
    ms_ssim: float
    seconds: float
    fps: float
    memory_mib: int
    parameters_k: float


REPRESENTATIONS = {
    "kodak": (
        Representation("WIRE", 41.47, 0.9939, 14338.78, 11.14, 2619, 136.74),
        Representation("SIREN", 40.83, 0.9960, 6582.36, 29.15, 1809, 272.70),
        Representation("I-NGP", 43.88, 0.9976, 490.61, 1296.82, 1525, 300.09),
        Representation("NeuRBF", 43.78, 0.9964, 991.83, 663.01, 2091, 337.29),
        Representation("3D GS", 43.69, 0.9991, 339.78, 859.44, 557, 3540.00),
        Representation("Ours", 44.08, 0.9985, 106.59, 2092.17, 419, 560.00),
    ),
    "div2k": (
        Representation("WIRE", 35.64, 0.9511, 25684.23, 14.25, 2619, 136.74),
        Representation("SIREN", 39.08, 0.9958, 15125.11, 11.07, 2053, 483.60),
        Representation("I-NGP", 37.06, 0.9950, 676.29, 1331.54, 1906, 525.40),
        Representation("NeuRBF", 38.60, 0.9913, 1715.44, 706.40, 2893, 383.65),
        Representation("3D GS", 39.36, 0.9979, 481.27, 640.33, 709, 4130.00),
        Representation("Ours", 39.53, 0.9975, 120.76, 1737.60, 439, 560.00),
    ),
}


@dataclass(frozen=True)
class Codec:
    """Half a row of Table 2, at the lower or the higher of its two rates, on DIV2K."""

    codec: str
    bpp: float
    psnr: float  # dB
    ms_ssim: float
    encode_fps: float
    decode_fps: float


CODECS = (
    Codec("JPEG", 0.3197, 25.2920, 0.9020, 608.61, 614.68),
    Codec("JPEG", 0.5638, 28.4299, 0.9559, 557.35, 545.59),
    Codec("JPEG2000", 0.2394, 27.2792, 0.9305, 3.46, 4.32),
    Codec("JPEG2000", 0.5993, 30.9294, 0.9663, 3.40, 3.93),
    Codec("Ballé17", 0.2271, 27.7168, 0.9508, 21.23, 18.83),
    Codec("Ballé17", 0.4987, 30.7759, 0.9775, 16.53, 17.87),
    Codec("Ballé18", 0.2533, 28.7548, 0.9584, 16.53, 15.87),
    Codec("Ballé18", 0.5415, 32.2351, 0.9816, 13.56, 15.20),
    Codec("COIN", 0.3419, 25.8012, 0.8905, 5.30e-4, 166.31),
    Codec("COIN", 0.6780, 27.6126, 0.9306, 3.51e-4, 93.74),
    Codec("Ours", 0.3221, 25.6631, 0.9154, 4.11e-3, 1970.76),
    Codec("Ours", 0.6417, 27.5656, 0.9483, 4.73e-3, 1980.54),
)


@dataclass(frozen=True)
class Ablation:
    """A row of Table 3: Kodak, 30,000 Gaussians. Unreported times and speeds are None."""

    variant: str
    model: str  # of `gaussianimage paper represent --model`
    loss: str
    psnr: float  # dB
    ms_ssim: float
    seconds: float | None
    fps: float | None
    parameters_k: float


COMPONENTS = (
    Ablation("3D GS (L1+SSIM)", "3dgs", "l1+ssim", 37.75, 0.9961, 285.26, 1067, 1770),
    Ablation("3D GS (L2)", "3dgs", "l2", 37.41, 0.9947, 197.90, 1190, 1770),
    Ablation("alpha-blending", "alpha", "l2", 37.89, 0.9961, 104.76, 2340, 270),
    Ablation("+ summation", "opacity", "l2", 38.69, 0.9963, 98.54, 2555, 270),
    Ablation("+ merged color", "cholesky", "l2", 38.57, 0.9961, 91.06, 2565, 240),
    Ablation("scale-rotation", "rs", "l2", 38.83, 0.9964, 98.55, 2321, 240),
)
LOSSES = (
    Ablation("L1", "cholesky", "l1", 36.46, 0.9937, 92.68, None, 240),
    Ablation("SSIM", "cholesky", "ssim", 35.65, 0.9952, 183.20, None, 240),
    Ablation("L1+SSIM", "cholesky", "l1+ssim", 36.57, 0.9945, 188.22, None, 240),
    Ablation("L2+SSIM", "cholesky", "l2+ssim", 34.73, 0.9932, 189.17, None, 240),
    Ablation("L2", "cholesky", "l2", 38.57, 0.9961, 91.06, 2565, 240),
)


@dataclass(frozen=True)
class QuantizerAblation:
    """A row of Table 4: another quantizer of color, compared with the final one.

    The numbers are differences at equal rate (dB, and MS-SSIM) and at equal quality (% of the
    rate).
    """

    variant: str
    color: str  # of `gaussianimage paper compress`
    color_bits: int
    commitment: bool
    bd_psnr: float
    bd_rate_psnr: float
    bd_ms_ssim: float
    bd_rate_ms_ssim: float


QUANTIZATION = (
    QuantizerAblation("final", "rvq", 6, True, 0.0, 0.0, 0.0, 0.0),
    QuantizerAblation("V1: no commitment", "rvq", 6, False, -3.145, 333.16, -0.0824, 337.84),
    QuantizerAblation("V2: 6-bit integers", "int", 6, True, -0.159, 7.02, -0.0030, 6.14),
    QuantizerAblation("V3: 8-bit integers", "int", 8, True, -0.195, 11.69, -0.0127, 62.77),
)


@dataclass(frozen=True)
class Offset:
    """A row of Table 5: PSNR in dB at 30,000 Gaussians, with or without the offset of ½ px."""

    model: str
    offset: bool
    kodak: float
    div2k: float


INITIALIZATION = (
    Offset("cholesky", True, 38.57, 34.51),
    Offset("cholesky", False, 35.05, 31.63),
    Offset("rs", True, 38.83, 34.64),
    Offset("rs", False, 36.34, 32.51),
)


@dataclass(frozen=True)
class RatePoint:
    """A point of the rate–distortion figures, read off the figures unless the formula gives it.

    `bits_back` is the bits per pixel with partial bits-back coding, and `bound` with its full
    saving.
    """

    gaussians: int
    bpp: float
    psnr: float  # dB
    ms_ssim: float
    bits_back: float
    bound: float


RATE_DISTORTION = {
    "kodak": (
        RatePoint(800, 0.1183, 24.67, 0.838, 0.102, 0.1017),
        RatePoint(1000, 0.1468, 25.05, 0.855, 0.126, 0.1251),
        RatePoint(3000, 0.4316, 27.39, 0.923, 0.366, 0.3545),
        RatePoint(5000, 0.7165, 28.72, 0.946, 0.600, 0.5786),
        RatePoint(7000, 1.0013, 29.65, 0.9575, 0.836, 0.7996),
        RatePoint(9000, 1.2861, 30.49, 0.965, 1.068, 1.0185),
    ),
    "div2k": (
        RatePoint(2000, 0.163, 24.01, 0.867, 0.139, 0.136),
        RatePoint(4000, 0.3221, 25.66, 0.9154, 0.272, 0.263),
        RatePoint(6000, 0.482, 26.74, 0.937, 0.404, 0.388),
        RatePoint(8000, 0.6417, 27.57, 0.948, 0.534, 0.510),
        RatePoint(10000, 0.801, 28.21, 0.9565, 0.664, 0.633),
        RatePoint(14000, 1.120, 29.31, 0.966, 0.923, 0.875),
    ),
}
