"""WIRE, a picture as a network with complex Gabor wavelets as activations.

V. Saragadam, D. LeJeune, J. Tan, G. Balakrishnan, A. Veeraraghavan, R. Baraniuk: WIRE: wavelet
implicit neural representations. CVPR 2023, arXiv 2301.05187.

GaussianImage's Table 1 has 136.74 K parameters for it: 212 neurons in four layers, if each complex
weight counts once. As real numbers they are 272.85 K.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


class Wire(nn.Module):
    """A network from coordinates (P, 2) in -1..1 to colors (P, 3).

    Parameters
    ----------
    width : int
        Complex neurons in each layer of wavelets.
    layers : int
        Number of layers of wavelets; the first has real weights.
    frequency, sharpness : float
        w and s of the wavelet exp(j w x - |s x|^2).
    """

    def __init__(
        self,
        width: int,
        layers: int,
        generator: torch.Generator,
        frequency: float = 10.0,
        sharpness: float = 10.0,
    ) -> None:
        super().__init__()
        self.frequency, self.sharpness = frequency, sharpness
        sizes = [2, *[width] * layers, 3]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for number, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            bound = 1 / math.sqrt(fan_in)
            parts = 2 if number else 1  # real and imaginary
            for parameters, columns in ((self.weights, fan_in), (self.biases, 1)):
                value = torch.empty(fan_out, columns, parts)
                value.uniform_(-bound, bound, generator=generator)
                whole = torch.view_as_complex(value) if number else value[..., 0]
                parameters.append(nn.Parameter(whole.clone()))

    def forward(self, coordinates: Tensor) -> Tensor:
        """Return the colors, unclamped."""
        last = len(self.weights) - 1
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            coordinates = coordinates @ weight.T + bias.T
            if number < last:
                envelope = (self.sharpness * coordinates).abs().square()
                coordinates = torch.exp(1j * self.frequency * coordinates - envelope)
        return 0.5 + 0.5 * coordinates.real
