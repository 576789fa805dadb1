"""Checks of tensors."""

import pytest
import torch

from gaussianimage.torch.arguments import check_like_means, check_shape

MEANS = torch.zeros(4, 2)


def test_what_is_right_passes():
    check_shape("colors", torch.zeros(4, 3), (4, 3))
    check_like_means("colors", torch.zeros(4, 3), MEANS)


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match=r"^colors: expected shape \(4, 3\), got \(4,\)$"):
        check_shape("colors", torch.zeros(4), (4, 3))
    with pytest.raises(TypeError, match=r"^colors: expected torch.float32 as in means, got .*64$"):
        check_like_means("colors", torch.zeros(4, 3).double(), MEANS)
    with pytest.raises(ValueError, match=r"^colors: expected a tensor on cpu as means, .* meta"):
        check_like_means("colors", torch.zeros(4, 3, device="meta"), MEANS)
