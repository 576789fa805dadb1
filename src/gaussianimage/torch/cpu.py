"""Rendering and its gradient for float32 on a CPU, by the compiled module.

Colors, pictures and their gradients are passed without a copy. Centers and Cholesky factors, a few
numbers per Gaussian, are converted to float64.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaussianimage import _native
from gaussianimage._util.arguments import MAX_THREADS
from gaussianimage.torch.reference import drawable

# Channels that the module draws in one pass; more channels take several passes.
GROUP = 4


def render(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    height: int,
    width: int,
    q_max: float,
    threads: int,
) -> Tensor:
    """Draw (B, N, 2), (B, N, 3) and (B, N, C) as (B, height, width, C)."""
    count = _threads(threads)
    pictures = []
    for one in zip(means, cholesky, colors, strict=True):
        source = _Source(*one)
        parts = [
            torch.from_numpy(source.render(part, q_max, (height, width), count))
            for part in torch.split(one[2], GROUP, dim=1)
        ]
        pictures.append(parts[0] if len(parts) == 1 else torch.cat(parts, dim=2))
    if len(pictures) == 1:
        return pictures[0][None]
    empty = colors.new_empty((0, height, width, colors.shape[2]))
    return torch.stack(pictures) if pictures else empty


def gradient(
    means: Tensor,
    cholesky: Tensor,
    colors: Tensor,
    image_gradient: Tensor,
    q_max: float,
    threads: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the derivatives of (B, N, 2), (B, N, 3) and (B, N, C), given those of the picture."""
    count = _threads(threads)
    d_means, d_cholesky, d_colors = (torch.empty_like(t) for t in (means, cholesky, colors))
    for b in range(len(means)):
        source = _Source(means[b], cholesky[b], colors[b])
        center, covariance = np.zeros_like(source.means), np.zeros_like(source.cholesky)
        for first in range(0, colors.shape[2], GROUP):
            group = slice(first, first + GROUP)
            moved, reshaped, colored = _native.gradient(
                source.means,
                source.cholesky,
                _array(colors[b, :, group]),
                q_max,
                _array(image_gradient[b, :, :, group]),
                count,
            )
            center += moved
            covariance += reshaped
            d_colors[b, :, group] = torch.from_numpy(colored)
        d_means[b] = torch.from_numpy(center)
        d_cholesky[b] = torch.from_numpy(source.chain(covariance))
    return d_means, d_cholesky, d_colors


class _Source:
    """One picture's centers and Cholesky factors, with positive diagonals as the module expects."""

    def __init__(self, means: Tensor, cholesky: Tensor, colors: Tensor) -> None:
        self.means = means.double().numpy()
        self.cholesky = cholesky.double().numpy()  # a copy
        # A Gaussian with a zero on the diagonal draws nothing. Factors that are not finite would
        # make NaN of the zero derivatives in `chain`. The module sees some channels at a time, so
        # it would draw a Gaussian whose color is bad in another one.
        self.cholesky[~np.isfinite(self.cholesky).all(axis=1)] = 0
        if colors.shape[1] > GROUP:
            self.cholesky[~drawable(means, cholesky, colors).numpy()] = 0
        self._signs = np.sign(self.cholesky[:, [0, 0, 2]])
        self.cholesky *= self._signs

    def render(
        self, colors: Tensor, q_max: float, size: tuple[int, int], threads: int
    ) -> NDArray[np.float32]:
        """Draw with up to four channels of color."""
        return _native.render_floats(
            self.means, self.cholesky, _array(colors), q_max, *size, None, threads
        )

    def chain(self, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert derivatives by Σ = L Lᵀ, with xy as one parameter, to those by L."""
        (xx, xy, yy), (l11, l21, l22) = covariance.T, self.cholesky.T
        result = np.stack((2 * l11 * xx + l21 * xy, l11 * xy + 2 * l21 * yy, 2 * l22 * yy), axis=1)
        result *= self._signs
        return result


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.contiguous().numpy()
    return array


def _threads(threads: int) -> int:
    return threads or min(torch.get_num_threads(), MAX_THREADS)
