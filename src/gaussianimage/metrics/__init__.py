"""Metrics of quality (PSNR, SSIM, MS-SSIM) and of rate (bits per pixel, Bjøntegaard deltas)."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gaussianimage.metrics.bd_rate import bd_psnr, bd_rate

__all__ = ["MS_SSIM_SIDE", "bd_psnr", "bd_rate", "bpp", "ms_ssim", "mse", "psnr", "ssim"]

_Planes: TypeAlias = npt.NDArray[np.float32]
_Means: TypeAlias = npt.NDArray[np.float64]

# SSIM's window and constants, which PyTorch's losses share: Wang et al. 2004, section III.B.
SSIM_WINDOW = 11  # taps
SSIM_SIGMA = 1.5  # px
SSIM_C1 = 0.01**2  # (K1 L)² and (K2 L)² for a dynamic range of L = 1
SSIM_C2 = 0.03**2

_BLOCK = 64
_BAND = 2**20  # values that `mse` compares at a time
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2

# Least height and width of pictures for `ms_ssim`, in pixels: its smallest scale holds one window.
MS_SSIM_SIDE = (SSIM_WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1


def mse(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the mean squared error of two pictures, over all pixels and channels.

    Parameters
    ----------
    a, b : array_like, shape (H, W) or (H, W, C)
        Pictures of the same shape. Integers (``uint8``, ``uint16``) are scaled to 0..1 first, so
        the types may differ. Floating-point values are not scaled.

    Returns
    -------
    float
        Mean of squared differences, where white is 1; NaN if a pixel is NaN.

    Raises
    ------
    TypeError
        An array has another type.
    ValueError
        The shapes differ, or are not those of pictures.
    """
    first, second = _pair(a, b)
    total = 0.0
    rows = max(1, _BAND // first[0].size)
    for top in range(0, len(first), rows):
        total += _squared_error(first[top : top + rows], second[top : top + rows])
    return total / first.size


def psnr(a: npt.ArrayLike, b: npt.ArrayLike, *, peak: float = 1.0) -> float:
    """Return the peak signal-to-noise ratio of two pictures, 10 log₁₀(peak² / mse).

    Parameters
    ----------
    a, b : array_like, shape (H, W) or (H, W, C)
        Pictures of the same shape; see `mse`. Integers are scaled to 0..1.
    peak : float
        Value of white after the scaling.

    Returns
    -------
    float
        PSNR in dB; infinite for equal pictures.

    Raises
    ------
    TypeError, ValueError
        See `mse`.
    """
    error = mse(a, b)
    return float("inf") if error == 0 else 10 * float(np.log10(peak**2 / error))


def ssim(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the structural similarity of two pictures, the mean over channels and pixels.

    The window is Gaussian, 11×11 with σ = 1.5 px; K₁ = 0.01 and K₂ = 0.03. The mean is over the
    pixels whose window lies inside the picture. ``pytorch_msssim.ssim`` with data_range=1 returns
    the same number.

    Parameters
    ----------
    a, b : array_like, shape (H, W) or (H, W, C)
        Pictures of the same shape; see `mse`. H and W are at least 11. All channels count alike.

    Returns
    -------
    float
        SSIM, at most 1; equal pictures have 1.

    Raises
    ------
    TypeError, ValueError
        See `mse`. A picture smaller than the window is a ValueError.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: Image quality assessment: from error
    visibility to structural similarity. IEEE Transactions on Image Processing 13(4), 2004.
    """
    x, y = _planes(a, b)
    if min(x.shape[1:]) < SSIM_WINDOW:
        raise ValueError(
            f"ssim: expected pictures of at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels"
        )
    similarity, _ = _similarity(x, y)
    return float(similarity.mean())


def ms_ssim(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the multi-scale structural similarity of two pictures, the mean over channels.

    There are five scales, each half the size of the previous one, with the weights of the paper.
    ``pytorch_msssim.ms_ssim`` with data_range=1 returns the same number, so it can be compared with
    published figures.

    Parameters
    ----------
    a, b : array_like, shape (H, W) or (H, W, C)
        Pictures of the same shape; see `mse`. H and W are at least `MS_SSIM_SIDE`, 161, so that the
        window fits into the smallest scale. All channels count alike.

    Returns
    -------
    float
        MS-SSIM, 0..1; equal pictures have 1.

    Raises
    ------
    TypeError, ValueError
        See `mse`. A picture that is too small is a ValueError.

    Notes
    -----
    As in pytorch-msssim, an odd side is padded by one row or column of zeros before it is halved,
    and negative contrast terms count as 0.

    References
    ----------
    Z. Wang, E. P. Simoncelli, A. C. Bovik: Multi-scale structural similarity for image quality
    assessment. Asilomar Conference on Signals, Systems and Computers, 2003.
    """
    x, y = _planes(a, b)
    if min(x.shape[1:]) < MS_SSIM_SIDE:
        least = f"{MS_SSIM_SIDE} x {MS_SSIM_SIDE}"
        raise ValueError(f"ms_ssim: expected pictures of at least {least} pixels")
    result = np.ones(x.shape[0])
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x, y = _halved(x), _halved(y)
        similarity, contrast = _similarity(x, y)
        last = scale == len(SCALE_WEIGHTS) - 1
        result *= np.maximum(similarity if last else contrast, 0) ** weight
    return float(result.mean())


def bpp(n_bytes: int, height: int, width: int) -> float:
    """Return the bits per pixel of a file.

    Parameters
    ----------
    n_bytes : int
        Length of the whole file in bytes.
    height, width : int
        Size of the picture in pixels.

    Raises
    ------
    ValueError
        A side is not positive, or the length is negative.
    """
    if n_bytes < 0 or height < 1 or width < 1:
        raise ValueError(f"expected a picture, got {n_bytes} bytes for {width} x {height} pixels")
    return 8 * n_bytes / (height * width)


def _pair(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return two pictures as arrays of one shape (H, W, C), of the types that `mse` takes."""
    first, second = _picture("a", a), _picture("b", b)
    if first.shape != second.shape:
        raise ValueError(f"b: expected the shape of a, {np.shape(a)}, got {np.shape(b)}")
    return first, second


def _picture(name: str, array: npt.ArrayLike) -> npt.NDArray[Any]:
    image = np.asarray(array)
    if image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"{name}: expected shape (H, W) or (H, W, C), got {image.shape}")
    if image.dtype.kind != "f" and not (image.dtype.kind == "u" and image.dtype.itemsize <= 2):
        raise TypeError(f"{name}: expected uint8, uint16 or floating point, got {image.dtype}")
    return np.atleast_3d(image)


def _squared_error(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Return the sum of squared differences, where white is 1."""
    if a.dtype == b.dtype == np.uint8:
        # Exact, and in a fraction of the time.
        difference = np.subtract(a, b, dtype=np.int32)
        return int(np.square(difference, out=difference).sum(dtype=np.int64)) / 255**2
    x, y = (_unit(picture, np.float64) for picture in (a, b))
    x -= y
    # Not by a product of vectors: the threads of BLAS would go on spinning.
    return float(np.square(x, out=x).sum())


def _unit(picture: npt.NDArray[Any], dtype: Any) -> npt.NDArray[Any]:
    """Return a copy in a floating-point type, where white is 1."""
    unit = picture.astype(dtype)
    if picture.dtype.kind == "u":
        unit /= np.iinfo(picture.dtype).max
    return unit


def _planes(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[_Planes, ...]:
    """Return the pictures as (C, H, W), with a contiguous plane for each channel."""
    units = (_unit(picture, np.float32) for picture in _pair(a, b))
    return tuple(np.ascontiguousarray(np.moveaxis(unit, 2, 0)) for unit in units)


def _similarity(x: _Planes, y: _Planes) -> tuple[_Means, _Means]:
    """Return the mean SSIM and the mean contrast-structure factor of each channel, both (C,).

    x and y have shape (C, H, W). The sums are in double precision: a variance is the difference of
    two nearly equal numbers, and in single precision its fifth digit is wrong in flat areas.
    """
    channels, height, width = x.shape
    rows, columns = height - SSIM_WINDOW + 1, width - SSIM_WINDOW + 1
    sums = np.zeros((2, channels))
    for start in range(0, rows, _BLOCK):  # bounds the memory and keeps it in the cache
        part = slice(start, min(start + _BLOCK, rows) + SSIM_WINDOW - 1)
        a, b = x[:, part].astype(np.float64), y[:, part].astype(np.float64)
        mean_a, mean_b, aa, bb, ab = _blurred(np.stack([a, b, a * a, b * b, a * b]))
        aa -= mean_a * mean_a
        bb -= mean_b * mean_b
        ab -= mean_a * mean_b
        contrast = (2 * ab + SSIM_C2) / (aa + bb + SSIM_C2)
        luminance = (2 * mean_a * mean_b + SSIM_C1) / (mean_a * mean_a + mean_b * mean_b + SSIM_C1)
        sums += (luminance * contrast).sum(axis=(1, 2)), contrast.sum(axis=(1, 2))
    similarity, contrast = sums / (rows * columns)
    return similarity, contrast


def _blurred(planes: _Means) -> _Means:
    """Blur the last two axes by the window where it fits: (..., H, W) to (..., H-10, W-10)."""
    *outer, height, width = planes.shape
    flat = planes.reshape(-1, height, width)
    rows = np.empty((len(flat), height - SSIM_WINDOW + 1, width))
    # A product with banded matrices, in blocks. It takes seven times the arithmetic of the plain
    # sum but is faster, because BLAS does not go through the memory once for every tap.
    for start, stop, band in _bands(height):
        np.matmul(band.T, flat[:, start : stop + SSIM_WINDOW - 1], out=rows[:, start:stop])
    result = np.empty((*rows.shape[:2], width - SSIM_WINDOW + 1))
    for start, stop, band in _bands(width):
        np.matmul(rows[:, :, start : stop + SSIM_WINDOW - 1], band, out=result[:, :, start:stop])
    return result.reshape(*outer, *result.shape[1:])


def _bands(length: int) -> list[tuple[int, int, _Means]]:
    """Divide the blur of a line into blocks: (start, stop, matrix from inputs to outputs)."""
    taps = np.exp(-0.5 * ((np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) / SSIM_SIGMA) ** 2)
    taps /= taps.sum()
    matrix = np.zeros((_BLOCK + SSIM_WINDOW - 1, _BLOCK))
    for column in range(_BLOCK):
        matrix[column : column + SSIM_WINDOW, column] = taps
    outputs = length - SSIM_WINDOW + 1
    bands = []
    for start in range(0, outputs, _BLOCK):
        size = min(_BLOCK, outputs - start)
        bands.append((start, start + size, matrix[: size + SSIM_WINDOW - 1, :size]))
    return bands


def _halved(planes: _Planes) -> _Planes:
    """Average blocks of 2×2 pixels of (C, H, W); a line of zeros precedes an odd side."""
    _, height, width = planes.shape
    padded = np.pad(planes, ((0, 0), (height % 2, 0), (width % 2, 0)))
    rows = padded[:, 0::2] + padded[:, 1::2]
    return np.multiply(rows[:, :, 0::2] + rows[:, :, 1::2], 0.25, dtype=np.float32)
