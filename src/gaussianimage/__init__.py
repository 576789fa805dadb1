"""Pictures stored as sums of 2D Gaussians."""

from gaussianimage.errors import (
    FormatError,
    GaussianImageError,
    LimitError,
    PictureError,
    TruncatedError,
    UnsupportedError,
)

__all__ = [
    "FormatError",
    "GaussianImageError",
    "LimitError",
    "PictureError",
    "TruncatedError",
    "UnsupportedError",
]
