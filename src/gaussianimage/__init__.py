"""Pictures stored as sums of 2D Gaussians.

`encode` and `decode` go from a picture to the bytes of a ``.gimg`` file and back; `fit` and
`render` are the float halves of it, with `Gaussians` between them.
"""

from typing import TYPE_CHECKING, Any

from gaussianimage.errors import (
    FormatError,
    GaussianImageError,
    LimitError,
    PictureError,
    TruncatedError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from gaussianimage.engine import Gradient, gradient, render
    from gaussianimage.fitting.fit import FitProgress, FitResult, fit
    from gaussianimage.fitting.state import FitState
    from gaussianimage.gaussians import Gaussians
    from gaussianimage.picture import Picture, as_picture

__version__ = "0.1.0"

# Loaded at first use: nobody who decodes waits for what only an encoder needs.
_HOMES = {
    "FitProgress": "gaussianimage.fitting.fit",
    "FitResult": "gaussianimage.fitting.fit",
    "FitState": "gaussianimage.fitting.state",
    "Gaussians": "gaussianimage.gaussians",
    "Gradient": "gaussianimage.engine",
    "Picture": "gaussianimage.picture",
    "as_picture": "gaussianimage.picture",
    "fit": "gaussianimage.fitting.fit",
    "gradient": "gaussianimage.engine",
    "render": "gaussianimage.engine",
}

__all__ = [
    "FitProgress",
    "FitResult",
    "FitState",
    "FormatError",
    "GaussianImageError",
    "Gaussians",
    "Gradient",
    "LimitError",
    "Picture",
    "PictureError",
    "TruncatedError",
    "UnsupportedError",
    "as_picture",
    "fit",
    "gradient",
    "render",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
