"""Any bytes as a file for the decoder in JavaScript, under Node: it must do as the native one does.

Both accept or refuse a file, the Gaussians agree to the bit, and pixels within 2 of 255.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from support.mutation import mutate_file
from support.outcome import attempt

import gaussianimage
from gaussianimage import _native
from gaussianimage.codec.decoder.file import parse_file

HERE = Path(__file__).resolve()
DATA = HERE.parents[2] / "tests" / "data" / "v1"
LIMITS = gaussianimage.Limits(
    max_pixels=2**16, max_work=2**22, max_gaussians=2**14, max_memory=2**26, max_metadata=2**20
)
_LIMITS = {"maxPixels": 2**16, "maxWork": 2**22, "maxGaussians": 2**14}
# The order of additions differs, so a large color leaves a large error.
_ORDINARY = 4.0

mutate = mutate_file
_node: subprocess.Popen[bytes] | None = None


def available() -> bool:
    """Whether Node is installed."""
    return shutil.which("node") is not None


def seeds() -> list[bytes]:
    """Return the golden files."""
    return [path.read_bytes() for path in sorted(DATA.glob("*.gimg"))]


def _answer(data: bytes) -> dict[str, Any]:
    global _node
    if _node is None:
        script = HERE.parents[1] / "support" / "decode_files.mjs"
        _node = subprocess.Popen(
            ["node", str(script), json.dumps(_LIMITS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    assert _node.stdin is not None
    assert _node.stdout is not None
    _node.stdin.write(len(data).to_bytes(4, "little") + data)
    _node.stdin.flush()
    found: dict[str, Any] = json.loads(_node.stdout.readline())
    return found


def close() -> None:
    """End Node."""
    if _node is not None:
        _node.communicate()


def _digest(array: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def check(data: bytes) -> str:
    """Decode the file on both sides, and compare."""
    found = _answer(data)
    assert "crash" not in found, found["crash"]
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
        _compare(found["pixels"], pixels.value)
    return f"{colors.shape[1]} channels, {pixels.name}"


def _numbers(data: bytes) -> Any:
    """Return means, Cholesky factors and colors as the native decoder draws them."""
    file = parse_file(data, limits=LIMITS)
    header = file.header
    payloads = [bytes(chunk.payload) for chunk in file.layers.chunks]
    quantizer = file.layers.parameters.quantizer(header.height, header.width)
    return _native.decode_layers(quantizer, payloads, header.layers, header.gaussians, 1)[1]


def _compare(encoded: str, expected: np.ndarray[Any, Any]) -> None:
    height, width = expected.shape[:2]
    mine = np.frombuffer(base64.b64decode(encoded), np.uint8).reshape(height, width, 4)
    values = expected.reshape(height, width, -1)
    channels = values.shape[2]
    colors = channels - (channels % 2 == 0)
    if channels % 2 == 0:
        # Where nearly nothing shows, the division by alpha leaves anything.
        seen = values[..., -1] > 64
        assert np.abs(mine[..., 3] - values[..., -1].astype(int)).max() <= 2
    else:
        seen = np.ones((height, width), bool)
    color = np.broadcast_to(values[..., :colors], (height, width, 3)).astype(int)
    difference = np.abs(mine[..., :3] - color)[seen]
    # A Gaussian's edge may go either way.
    assert (difference > 4).mean() <= 0.01 if difference.size else True, difference.max()
