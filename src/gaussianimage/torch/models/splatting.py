"""3D Gaussian splatting of a single picture: the baseline of the GaussianImage paper's tables.

Gaussians in space, seen by one pinhole camera with a horizontal field of view of 90°, are sorted by
depth and blended over a white background. A Gaussian has 59 parameters: 3 for its position, 3
scales, 4 of a quaternion, 1 opacity, and 48 for a color in spherical harmonics of degree 3; fewer
for lower degrees.
"""

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gaussianimage._util.arguments import integer, number, positive, side
from gaussianimage.torch.arguments import check_like_means, check_shape, check_tensor
from gaussianimage.torch.models.blending import alpha_blend
from gaussianimage.torch.models.harmonics import harmonics

START_OPACITY = 0.1

# Distance of the camera from the middle of the cube −1..1 in which Gaussians start.
DISTANCE = 8.0

# Added to the variances on the screen, in px², so that no Gaussian falls between pixels.
LOW_PASS = 0.3

# The least distance from the camera at which a Gaussian is drawn.
_NEAR = 0.01

# The perspective's derivative is clamped at this multiple of half the view: outside of it, it would
# smear Gaussians next to the view over the whole picture.
_MARGIN = 1.3

_NEIGHBORS = 3
_DISTANCES = 2**22  # held in memory at once


class Projection(NamedTuple):
    """N Gaussians as the camera sees them."""

    means: Tensor  # (N, 2), px
    cholesky: Tensor  # (N, 3), px
    colors: Tensor  # (N, C)
    opacities: Tensor  # (N,)
    depths: Tensor  # (N,)


