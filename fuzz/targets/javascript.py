"""Any bytes as a file for the decoder in JavaScript, under Node: it must do as the native one does.

Both accept or refuse a file, the Gaussians agree to the bit, and pixels within 2 of 255.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from support import node
from support.mutation import mutate_file
from support.node import Node, as_rgba, assert_close
from support.outcome import attempt

import gaussianimage
from gaussianimage import _native
from gaussianimage.codec.decoder.file import parse_file

DATA = Path(__file__).resolve().parents[2] / "tests" / "data" / "v1"
LIMITS = gaussianimage.Limits(
    max_pixels=2**16, max_work=2**22, max_gaussians=2**14, max_memory=2**26, max_metadata=2**20
)
_LIMITS = {"maxPixels": 2**16, "maxWork": 2**22, "maxGaussians": 2**14}
# The order of additions differs, so a large color leaves a large error.
_ORDINARY = 4.0

available = node.available
mutate = mutate_file
_node = Node("decode_files.mjs", limits=_LIMITS)
close = _node.close


def seeds() -> list[bytes]:
    """Return the golden files."""
    return [path.read_bytes() for path in sorted(DATA.glob("*.gimg"))]


def _digest(array: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def check(data: bytes) -> str:
    """Decode the file on both sides, and compare."""
    found = _node.ask(data)
    native = attempt(lambda: gaussianimage.decode_gaussians(data, threads=1, limits=LIMITS))
    pixels = attempt(lambda: gaussianimage.decode(data, threads=1, grain=False, limits=LIMITS))
    if "error" in found:
        if found["error"] in ("unsupported", "limit"):
            return f"{found['error']}, {native.name}"
        # The decoder looks at the chunk of grain only where it draws grain.
        grainy = attempt(lambda: gaussianimage.decode(data, threads=1, limits=LIMITS))
        refused = native.error or pixels.error or grainy.error
        assert refused is not None, found["message"]
        return f"{found['message'][:30]}, {native.name}"
    if native.error is not None:
        # JavaScript decompresses metadata when it is asked for, and draws no grain.
        assert re.search(r"iCCP|eXIF|xXMP|gRAN|grain", str(native.error)), native.error
        return f"without metadata, {native.name}"
    means, cholesky, colors = _numbers(data)
    assert found["count"] == len(means)
    assert found["means"] == _digest(means)
    assert found["cholesky"] == _digest(cholesky)
    assert found["colors"] == _digest(colors)
    if pixels.error is None and found["largest"] < _ORDINARY and len(means) < 200:
        expected = as_rgba(pixels.value)
        drawn = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8)
        assert_close(drawn.reshape(expected.shape), expected)
    return f"{colors.shape[1]} channels, {pixels.name}"


def _numbers(data: bytes) -> Any:
    """Return means, Cholesky factors and colors as the native decoder draws them."""
    file = parse_file(data, limits=LIMITS)
    header = file.header
    payloads = [bytes(chunk.payload) for chunk in file.layers.chunks]
    quantizer = file.layers.parameters.quantizer(header.height, header.width)
    return _native.decode_layers(quantizer, payloads, header.layers, header.gaussians, 1)[1]
