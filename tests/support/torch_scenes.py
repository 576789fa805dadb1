"""Gaussians as tensors, and what an error of their picture and its gradient is relative to."""

import numpy as np
import torch

from gaussianimage.gaussians import Gaussians

# Cholesky factors, a center or a color of one Gaussian that must draw nothing.
POISONS = {
    "NaN center": ("means", 0, np.nan),
    "infinite center": ("means", 1, np.inf),
    "far center": ("means", 1, -2e12),
    "NaN l11": ("cholesky", 0, np.nan),
    "zero l11": ("cholesky", 0, 0.0),
    "tiny l11": ("cholesky", 0, -5e-7),
    "huge l11": ("cholesky", 0, 3e12),
    "NaN l21": ("cholesky", 1, np.nan),
    "infinite l21": ("cholesky", 1, -np.inf),
    "huge l21": ("cholesky", 1, 3e12),
    "infinite l22": ("cholesky", 2, np.inf),
    "negative infinite l22": ("cholesky", 2, -np.inf),
    "zero l22": ("cholesky", 2, 0.0),
    "denormal l22": ("cholesky", 2, 1e-40),
    "NaN color": ("colors", 0, np.nan),
    "infinite color": ("colors", -1, -np.inf),
    "huge color": ("colors", -1, 2e30),
}


def tensors(gaussians, dtype=torch.float32, *, grad=False):
    """Return means, Cholesky factors and colors; without a batch."""
    arrays = gaussians.means, gaussians.cholesky(), gaussians.colors
    return tuple(torch.from_numpy(a.copy()).to(dtype).requires_grad_(grad) for a in arrays)


def doubles(inputs, *, grad=False):
    """Return the same numbers in float64."""
    return tuple(t.detach().double().requires_grad_(grad) for t in inputs)


def random_tensors(seed, batch, count, height, width, channels):
    """Return Gaussians of 0.5 px to a quarter of the picture, any signs in the Cholesky factors."""
    rng = np.random.default_rng(seed)
    shape = (*batch, count)
    scale = np.exp(rng.uniform(np.log(0.5), np.log(max(height, width) / 4 + 1), (*shape, 3)))
    scale *= rng.choice([-1, 1], (*shape, 3))
    means = rng.uniform(-0.2, 1.2, (*shape, 2)) * (width, height)
    colors = rng.normal(0, 0.5, (*shape, channels))
    return tuple(torch.tensor(a, dtype=torch.float32) for a in (means, scale, colors))


def as_gaussians(inputs, height, width, q_max):
    """Return the first channels of an unbatched picture as a `Gaussians`, for `near_cut`."""
    means, cholesky, colors = (t.detach().double().numpy() for t in inputs)
    return Gaussians.from_cholesky(means, cholesky, colors[:, :4], height, width, q_max)


def magnitudes(inputs, image_gradient, q_max):
    """Return Σ |term| of every pixel, and of the derivatives by means, L and colors.

    For one picture in float64: what a rounding error of each sum is relative to.
    """
    means, cholesky, colors = (t.detach().numpy() for t in inputs)
    R = np.abs(image_gradient.numpy())
    height, width, _ = R.shape
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    image = np.zeros(R.shape)
    parts = [np.zeros(a.shape) for a in (means, cholesky, colors)]
    for i in range(len(means)):
        l11, l21, l22 = cholesky[i]
        z1 = (x - means[i, 0]) / l11 + 0 * y
        z2 = (y - means[i, 1] - l21 * z1) / l22
        v1, v2 = np.abs(z1 - l21 * z2 / l22) / abs(l11), np.abs(z2 / l22)
        z1, z2 = np.abs(z1), np.abs(z2)
        q = (z1 * z1 + z2 * z2) / 2
        weight = np.where(q <= q_max, np.exp(-q), 0)
        image += weight[..., None] * np.abs(colors[i])
        g = weight * (R @ np.abs(colors[i]))
        parts[0][i] = np.sum(g * v1), np.sum(g * v2)
        parts[1][i] = np.sum(g * v1 * z1), np.sum(g * v2 * z1), np.sum(g * v2 * z2)
        parts[2][i] = np.einsum("hw,hwc->c", weight, R)
    return image, parts
