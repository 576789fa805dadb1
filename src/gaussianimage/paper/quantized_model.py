"""A model with the paper's quantizers in place."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage.codec.paper_profile.record import MAX_CHANNELS, PaperRecord
from gaussianimage.paper.residual_vq import ResidualQuantizer
from gaussianimage.paper.uniform_quantizer import LearnedUniformQuantizer, half_precision
from gaussianimage.torch import cholesky_from_scale_rotation
from gaussianimage.torch.models.sum import (
    CholeskyModel,
    Physical,
    RawParameters,
    ScaleRotationModel,
)

FlatModel = CholeskyModel | ScaleRotationModel

HALF_PIXEL = 0.5


@dataclass(frozen=True)
class QuantizerSettings:
    """How a model is quantized; the defaults are the paper's.

    Parameters
    ----------
    covariance_bits : int, default 6
        Bits per number of a shape, 1 to 12.
    color : {"rvq", "int"}, default "rvq"
        Residual vector quantization, or an integer for each channel.
    color_bits : int, default 6
        Bits per channel with "int", 1 to 12.
    stages, entries : int, default 2 and 8
        Number of codebooks of the vector quantization, 1 to 8, and number of entries of each, a
        power of two from 2 to 256.
    commitment : bool, default True
        Whether the distance of colors to their entries is added to the loss, with weight 1.
    scaling : bool, default True
        Whether gradients of steps and offsets are scaled as in LSQ; the released code does not
        scale them.
    angle : bool, default False
        Whether a rotation is quantized as the angle in radians, as in the released code, rather
        than before its sigmoid. Models without rotation have none and ignore it.
    revive : bool, default True
        Whether entries of codebooks that code hardly any color are moved to where the error is
        largest; the released code leaves them.

    Raises
    ------
    ValueError
        If `color` is invalid. The constructors of the quantizers check the numbers.
    """

    covariance_bits: int = 6
    color: str = "rvq"
    color_bits: int = 6
    stages: int = 2
    entries: int = 8
    commitment: bool = True
    scaling: bool = True
    angle: bool = False
    revive: bool = True

    def __post_init__(self) -> None:
        if self.color not in ("rvq", "int"):
            raise ValueError(f"color: expected rvq or int, got {self.color!r}")


# The rows of the paper's Table 4.
VARIANTS = {
    "final": QuantizerSettings(),
    "v1": QuantizerSettings(commitment=False),
    "v2": QuantizerSettings(color="int", color_bits=6),
    "v3": QuantizerSettings(color="int", color_bits=8),
}


class LearnedQuantizers(NamedTuple):
    """Quantizers as training has left them."""

    scale: Tensor  # (3,), steps γ of the shape
    beta: Tensor  # (3,), offsets β of the shape
    codebooks: Tensor  # (S, K, C)
    counts: Tensor  # (S, K), moving averages of the vectors of each entry
    sums: Tensor  # (S, K, C), moving averages of their sums
    angle: bool  # whether the third column is an angle in radians


class Quantized(NamedTuple):
    """A model's parameters as a decoder restores them."""

    raw: RawParameters  # gradients pass to the model's parameters
    colors: Tensor | None  # (N, S), int64, indices into the codebooks
    commitment: Tensor  # (), a term of the loss


