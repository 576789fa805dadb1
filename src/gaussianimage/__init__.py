"""Pictures stored as sums of 2D Gaussians.

`encode` and `decode` go from a picture to the bytes of a ``.gimg`` file and back; `fit` and
`render` are the float halves of it, with `Gaussians` between them.
"""

from gaussianimage.errors import (
    FormatError,
    GaussianImageError,
    GaussianImageWarning,
    LargePictureWarning,
    LimitError,
    PictureError,
    PictureWarning,
    TruncatedError,
    UnsupportedError,
)

TYPE_CHECKING = False  # as that of typing, which takes long to import
if TYPE_CHECKING:
    from typing import Any

    from gaussianimage.codec.batch import decode_many
    from gaussianimage.codec.decoder import (
        Decoder,
        decode,
        decode_gaussians,
        decode_picture,
        thumbnail,
    )
    from gaussianimage.codec.encoder import Encoded, encode, encode_picture
    from gaussianimage.codec.header import Limits
    from gaussianimage.codec.info import FileInfo, info
    from gaussianimage.engine import Gradient, gradient, render
    from gaussianimage.fitting.fit import fit
    from gaussianimage.fitting.run import FitProgress, FitResult
    from gaussianimage.fitting.state import FitState
    from gaussianimage.gaussians import Gaussians
    from gaussianimage.picture import Picture, as_picture, write

__version__ = "0.1.0"

# Loaded at first use: nobody who decodes waits for what only an encoder needs.
_HOMES = {
    "Decoder": "gaussianimage.codec.decoder",
    "Encoded": "gaussianimage.codec.encoder",
    "FileInfo": "gaussianimage.codec.info",
    "FitProgress": "gaussianimage.fitting.run",
    "FitResult": "gaussianimage.fitting.run",
    "FitState": "gaussianimage.fitting.state",
    "Gaussians": "gaussianimage.gaussians",
    "Gradient": "gaussianimage.engine",
    "Limits": "gaussianimage.codec.header",
    "Picture": "gaussianimage.picture",
    "as_picture": "gaussianimage.picture",
    "decode": "gaussianimage.codec.decoder",
    "decode_gaussians": "gaussianimage.codec.decoder",
    "decode_many": "gaussianimage.codec.batch",
    "decode_picture": "gaussianimage.codec.decoder",
    "encode": "gaussianimage.codec.encoder",
    "encode_picture": "gaussianimage.codec.encoder",
    "fit": "gaussianimage.fitting.fit",
    "gradient": "gaussianimage.engine",
    "info": "gaussianimage.codec.info",
    "render": "gaussianimage.engine",
    "thumbnail": "gaussianimage.codec.decoder",
    "write": "gaussianimage.picture",
}

__all__ = [
    "Decoder",
    "Encoded",
    "FileInfo",
    "FitProgress",
    "FitResult",
    "FitState",
    "FormatError",
    "GaussianImageError",
    "GaussianImageWarning",
    "Gaussians",
    "Gradient",
    "LargePictureWarning",
    "LimitError",
    "Limits",
    "Picture",
    "PictureError",
    "PictureWarning",
    "TruncatedError",
    "UnsupportedError",
    "as_picture",
    "decode",
    "decode_gaussians",
    "decode_many",
    "decode_picture",
    "encode",
    "encode_picture",
    "fit",
    "gradient",
    "info",
    "render",
    "thumbnail",
    "write",
]


def __getattr__(name: str) -> "Any":
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
