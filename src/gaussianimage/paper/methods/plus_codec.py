"""The codec of GaussianImage++: learned uniform quantizers, 9 bytes a Gaussian."""

import struct

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import numpy as np
import torch
from torch import Tensor, nn

from gaussianimage.errors import FormatError
from gaussianimage.paper.best import Best
from gaussianimage.paper.methods.models import CovarianceModel
from gaussianimage.paper.uniform_quantizer import LearnedUniformQuantizer
from gaussianimage.torch import PAPER_Q_MAX, HalveRate, Strategy, Training, cholesky_from_covariance
from gaussianimage.torch.rasterize import rasterize

# Bits of each number of a position, a covariance and a color.
BITS = {"means": 12, "shape": 10, "colors": 6}

_HEADER = struct.Struct("<III")  # Gaussians, height, width
_CHANNELS = 3


class PlusQuantized(nn.Module):
    """A model drawn from its quantized parameters (LSQ+); steps and offsets are trainable.

    Parameters
    ----------
    model : CovarianceModel
        A fit of three channels; it is not copied.
    """

    def __init__(self, model: CovarianceModel) -> None:
        super().__init__()
        if model.colors.shape[1] != _CHANNELS:
            raise ValueError(f"model: expected 3 channels, got {model.colors.shape[1]}")
        self.model = model
        self.quantizers = nn.ModuleDict(
            {
                name: LearnedUniformQuantizer(getattr(model, name), bits)
                for name, bits in BITS.items()
            }
        )

    def forward(self) -> Tensor:
        """Return the picture of the quantized Gaussians, (H, W, C), not clamped."""
        means, shape, colors = (self.quantizers[n](getattr(self.model, n)) for n in BITS)
        factor = cholesky_from_covariance(shape)
        return rasterize(means, factor, colors, *self.model.size, q_max=PAPER_Q_MAX)

    @torch.no_grad()
    def to_bytes(self) -> bytes:
        """Return the file: N, height and width, all steps and offsets in float32, and the bits."""
        ranges, planes = [], []
        for name, bits in BITS.items():
            quantizer = self.quantizers[name]
            assert isinstance(quantizer, LearnedUniformQuantizer)
            stored = quantizer.stored()
            ranges.append(np.stack([stored.scale, stored.beta]).astype("<f4").ravel())
            values = quantizer.indices(getattr(self.model, name)).cpu().numpy()
            planes.append((values[..., None] >> np.arange(bits)[::-1] & 1).astype(np.uint8))
        head = _HEADER.pack(len(self.model.means), *self.model.size)
        per_gaussian = np.concatenate([plane.reshape(len(plane), -1) for plane in planes], 1)
        return head + np.concatenate(ranges).tobytes() + np.packbits(per_gaussian).tobytes()


def from_bytes(data: bytes) -> CovarianceModel:
    """Read a file of `PlusQuantized.to_bytes`.

    Raises
    ------
    FormatError
        If the length is not that of the numbers in the header.
    """
    columns = {"means": 2, "shape": 3, "colors": _CHANNELS}
    ranges = 2 * sum(columns.values())
    start = _HEADER.size + 4 * ranges
    if len(data) < start:
        raise FormatError(f"expected at least {start} bytes, got {len(data)}")
    count, height, width = _HEADER.unpack_from(data)
    bits = sum(BITS[name] * columns[name] for name in BITS)
    if len(data) != start + -(-count * bits // 8):
        raise FormatError(f"expected {start + -(-count * bits // 8)} bytes, got {len(data)}")
    numbers = np.frombuffer(data, "<f4", ranges, _HEADER.size)
    digits = np.unpackbits(np.frombuffer(data, np.uint8, offset=start), count=count * bits)
    table = digits.reshape(count, bits)
    tensors, at, column = {}, 0, 0
    for name, length in columns.items():
        scale, beta = numbers[at : at + length], numbers[at + length : at + 2 * length]
        part = table[:, column : column + length * BITS[name]].reshape(count, length, BITS[name])
        values = part.astype(np.int64) @ (1 << np.arange(BITS[name])[::-1])
        tensors[name] = torch.from_numpy((values * scale + beta).astype(np.float32))
        at, column = at + 2 * length, column + length * BITS[name]
    return CovarianceModel(tensors["means"], tensors["shape"], tensors["colors"], (height, width))


class _KeepBest(Strategy):
    """Keeps the state of the iteration with the closest picture."""

    def __init__(self, module: nn.Module) -> None:
        self.best = Best(module)

    def on_gradients(self, training: Training) -> None:
        self.best.look(training.image.detach().clamp(0, 1), training.target)


def compress_plus(
    model: CovarianceModel, target: Tensor, iterations: int, *, learning_rate: float = 0.018
) -> bytes:
    """Fine-tune a fit with its quantizers in place, and return its file.

    Parameters
    ----------
    model : CovarianceModel
        A fit of the picture; its parameters are changed in place.
    target : Tensor, (H, W, 3), float32
    iterations : int
        The released code takes 44,000 after 6,000 without quantizers.
    learning_rate : float, default 0.018
        Of the Gaussians; the quantizers have 10⁻³, halved every fifth of the run.

    Returns
    -------
    bytes
        9 N + 76 bytes.
    """
    quantized = PlusQuantized(model)
    steps = torch.optim.Adam(quantized.quantizers.parameters(), lr=1e-3)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, eps=1e-15)
    for group in steps.param_groups:
        optimizer.add_param_group(group)
    names = tuple(f"model.{name}" for name in BITS)
    keep = _KeepBest(quantized)
    strategies = [keep, HalveRate(max(1, iterations * 2 // 5))]
    Training(quantized, target, optimizer, strategies, names=names).run(iterations)
    with torch.no_grad():
        keep.best.look(quantized().clamp(0, 1), target)
    keep.best.restore()
    return quantized.to_bytes()