class SplattingModel(nn.Module):
    """N Gaussians in space, sorted by depth and blended: 11 + 16 C numbers each at degree 3.

    The parameters are `means`, (N, 3), with x to the right, y down and z away from the camera;
    `scales`, (N, 3), logarithms of standard deviations; `rotations`, (N, 4), quaternions w, x, y, z
    of any length; `opacities`, (N,), before the sigmoid; and `coefficients`, (N, (d + 1)², C), of
    the harmonics of a color minus ½; the color is clamped at zero. At degree d = 0 the color is the
    sigmoid of its one coefficient, as in the GaussianImage authors' code.

    Parameters
    ----------
    means : Tensor, (N, 3)
        Where to start; the other parameters start as they do in `random`.
    colors : Tensor, (N, C)
        Coefficients of the constant harmonic; the others are zero.
    rotations : Tensor, (N, 4)
    height, width : int
        Size of the picture in pixels, 1 to 65536.
    degree : int, default 3
        Degree d of the harmonics, 0 to 3.
    shift : float, default 0
        Added to both coordinates on the screen, in pixels: ½ for the authors' models, whose pixels
        have integer coordinates.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, shape or range.

    References
    ----------
    B. Kerbl, G. Kopanas, T. Leimkühler, G. Drettakis: 3D Gaussian splatting for real-time radiance
    field rendering. ACM Transactions on Graphics 42(4), 2023.
    """

    def __init__(
        self,
        means: Tensor,
        colors: Tensor,
        rotations: Tensor,
        height: int,
        width: int,
        *,
        degree: int = 3,
        shift: float = 0.0,
    ) -> None:
        super().__init__()
        for name, tensor in (("means", means), ("colors", colors), ("rotations", rotations)):
            check_tensor(name, tensor)
            check_like_means(name, tensor, means)
        count = len(means) if means.ndim else 0
        channels = colors.shape[1] if colors.ndim == 2 else 1
        expected = {
            "means": (means, (count, 3)),
            "colors": (colors, (count, channels)),
            "rotations": (rotations, (count, 4)),
        }
        for name, (tensor, shape) in expected.items():
            check_shape(name, tensor, shape)
        self.height, self.width = side("height", height), side("width", width)
        self.degree = int(number("degree", degree, 0, 3))
        self.shift = float(shift)
        self.means = nn.Parameter(means.detach().clone())
        spacing = _spacing(means.detach()).log()
        self.scales = nn.Parameter(spacing[:, None].repeat(1, 3))
        self.rotations = nn.Parameter(rotations.detach().clone())
        start = torch.full_like(spacing, START_OPACITY).logit()
        self.opacities = nn.Parameter(start)
        coefficients = means.new_zeros(count, (self.degree + 1) ** 2, channels)
        coefficients[:, 0] = colors.detach()
        self.coefficients = nn.Parameter(coefficients)

    @classmethod
    def random(
        cls,
        count: int,
        height: int,
        width: int,
        *,
        channels: int = 3,
        seed: int = 1,
        fill: bool = False,
        degree: int = 3,
    ) -> Self:
        """Start as the paper does: centers uniform in a cube, scales equal to their spacing.

        Parameters
        ----------
        count : int
            Number of Gaussians N, from 1.
        height, width : int
            Size of the picture in pixels, 1 to 65536.
        channels : int, default 3
            Color channels C, from 1.
        seed : int, default 1
            The same seed gives the same numbers on every device.
        fill : bool, default False
            Spread the centers over the whole view. The cube is seen an eighth as wide as the
            picture, and its Gaussians take some 10,000 iterations to spread.
        degree : int, default 3
            Degree of the harmonics, 0 to 3.

        Raises
        ------
        TypeError, ValueError
            If an argument is of a wrong type or out of range.
        """
        count, channels = positive("count", count), positive("channels", channels)
        size = side("height", height), side("width", width)
        generator = torch.Generator().manual_seed(integer("seed", seed))
        means = torch.rand(count, 3, generator=generator) * 2 - 1
        if fill:
            depth = means[:, 2] + DISTANCE
            means = torch.stack(
                [means[:, 0] * depth, means[:, 1] * depth * (size[0] / size[1]), means[:, 2]], 1
            )
        u, v, w = (torch.rand(count, generator=generator) for _ in range(3))
        v, w = 2 * torch.pi * v, 2 * torch.pi * w
        # Shoemake's method for uniform rotations.
        parts = [(1 - u).sqrt() * v.sin(), (1 - u).sqrt() * v.cos(), u.sqrt() * w.sin()]
        rotations = torch.stack([*parts, u.sqrt() * w.cos()], 1)
        colors = torch.rand(count, channels, generator=generator)
        return cls(means, colors, rotations, *size, degree=degree)

    def project(self) -> Projection:
        """Return the Gaussians as the camera sees them, differentiable in all parameters."""
        focal = self.width / 2
        seen = self.means + self.means.new_tensor([0.0, 0.0, DISTANCE])
        depths = seen[:, 2]
        safe = depths.clamp_min(_NEAR)
        slope = seen[:, :2] / safe[:, None]
        middle = slope.new_tensor([self.width / 2, self.height / 2])
        means = slope * focal + middle + self.shift
        near = depths >= _NEAR
        return Projection(
            means=means,
            cholesky=self._cholesky(slope, safe, focal),
            colors=self._colors(seen),
            opacities=torch.where(near, self.opacities.sigmoid(), 0.0),
            depths=depths,
        )

    def forward(self) -> Tensor:
        """Return the picture, (H, W, C), not below zero."""
        means, cholesky, colors, opacities, depths = self.project()
        image, transmittance = alpha_blend(
            means, cholesky, colors, opacities, self.height, self.width, depths=depths
        )
        return image + transmittance[..., None]

    def extra_repr(self) -> str:
        """Return what the model's repr shows."""
        return f"{len(self.means)} Gaussians, height={self.height}, width={self.width}"

    def _colors(self, seen: Tensor) -> Tensor:
        """Return the colors from the camera's side, (N, C)."""
        if self.degree == 0:
            return self.coefficients[:, 0].sigmoid()
        basis = harmonics(normalize(seen, dim=1))[:, : self.coefficients.shape[1]]
        return (torch.einsum("nk,nkc->nc", basis, self.coefficients) + 0.5).clamp_min(0)

    def _cholesky(self, slope: Tensor, depths: Tensor, focal: float) -> Tensor:
        """Return l₁₁, l₂₁, l₂₂ in px of the covariance on the screen, J Σ Jᵀ + 0.3 px²."""
        limit = slope.new_tensor([_MARGIN, _MARGIN * self.height / self.width])
        slope = torch.minimum(torch.maximum(slope, -limit), limit)
        axes = _rotation_matrices(self.rotations) * self.scales.exp()[:, None]
        # The rows of J RS: f / z times the rows of RS less the slope times its last row.
        rows = (axes[:, :2] - slope[..., None] * axes[:, 2:]) * (focal / depths)[:, None, None]
        x, y = rows.unbind(1)
        xx, xy, yy = (x * x).sum(1) + LOW_PASS, (x * y).sum(1), (y * y).sum(1) + LOW_PASS
        l11 = xx.sqrt()
        l21 = xy / l11
        # Only rounding makes it less than LOW_PASS.
        return torch.stack([l11, l21, (yy - l21 * l21).clamp_min(LOW_PASS).sqrt()], 1)


def _rotation_matrices(quaternions: Tensor) -> Tensor:
    """Return the rotations of quaternions w, x, y, z of any length, (N, 3, 3)."""
    w, x, y, z = normalize(quaternions, dim=1).unbind(1)
    rows = [
        [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
    ]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _spacing(points: Tensor) -> Tensor:
    """Return the mean distance of each point to its three nearest neighbors, (N,)."""
    count = len(points)
    nearest = min(_NEIGHBORS, count - 1)
    if nearest < 1:
        return points.new_ones(count)
    # Matrix products would be faster, but lose the digits of small distances.
    mode = "donot_use_mm_for_euclid_dist"
    found = [
        torch.cdist(part, points, compute_mode=mode).topk(nearest + 1, largest=False).values
        for part in torch.split(points, max(1, _DISTANCES // count))
    ]
    # The nearest one is the point itself. Equal points must not get a scale of zero.
    return torch.cat(found)[:, 1:].mean(1).clamp_min(1e-6)
