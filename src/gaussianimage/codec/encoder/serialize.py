"""Serialization of quantized Gaussians to the bytes of a file."""

from collections.abc import Sequence

from gaussianimage import _native
from gaussianimage.codec.format.alpha import OPAQUE, TRANSPARENT
from gaussianimage.codec.format.container import LAYER, Chunk, write_chunks
from gaussianimage.codec.format.header import Header, nearest_q_max
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import BACKGROUND_LEVELS, QuantizerParameters


def serialize(
    layers: Sequence[QuantizedGaussians],
    parameters: QuantizerParameters,
    metadata: Metadata,
    *,
    height: int,
    width: int,
    bit_depth: int,
    q_max: float,
    alpha_map: bytes | None = None,
) -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    layers : sequence of QuantizedGaussians
        The layers, the most important first; no layer is empty.
    parameters : QuantizerParameters
        Parameters that the Gaussians were quantized with.
    metadata : Metadata
        ICC profile, EXIF and XMP of the file.
    height, width : int
        Nominal size in pixels.
    bit_depth : int
        Bit depth of the source, 8 or 16.
    q_max : float
        Cut-off q of the Gaussians, a multiple of 1/2048.
    alpha_map : bytes, optional
        The encoded map of alpha. The file leaves it out if the picture already decodes to the same
        constant alpha, 0 or 1, without it.

    Returns
    -------
    bytes
    """
    quantizer = parameters.quantizer(height, width)
    encoder = _native.LayerEncoder(quantizer, len(layers))
    chunks = [Chunk(LAYER, encoder.encode(quantizer, *layer)) for layer in layers]
    work = 0
    if layers:
        arrays = quantizer.dequantize(*QuantizedGaussians.concatenate(list(layers)))
        work = _native.work(*arrays, nearest_q_max(q_max), height, width, None, 0)
    if alpha_map is None or _alpha_is_constant(layers, parameters, alpha_map):
        alpha_map = b""
    header = Header(
        height=height,
        width=width,
        channels=len(parameters.background),
        bit_depth=bit_depth,
        gaussians=sum(len(layer.precision) for layer in layers),
        layers=len(layers),
        q_max=q_max,
        work=work,
        parameters=parameters.to_bytes(),
        alpha_map=alpha_map,
    )
    return write_chunks([header.to_chunk(), *metadata.to_chunks(), *chunks])


def _alpha_is_constant(
    layers: Sequence[QuantizedGaussians], parameters: QuantizerParameters, alpha_map: bytes
) -> bool:
    """Tell whether background and layers alone give the constant alpha that the map says."""
    levels = {bytes([TRANSPARENT]): 0, bytes([OPAQUE]): BACKGROUND_LEVELS}
    return parameters.background[-1] == levels.get(alpha_map) and not any(
        layer.color[:, -1].any() for layer in layers
    )
