"""The models of the GaussianImage paper: pictures as sums of Gaussians, with its parametrizations.

X. Zhang et al.: GaussianImage: 1000 FPS image representation and compression by 2D Gaussian
splatting. ECCV 2024, arXiv 2403.08551, sections 3.1 and 3.2.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from gaussianimage._util.arguments import cutoff, integer, positive, side
from gaussianimage.gaussians import Gaussians
from gaussianimage.torch.arguments import check_like_means, check_shape, check_tensor
from gaussianimage.torch.learned import converts, draw_learned
from gaussianimage.torch.rasterize import rasterize
from gaussianimage.torch.shapes import cholesky_from_scale_rotation

PAPER_Q_MAX = math.log(255)

# Added to the learned scales and to the diagonal of the Cholesky factor, in pixels.
OFFSET = 0.5


@dataclass(frozen=True)
class Canvas:
    """Where a model is drawn.

    Parameters
    ----------
    height, width : int
        Size of the picture in pixels, 1 to 65536.
    q_max : float, default ln 255
        Where each Gaussian is cut off, above 0 and at most 64.
    shift : float, default 0
        Added to both coordinates of all centers, in pixels: ½ for models of the authors' code,
        whose pixels have integer coordinates, while here their centers are at +½.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.
    """

    height: int
    width: int
    q_max: float = PAPER_Q_MAX
    shift: float = 0.0

    def __post_init__(self) -> None:
        side("height", self.height)
        side("width", self.width)
        cutoff("q_max", self.q_max)


class RawParameters(NamedTuple):
    """The learned parameters, which the paper's codec quantizes."""

    means: Tensor  # (N, 2), before tanh
    shape: Tensor  # (N, 3), see the model
    colors: Tensor  # (N, C)


class Physical(NamedTuple):
    """The Gaussians that are drawn: the arguments of `rasterize`."""

    means: Tensor  # (N, 2), px
    cholesky: Tensor  # (N, 3), px
    colors: Tensor  # (N, C)