class QuantizedModel(nn.Module):
    """A model drawn from its quantized parameters, all of which are trainable.

    Parameters
    ----------
    model : CholeskyModel or ScaleRotationModel
        The model to quantize; it is not copied.
    settings : QuantizerSettings, optional
        The paper's settings by default.
    seed : int, default 1
        Seed of the k-means that initializes the codebooks.

    Raises
    ------
    TypeError
        If the codec does not support the kind of model.
    ValueError
        If a setting is out of range, the model has more than four channels, or its shift is not 0
        or half a pixel.
    """

    def __init__(
        self, model: FlatModel, settings: QuantizerSettings | None = None, *, seed: int = 1
    ) -> None:
        super().__init__()
        if type(model) not in (CholeskyModel, ScaleRotationModel):
            raise TypeError(
                f"model: expected CholeskyModel or ScaleRotationModel, got {type(model).__name__}"
            )
        if model.canvas.shift not in (0, HALF_PIXEL):
            raise ValueError(f"model: expected a shift of 0 or 0.5, got {model.canvas.shift}")
        channels = model.colors.shape[1]
        if channels > MAX_CHANNELS:
            raise ValueError(f"model: expected 1 to {MAX_CHANNELS} channels, got {channels}")
        settings = QuantizerSettings() if settings is None else settings
        bits, scaling = settings.covariance_bits, settings.scaling
        self.model = model
        self.settings = settings
        self.angle = settings.angle and isinstance(model, ScaleRotationModel)
        shape = self._shape(model.shape)
        self.shape_quantizer = LearnedUniformQuantizer(shape, bits, scaling=scaling)
        self.color_quantizer: LearnedUniformQuantizer | ResidualQuantizer
        if settings.color == "int":
            bits = settings.color_bits
            self.color_quantizer = LearnedUniformQuantizer(model.colors, bits, scaling=scaling)
        else:
            self.color_quantizer = ResidualQuantizer(
                model.colors,
                settings.stages,
                settings.entries,
                seed=seed,
                revive=settings.revive,
            )

    def quantized(self) -> Quantized:
        """Return the quantized parameters."""
        means, shape, colors = self.model.raw
        indices, commitment = None, colors.new_zeros(())
        if isinstance(self.color_quantizer, ResidualQuantizer):
            coded = self.color_quantizer(colors)
            values, indices = coded.values, coded.indices
            if self.settings.commitment:
                commitment = coded.commitment
        else:
            values = self.color_quantizer(colors)
        shape = self.shape_quantizer(self._shape(shape))
        raw = RawParameters(half_precision(means), shape, values)
        return Quantized(raw, indices, commitment)

    def draw(self, quantized: Quantized) -> Tensor:
        """Return the picture of quantized parameters, (H, W, C), not clamped."""
        if not self.angle:
            return self.model.draw(self.model.physical(quantized.raw))
        means, shape, colors = quantized.raw
        scales = shape[:, :2] + self.model.offsets[:2]
        cholesky = cholesky_from_scale_rotation(scales, shape[:, 2])
        return self.model.draw(Physical(self.model.centers(means), cholesky, colors))

    @torch.no_grad()
    def load_quantizers(self, quantizers: LearnedQuantizers) -> None:
        """Continue with quantizers that have been learned elsewhere.

        Parameters
        ----------
        quantizers : LearnedQuantizers

        Raises
        ------
        ValueError
            If their sizes are not those of the settings.
        """
        self._require(quantizers)
        self.shape_quantizer.scale.copy_(quantizers.scale)
        self.shape_quantizer.beta.copy_(quantizers.beta)
        if isinstance(self.color_quantizer, ResidualQuantizer):
            self.color_quantizer.codebooks.copy_(quantizers.codebooks)
            self.color_quantizer.counts.copy_(quantizers.counts)
            self.color_quantizer.sums.copy_(quantizers.sums)

    def _require(self, quantizers: LearnedQuantizers) -> None:
        """Raise `ValueError` unless learned quantizers fit the settings."""
        books = getattr(self.color_quantizer, "codebooks", None)
        if books is None or books.shape != quantizers.codebooks.shape:
            wanted = "none" if books is None else str(tuple(books.shape))
            raise ValueError(
                f"quantizers: expected codebooks of shape {wanted}, "
                f"got {tuple(quantizers.codebooks.shape)}"
            )
        if quantizers.angle != self.angle:
            raise ValueError(f"quantizers: expected angle={self.angle}, got {quantizers.angle}")

    def _shape(self, shape: Tensor) -> Tensor:
        """Return what is quantized of the model's shape, (N, 3)."""
        if not self.angle:
            return shape
        turns = shape[:, 2:].sigmoid()
        return torch.cat([shape[:, :2], turns * (2 * math.pi)], 1)

    def forward(self) -> Tensor:
        """Return the quantized picture, (H, W, C), not clamped."""
        return self.draw(self.quantized())

    def adapt(self, quantized: Quantized) -> None:
        """Move the entries of the codebooks, if any, toward the colors that they coded."""
        if isinstance(self.color_quantizer, ResidualQuantizer):
            assert quantized.colors is not None
            self.color_quantizer.adapt(self.model.colors, quantized.colors)

    @torch.no_grad()
    def record(self) -> PaperRecord:
        """Return the contents of a file; their picture is the model's except for rounding.

        Raises
        ------
        ValueError
            If a parameter is not a finite number.
        """
        model, canvas = self.model, self.model.canvas
        if isinstance(self.color_quantizer, ResidualQuantizer):
            colors = self.color_quantizer(model.colors).indices
        else:
            colors = self.color_quantizer.indices(model.colors)
        return PaperRecord(
            positions=model.means.half().cpu().numpy(),
            shapes=self.shape_quantizer.indices(self._shape(model.shape)).cpu().numpy(),
            colors=colors.cpu().numpy(),
            shape_quantizer=self.shape_quantizer.stored(),
            color_quantizer=self.color_quantizer.stored(),
            height=canvas.height,
            width=canvas.width,
            q_max=canvas.q_max,
            rotation=isinstance(model, ScaleRotationModel),
            offset=model.offset,
            half_pixel=canvas.shift == HALF_PIXEL,
            angle=self.angle,
        )
