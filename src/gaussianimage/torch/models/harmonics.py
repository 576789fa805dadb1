"""Real spherical harmonics up to degree 3, in which 3D Gaussian splatting writes colors."""

import math

import torch
from torch import Tensor

HARMONICS = 16


def harmonics(directions: Tensor) -> Tensor:
    """Evaluate the sixteen harmonics of degrees 0 to 3.

    Parameters
    ----------
    directions : Tensor, (N, 3)
        Unit vectors.

    Returns
    -------
    Tensor, (N, 16)
        By degree l and, within it, by order from −l to l; orthonormal on the unit sphere, without
        the Condon–Shortley phase.
    """
    x, y, z = directions.unbind(1)
    xx, yy, zz = x * x, y * y, z * z
    first = math.sqrt(3 / (4 * math.pi))
    second = math.sqrt(15 / (4 * math.pi))
    third = math.sqrt(35 / (32 * math.pi))
    inner = math.sqrt(21 / (32 * math.pi))
    mixed = math.sqrt(105 / (4 * math.pi))
    return torch.stack(
        [
            torch.full_like(x, math.sqrt(1 / (4 * math.pi))),
            first * y,
            first * z,
            first * x,
            second * x * y,
            second * y * z,
            math.sqrt(5 / (16 * math.pi)) * (2 * zz - xx - yy),
            second * x * z,
            second / 2 * (xx - yy),
            third * y * (3 * xx - yy),
            mixed * x * y * z,
            inner * y * (4 * zz - xx - yy),
            math.sqrt(7 / (16 * math.pi)) * z * (2 * zz - 3 * xx - 3 * yy),
            inner * x * (4 * zz - xx - yy),
            mixed / 2 * z * (xx - yy),
            third * x * (xx - 3 * yy),
        ],
        1,
    )