class GaussianModel(nn.Module, ABC):
    """N Gaussians whose sum is a picture; 5 + C numbers each.

    Parameters
    ----------
    raw : RawParameters
        Where to start; copied to the parameters `means`, `shape` and `colors`.
    canvas : Canvas
        Size of the picture, cut-off and shift of the coordinates.
    offset : bool, default True
        Whether ½ px is added to the shape's lengths.

    Raises
    ------
    TypeError, ValueError
        If a tensor is not a dense one of float32 or float64, the tensors differ in type or device,
        or a shape doesn't fit.
    """

    # Columns of the shape for each call of the random generator, on which its numbers depend.
    _DRAWS: tuple[int, ...] = (3,)

    # What `offset` adds to the shape, in pixels.
    _OFFSETS = (OFFSET, OFFSET, 0.0)

    means: nn.Parameter
    shape: nn.Parameter
    colors: nn.Parameter
    offsets: Tensor
    middle: Tensor  # of the picture in px, where tanh is 0
    reach: Tensor  # from the middle to the sides, in px

    def __init__(self, raw: RawParameters, canvas: Canvas, *, offset: bool = True) -> None:
        super().__init__()
        for name, tensor in raw._asdict().items():
            check_tensor(f"raw: {name}", tensor)
            check_like_means(f"raw: {name}", tensor, raw.means)
        count = len(raw.means) if raw.means.ndim else 0
        for name, tensor, columns in (("means", raw.means, 2), ("shape", raw.shape, 3)):
            check_shape(f"raw: {name}", tensor, (count, columns))
        if raw.colors.ndim != 2 or len(raw.colors) != count or not raw.colors.shape[1]:
            raise ValueError(
                f"raw: colors: expected shape ({count}, C), got {tuple(raw.colors.shape)}"
            )
        self.means, self.shape, self.colors = (nn.Parameter(t.detach().clone()) for t in raw)
        self.canvas = canvas
        self.offset = offset
        offsets = self.shape.new_tensor(self._OFFSETS if offset else (0.0, 0.0, 0.0))
        half = self.means.new_tensor([canvas.width / 2, canvas.height / 2])
        buffers = {"offsets": offsets, "reach": half, "middle": half + canvas.shift}
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor, persistent=False)

    @classmethod
    def random(
        cls,
        count: int,
        height: int,
        width: int,
        *,
        channels: int = 3,
        seed: int = 1,
        offset: bool = True,
    ) -> Self:
        """Start as the paper does: all parameters uniform, with centers over the picture.

        Parameters
        ----------
        count : int
            Number of Gaussians N, from 1.
        height, width : int
            Size of the picture in pixels, 1 to 65536.
        channels : int, default 3
            Color channels C, from 1.
        seed : int, default 1
            The same seed gives the same numbers on every device, and for three channels those
            that the authors' code draws.
        offset : bool, default True
            Whether ½ px is added to the shape's lengths, which start from 0 to 1 px.

        Raises
        ------
        TypeError, ValueError
            If an argument is of a wrong type or out of range.
        """
        count, channels = positive("count", count), positive("channels", channels)
        generator = torch.Generator().manual_seed(integer("seed", seed))
        means = torch.rand(count, 2, generator=generator) * 2 - 1
        shape = torch.cat([torch.rand(count, n, generator=generator) for n in cls._DRAWS], 1)
        colors = torch.rand(count, channels, generator=generator)
        # The generator may give exactly 0, whose atanh would stay infinite through the training.
        limit = 1 - torch.finfo(means.dtype).eps
        raw = RawParameters(means.clamp(-limit, limit).atanh(), shape, colors)
        return cls(raw, Canvas(height, width), offset=offset)

    @abstractmethod
    def cholesky(self, shape: Tensor) -> Tensor:
        """Convert the learned shape to l₁₁, l₂₁, l₂₂ in px, (N, 3), of any sign."""

    @property
    def raw(self) -> RawParameters:
        """The learned parameters themselves."""
        return RawParameters(self.means, self.shape, self.colors)

    def physical(self, raw: RawParameters | None = None) -> Physical:
        """Return the Gaussians that are drawn, differentiable in the learned parameters.

        Parameters
        ----------
        raw : RawParameters, optional
            Parameters to use instead of the model's own, such as quantized ones.
        """
        means, shape, colors = self.raw if raw is None else raw
        return Physical(self.centers(means), self.cholesky(shape), colors)

    def centers(self, means: Tensor) -> Tensor:
        """Convert the learned means to centers in px, (N, 2)."""
        return torch.addcmul(self.middle, means.tanh(), self.reach)

    def draw(self, physical: Physical) -> Tensor:
        """Draw Gaussians on the model's canvas, (H, W, C), not clamped."""
        canvas = self.canvas
        return rasterize(*physical, canvas.height, canvas.width, q_max=canvas.q_max)

    def forward(self) -> Tensor:
        """Return the picture, (H, W, C), not clamped."""
        return self.draw(self.physical())

    @torch.no_grad()
    def gaussians(self) -> Gaussians:
        """Return the Gaussians as a `gaussianimage.Gaussians`.

        Raises
        ------
        ValueError
            If there are more than four channels.
        """
        means, cholesky, colors = (tensor.double().cpu().numpy() for tensor in self.physical())
        canvas = self.canvas
        return Gaussians.from_cholesky(
            means, cholesky, colors, canvas.height, canvas.width, canvas.q_max
        )

    def extra_repr(self) -> str:
        """Return what the model's repr shows."""
        count, channels = self.colors.shape
        return f"{count} Gaussians of {channels} channels, {self.canvas}, offset={self.offset}"


class CholeskyModel(GaussianModel):
    """Gaussians with the Cholesky factors of their covariances as parameters.

    The shape is l₁₁, l₂₁, l₂₂ in pixels, of any sign, where `offset` adds ½ to l₁₁ and l₂₂.
    """

    _OFFSETS = (OFFSET, 0.0, OFFSET)

    def cholesky(self, shape: Tensor) -> Tensor:
        """Return l₁₁, l₂₁, l₂₂ in px, (N, 3)."""
        return shape + self.offsets

    def forward(self) -> Tensor:
        """Return the picture, (H, W, C), not clamped."""
        size = self.canvas.height, self.canvas.width
        # A subclass may convert its parameters otherwise.
        if type(self) is not CholeskyModel or not converts(self.means, self.colors, size):
            return super().forward()
        frame = self.middle, self.reach, self.offsets
        return draw_learned(*self.raw, *frame, size, self.canvas.q_max)


class ScaleRotationModel(GaussianModel):
    """Gaussians with two scales and an angle as parameters.

    The shape is s₁, s₂ in pixels, where `offset` adds ½ and magnitudes count, and t, which gives
    the angle 2π sigmoid(t) of the first axis, from +x towards +y.
    """

    _DRAWS = (2, 1)

    def cholesky(self, shape: Tensor) -> Tensor:
        """Return l₁₁ > 0, l₂₁, l₂₂ ≥ 0 in px, (N, 3), of Σ = (RS)(RS)ᵀ."""
        shape = shape + self.offsets
        return cholesky_from_scale_rotation(shape[:, :2], shape[:, 2].sigmoid() * (2 * math.pi))
