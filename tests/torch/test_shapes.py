import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage import geometry
from gaussianimage.torch import cholesky_from_covariance, cholesky_from_scale_rotation


def test_the_factor_of_a_covariance_gives_it_back():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(2, 20, 3)) * [3, 1, 3]
    covariance = np.stack(
        [
            factor[..., 0] ** 2,
            factor[..., 0] * factor[..., 1],
            factor[..., 1] ** 2 + factor[..., 2] ** 2,
        ],
        -1,
    )
    got = cholesky_from_covariance(torch.tensor(covariance))
    assert got.numpy() == pytest.approx(factor * np.sign(factor[..., [0, 0, 2]]), rel=1e-6)
    leaf = torch.tensor(covariance[0], requires_grad=True)
    assert torch.autograd.gradcheck(cholesky_from_covariance, (leaf,), eps=1e-6)


@pytest.mark.parametrize("bad", [[0, 0, 1], [1, 1, 1], [1, 2, 1], [-1, 0, 1], [1, 0, -1]])
def test_a_matrix_that_is_no_covariance_draws_nothing_and_has_no_gradient(bad):
    leaf = torch.tensor([bad, [4, 1, 2]], dtype=torch.float32, requires_grad=True)
    factor = cholesky_from_covariance(leaf)
    assert not factor[0].any()
    factor.sum().backward()
    assert not leaf.grad[0].any()
    assert leaf.grad[1].all()


def test_scales_and_rotation_give_their_covariance():
    rng = np.random.default_rng(0)
    scales, angles = rng.uniform(0.3, 9, (20, 2)), rng.uniform(-4, 4, 20)
    factor = cholesky_from_scale_rotation(torch.tensor(-scales), torch.tensor(angles)).numpy()
    expected = geometry.covariance_from_scale_rotation(scales, angles)
    assert geometry.covariance_from_cholesky(factor) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_misuse_is_refused():
    with pytest.raises(ValueError, match=r"covariance: expected shape \(\.\.\., 3\)"):
        cholesky_from_covariance(torch.ones(4, 4))
    with pytest.raises(ValueError, match=r"scales: expected shape \(4, 2\)"):
        cholesky_from_scale_rotation(torch.ones(4, 3), torch.ones(4))
    with pytest.raises(TypeError, match="rotation: expected"):
        cholesky_from_scale_rotation(torch.ones(4, 2), torch.ones(4).double())
