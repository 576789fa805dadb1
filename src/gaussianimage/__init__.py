"""Pictures stored as sums of 2D Gaussians.

`encode` turns a picture into the bytes of a ``.gimg`` file, and `decode` turns them into pixels.
`fit` and `render` do the same with `Gaussians` in floating point between them.
"""

from gaussianimage.errors import (
    DamagedTileWarning,
    FormatError,
    GaussianImageError,
    GaussianImageWarning,
    LargePictureWarning,
    LimitError,
    PictureError,
    PictureWarning,
    TileError,
    TruncatedError,
    UnsupportedError,
)

TYPE_CHECKING = False  # type checkers take it for typing's, which takes long to import
if TYPE_CHECKING:
    from typing import Any

    from gaussianimage.batching.batch import BatchProgress, BatchSummary, batch
    from gaussianimage.codec.decoder.decode import (
        Decoder,
        decode,
        decode_gaussians,
        decode_picture,
        thumbnail,
    )
    from gaussianimage.codec.decoder.decode_many import decode_many
    from gaussianimage.codec.decoder.info import FileInfo, info
    from gaussianimage.codec.encoder.encode import EncodeResult, encode, encode_with_result
    from gaussianimage.codec.format.header import Limits
    from gaussianimage.codec.tiled.encode import TiledResult, encode_tiled
    from gaussianimage.fitting.fit import fit
    from gaussianimage.fitting.loop import FitResult
    from gaussianimage.fitting.progress import Progress
    from gaussianimage.fitting.state import FitState
    from gaussianimage.gaussians import Gaussians
    from gaussianimage.picture import Picture, as_picture, write
    from gaussianimage.rendering import Gradient, gradient, render
    from gaussianimage.web.data_url import data_url

__version__ = "0.1.0"

# The module of each public name. The first use of a name imports it, so that a program that only
# decodes does not wait for the encoder's imports.
_HOMES = {
    "BatchProgress": "gaussianimage.batching.batch",
    "BatchSummary": "gaussianimage.batching.batch",
    "Decoder": "gaussianimage.codec.decoder.decode",
    "EncodeResult": "gaussianimage.codec.encoder.encode",
    "FileInfo": "gaussianimage.codec.decoder.info",
    "FitResult": "gaussianimage.fitting.loop",
    "FitState": "gaussianimage.fitting.state",
    "Gaussians": "gaussianimage.gaussians",
    "Gradient": "gaussianimage.rendering",
    "Limits": "gaussianimage.codec.format.header",
    "Picture": "gaussianimage.picture",
    "Progress": "gaussianimage.fitting.progress",
    "TiledResult": "gaussianimage.codec.tiled.encode",
    "as_picture": "gaussianimage.picture",
    "batch": "gaussianimage.batching.batch",
    "data_url": "gaussianimage.web.data_url",
    "decode": "gaussianimage.codec.decoder.decode",
    "decode_gaussians": "gaussianimage.codec.decoder.decode",
    "decode_many": "gaussianimage.codec.decoder.decode_many",
    "decode_picture": "gaussianimage.codec.decoder.decode",
    "encode": "gaussianimage.codec.encoder.encode",
    "encode_with_result": "gaussianimage.codec.encoder.encode",
    "encode_tiled": "gaussianimage.codec.tiled.encode",
    "fit": "gaussianimage.fitting.fit",
    "gradient": "gaussianimage.rendering",
    "info": "gaussianimage.codec.decoder.info",
    "render": "gaussianimage.rendering",
    "thumbnail": "gaussianimage.codec.decoder.decode",
    "write": "gaussianimage.picture",
}

__all__ = [
    "BatchProgress",
    "BatchSummary",
    "DamagedTileWarning",
    "Decoder",
    "EncodeResult",
    "FileInfo",
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
    "Progress",
    "TileError",
    "TiledResult",
    "TruncatedError",
    "UnsupportedError",
    "as_picture",
    "batch",
    "data_url",
    "decode",
    "decode_gaussians",
    "decode_many",
    "decode_picture",
    "encode",
    "encode_tiled",
    "encode_with_result",
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
