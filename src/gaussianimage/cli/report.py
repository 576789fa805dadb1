"""The text of results: sizes, times, and the line that ends a command."""

import math

from gaussianimage.metrics import bpp

__all__ = [
    "bytes_text",
    "decibels",
    "dimensions",
    "finite",
    "plural",
    "result_line",
    "seconds_text",
]


def result_line(
    height: int,
    width: int,
    gaussians: int,
    *,
    n_bytes: int | None = None,
    psnr: float | None = None,
    seconds: float | None = None,
) -> str:
    """Return a line such as "768 x 512, 9000 Gaussians, 27.3 kB (0.556 bpp), 34.1 dB, 4.8 s".

    Parameters
    ----------
    height, width : int
        Size of the picture in pixels.
    gaussians : int
        Number of Gaussians.
    n_bytes : int, optional
        Length of the file in bytes.
    psnr : float, optional
        PSNR in dB.
    seconds : float, optional
        Duration of the command in seconds.
    """
    parts = [dimensions(height, width), plural(gaussians, "Gaussian")]
    if n_bytes is not None:
        parts.append(f"{bytes_text(n_bytes)} ({bpp(n_bytes, height, width):.3f} bpp)")
    if psnr is not None:
        parts.append(decibels(psnr))
    if seconds is not None:
        parts.append(seconds_text(seconds))
    return ", ".join(parts)


def finite(value: float) -> float | None:
    """Return a finite number unchanged, and None for any other; JSON has no infinity."""
    return value if math.isfinite(value) else None


def dimensions(height: int, width: int) -> str:
    """Return a size with the width first, as in "768 x 512"."""
    return f"{width} x {height}"


def plural(count: int, noun: str) -> str:
    """Return a number and a noun: "1 Gaussian", "2 Gaussians"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def bytes_text(count: int) -> str:
    """Return a number of bytes in B, kB or MB: powers of 1000."""
    if count < 1000:
        return f"{count} B"
    if count < 999_950:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1e6:.2f} MB"


def decibels(value: float) -> str:
    """Return a PSNR in dB with one decimal; the second is invisible."""
    return "no error" if value == math.inf else f"{value:.1f} dB"


def seconds_text(seconds: float) -> str:
    """Return a duration in ms, s, minutes and seconds, or hours and minutes."""
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
