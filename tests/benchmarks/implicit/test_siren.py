import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from implicit.methods import Settings, coordinates, draw, fit
from implicit.siren import Siren, read_coin, write_coin

from gaussianimage.metrics import psnr


@pytest.fixture
def network():
    return Siren(24, 3, torch.Generator().manual_seed(5))


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("width", "expected"), [(300, 272_703), (400, 483_603)])
def test_the_paper_s_networks_have_the_paper_s_sizes(width, expected):
    assert parameters(Siren(width, 4, torch.Generator())) == expected


def test_it_comes_close_to_a_picture_and_so_does_its_file(pixels, network):
    height, width, _ = pixels.shape
    places = coordinates(height, width, torch.device("cpu"))
    target = torch.tensor(pixels).reshape(-1, 3) / 255
    before = psnr(pixels, draw(network, places).reshape(pixels.shape).numpy())
    fit(network, target, places, 1e-3, Settings(300, 768))
    fitted = psnr(pixels, draw(network, places).reshape(pixels.shape).numpy())
    decoded, *size = read_coin(write_coin(network, height, width))
    again = psnr(pixels, draw(decoded, places).reshape(pixels.shape).numpy())
    assert before < 12
    assert fitted > 25
    assert fitted - 1 < again != fitted
    assert size == [height, width]


def test_a_file_has_two_bytes_a_weight_and_sixteen_more(network):
    data = write_coin(network, 48, 64)
    assert len(data) == 2 * parameters(network) + 16
    decoded, _, _ = read_coin(data)
    for name, tensor in network.state_dict().items():
        assert torch.equal(decoded.state_dict()[name], tensor.half().float())


def test_a_damaged_file_is_refused(network):
    data = write_coin(network, 48, 64)
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    for bad in (b"", b"GIF89a" + data[6:], data[:-1], data + b"\0", flipped):
        with pytest.raises(ValueError, match=r"^data: "):
            read_coin(bad)


def test_weights_that_need_more_than_16_bits_are_refused(network):
    with torch.no_grad():
        network.last.bias[0] = 1e6
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=r"^network: "):
        write_coin(network, 48, 64)
