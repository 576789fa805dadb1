"""The device of a run, and the machine in a record."""

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.paper.environment import environment, parse_device


def test_a_device_that_is_not_there_is_an_error_that_says_why() -> None:
    assert parse_device("cpu").type == "cpu"
    for name in ("nonsense", "meta"):
        with pytest.raises(ValueError, match=r"^device: expected cpu or cuda"):
            parse_device(name)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"^device: no CUDA device is available here"):
            parse_device("cuda")
    else:
        with pytest.raises(ValueError, match=r"^device: cuda:99"):
            parse_device("cuda:99")


def test_a_record_says_what_its_times_depend_on() -> None:
    found = environment(torch.device("cpu"))
    assert found["threads"] == torch.get_num_threads()
    assert found["torch"] == torch.__version__
    assert "gpu" not in found
