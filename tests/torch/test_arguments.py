"""Checks of tensors."""

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.torch.arguments import check_like_means, check_shape, check_tensor

MEANS = torch.zeros(4, 2)


def test_what_is_right_passes():
    check_shape("colors", torch.zeros(4, 3), (4, 3))
    check_like_means("colors", torch.zeros(4, 3), MEANS)


# Of each of these, what PyTorch itself says depends on where it first fails.
ODD = {
    "int64": lambda t: t.long(),
    "bool": lambda t: t.bool(),
    "float16": lambda t: t.half(),
    "bfloat16": lambda t: t.bfloat16(),
    "complex64": lambda t: t.to(torch.complex64),
    "sparse_coo": lambda t: t.to_sparse(),
    "sparse_csr": lambda t: t.to_sparse_csr(),
    "sparse_csc": lambda t: t.to_sparse_csc(),
    "sparse_bsr": lambda t: t.to_sparse_bsr((2, 1)),
    "mkldnn": lambda t: t.to_mkldnn(),
    "nested": lambda t: torch.nested.nested_tensor([t, t]),
    "jagged": lambda t: torch.nested.nested_tensor([t, t], layout=torch.jagged),
    "list": lambda t: t.tolist(),
    "ndarray": lambda t: t.numpy(),
    "NoneType": lambda _: None,
}


@pytest.mark.filterwarnings("ignore:Sparse")  # PyTorch's, of features in beta
@pytest.mark.filterwarnings("ignore:.*nested tensors")
@pytest.mark.parametrize("kind", ODD)
def test_tensors_of_an_odd_kind_are_refused_by_name(kind):
    with pytest.raises(TypeError, match=rf"^colors: expected .*\b{kind}\b"):
        check_tensor("colors", ODD[kind](torch.ones(4, 3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ordinary_tensors_pass_however_they_lie_in_memory(dtype):
    ordinary = torch.ones(4, 3, dtype=dtype)
    for tensor in (ordinary, ordinary.T, ordinary[:0], ordinary[:1].expand(4, 3)):
        check_tensor("colors", tensor)
    check_tensor("colors", torch.nn.Parameter(ordinary))
    check_tensor("colors", ordinary.to("meta"))


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match=r"^colors: expected shape \(4, 3\), got \(4,\)$"):
        check_shape("colors", torch.zeros(4), (4, 3))
    with pytest.raises(TypeError, match=r"^colors: expected torch.float32 as in means, got .*64$"):
        check_like_means("colors", torch.zeros(4, 3).double(), MEANS)
    with pytest.raises(ValueError, match=r"^colors: expected a tensor on cpu as means, .* meta"):
        check_like_means("colors", torch.zeros(4, 3, device="meta"), MEANS)
