"""SIREN, a picture as a network with sine activations, and COIN, the same network as a file.

V. Sitzmann, J. Martel, A. Bergman, D. Lindell, G. Wetzstein: Implicit neural representations with
periodic activation functions. NeurIPS 2020, arXiv 2006.09661.
E. Dupont, A. Goliński, M. Alizadeh, Y. W. Teh, A. Doucet: COIN: compression with implicit neural
representations. ICLR workshop 2021, arXiv 2103.03123.

COIN publishes rates of 16 bits a weight, but no file format. The format here is little-endian: the
four bytes "COIN"; version (1) and number of hidden layers as bytes; neurons per layer, picture
height and picture width as 16-bit integers; the weights (a row for each neuron) and biases of every
layer as IEEE half-precision numbers, first layer first; and the CRC-32 of all bytes before it.
"""

import math
import struct
import zlib
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

FREQUENCY = 30.0  # omega_0

_HEADER = struct.Struct("<4sBBHHH")
_CHECKSUM = struct.Struct("<I")
_MAGIC = b"COIN"
_VERSION = 1


class Siren(nn.Module):
    """A network from coordinates (P, 2) in -1..1 to colors (P, 3).

    Parameters
    ----------
    width : int
        Neurons in each layer of sines.
    layers : int
        Number of layers of sines.
    """

    def __init__(self, width: int, layers: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = [2, *[width] * layers]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.last = nn.Linear(width, 3)
        with torch.no_grad():  # section 3.2 of the paper
            for number, layer in enumerate([*self.hidden, self.last]):
                fan_in = layer.in_features
                bound = math.sqrt(6 / fan_in) / FREQUENCY if number else 1 / fan_in
                layer.weight.uniform_(-bound, bound, generator=generator)
                bound = 1 / math.sqrt(fan_in)
                layer.bias.uniform_(-bound, bound, generator=generator)

    def forward(self, coordinates: Tensor) -> Tensor:
        """Return the colors, unclamped."""
        for layer in self.hidden:
            coordinates = torch.sin(FREQUENCY * layer(coordinates))
        return 0.5 + 0.5 * self.last(coordinates)


def write_coin(network: Siren, height: int, width: int) -> bytes:
    """Return the file of a network and the size of its picture."""
    layers, neurons = len(network.hidden), network.last.in_features
    parts = [_HEADER.pack(_MAGIC, _VERSION, layers, neurons, height, width)]
    for tensor in network.state_dict().values():
        half = tensor.detach().cpu().numpy().astype("<f2")
        if not np.isfinite(half).all():
            raise ValueError("network: a weight does not fit into 16 bits")
        parts.append(half.tobytes())
    data = b"".join(parts)
    return data + _CHECKSUM.pack(zlib.crc32(data))


def read_coin(data: bytes) -> tuple[Siren, int, int]:
    """Return the network of a file, and the picture's height and width."""
    if len(data) < _HEADER.size + _CHECKSUM.size or data[:4] != _MAGIC:
        raise ValueError("data: not a COIN file")
    body, (checksum,) = data[: -_CHECKSUM.size], _CHECKSUM.unpack(data[-_CHECKSUM.size :])
    _, version, layers, neurons, height, width = _HEADER.unpack_from(body)
    if version != _VERSION or zlib.crc32(body) != checksum:
        raise ValueError("data: a COIN file of another version, or a damaged one")
    network = Siren(neurons, layers, torch.Generator())
    values = np.frombuffer(body, "<f2", offset=_HEADER.size).astype(np.float32)
    state = network.state_dict()
    if sum(tensor.numel() for tensor in state.values()) != values.size:
        raise ValueError("data: a COIN file with more or fewer weights than its header says")
    start = 0
    for tensor in state.values():
        part = values[start : start + tensor.numel()]
        tensor.copy_(torch.from_numpy(part.reshape(tensor.shape)))
        start += tensor.numel()
    return network, height, width
