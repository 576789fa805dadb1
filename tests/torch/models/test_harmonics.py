import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.torch.models.harmonics import HARMONICS, harmonics


def sphere():
    """Return directions and weights that integrate polynomials of degree 7 over the sphere."""
    heights, weights = np.polynomial.legendre.leggauss(4)
    angles = np.arange(8) * (2 * math.pi / 8)
    z, angle = (part.ravel() for part in np.meshgrid(heights, angles, indexing="ij"))
    radius = np.sqrt(1 - z**2)
    directions = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)
    return torch.tensor(directions), torch.tensor(np.repeat(weights, 8) * (2 * math.pi / 8))


def test_harmonics_are_orthonormal():
    directions, weights = sphere()
    values = harmonics(directions)
    assert values.shape == (32, HARMONICS)
    products = values.T @ (weights[:, None] * values)
    assert torch.allclose(products, torch.eye(HARMONICS, dtype=torch.float64), atol=1e-12)


def test_degrees_are_eigenspaces_of_the_laplacian():
    # Orthonormal functions could be mixed between degrees; the addition theorem tells them apart.
    directions, _ = sphere()
    values = harmonics(directions)
    cosines = directions @ directions.T
    legendre = [
        torch.ones_like(cosines),
        cosines,
        (3 * cosines**2 - 1) / 2,
        (5 * cosines**3 - 3 * cosines) / 2,
    ]
    for degree, polynomial in enumerate(legendre):
        part = values[:, degree**2 : (degree + 1) ** 2]
        expected = (2 * degree + 1) / (4 * math.pi) * polynomial
        assert torch.allclose(part @ part.T, expected, atol=1e-12)
