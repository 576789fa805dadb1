"""2D Gaussians with an opacity of their own: the steps between 3D splatting and GaussianImage.

The paper's ablation (its Table 3) goes from α-blending to a sum, and then merges the opacity into
the color, which leaves `CholeskyModel`.
"""

import torch
from torch import Tensor, nn

from gaussianimage.torch.models.blending import alpha_blend
from gaussianimage.torch.models.sum import Canvas, CholeskyModel, Physical, RawParameters


class OpacityModel(CholeskyModel):
    """A sum of Gaussians with separate opacities: 6 + C numbers each.

    Parameters
    ----------
    raw : RawParameters
        Where to start; copied. The parameter `opacities`, (N,), holds the opacities before the
        sigmoid and starts from 0.
    canvas : Canvas
        Size of the picture, cut-off and shift of the coordinates.
    offset : bool, default True
        Whether ½ px is added to the shape's lengths.

    Raises
    ------
    ValueError
        If a shape doesn't fit.
    """

    opacities: nn.Parameter

    def __init__(self, raw: RawParameters, canvas: Canvas, *, offset: bool = True) -> None:
        super().__init__(raw, canvas, offset=offset)
        self.opacities = nn.Parameter(torch.zeros_like(self.colors[:, 0]))

    def physical(self, raw: RawParameters | None = None) -> Physical:
        """Return the Gaussians that are drawn, with opacity times color as their color."""
        means, cholesky, colors = super().physical(raw)
        return Physical(means, cholesky, colors * self.opacities.sigmoid()[:, None])


class BlendedModel(OpacityModel):
    """Gaussians with separate opacities, blended by index over a white background.

    A Gaussian is cut off where its opacity has fallen to 1/255, which is at q = ln 255 for an
    opaque one. The cut-off of the canvas is not used.
    """

    def forward(self) -> Tensor:
        """Return the picture, (H, W, C), not clamped."""
        means, cholesky, _ = super().physical()
        image, transmittance = alpha_blend(
            means,
            cholesky,
            self.colors,
            self.opacities.sigmoid(),
            self.canvas.height,
            self.canvas.width,
        )
        return image + transmittance[..., None]
