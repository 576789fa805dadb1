"""The published points of the GaussianImage codec, which has no file to be measured.

X. Zhang, X. Ge, T. Xu, D. He, Y. Wang, H. Qin, G. Lu, J. Geng, J. Zhang: GaussianImage: 1000 FPS
image representation and compression by 2D Gaussian splatting. ECCV 2024, arXiv 2403.08551.

The rate follows from the paper's recipe, which has no entropy coding: 16 bits for each of two
coordinates, 6 for each of three Cholesky factors and 6 for the color's two codebook entries are
56 bits for each of N Gaussians; the codebooks and the quantizers' parameters are 54 floats of
32 bits. PSNR and MS-SSIM are read off the paper's rate–distortion figure: means over all 24
pictures of the Kodak set at 768 x 512, whatever pictures our own codec is measured on.
"""

from curves import Curve, decibels

KEY = "paper"
NAME = "GaussianImage (ECCV 2024), published"
PIXELS = 768 * 512

# Gaussians: PSNR in dB, MS-SSIM
POINTS = {
    800: (24.67, 0.838),
    1000: (25.05, 0.855),
    3000: (27.39, 0.923),
    5000: (28.72, 0.946),
    7000: (29.65, 0.9575),
    9000: (30.49, 0.965),
}


def bits_per_pixel(gaussians: int) -> float:
    return (56 * gaussians + 1728) / PIXELS


def curve(metric: str) -> Curve:
    """Return the published curve in "psnr" or "ms_ssim", in dB."""
    points = []
    for gaussians, (psnr, ms_ssim) in POINTS.items():
        quality = psnr if metric == "psnr" else decibels(ms_ssim)
        points.append((bits_per_pixel(gaussians), quality))
    result = Curve.through(points)
    assert result is not None
    return result
