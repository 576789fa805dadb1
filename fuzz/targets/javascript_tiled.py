"""Any bytes as a tiled file for the modules in JavaScript, under Node: they draw as Python does.

Both refuse a file or draw it, and both leave out the same damaged tiles.
"""

import base64
import re
from typing import Any

import numpy as np
from support import node
from support.loop import load_target
from support.node import Node, as_rgba, assert_close
from support.outcome import attempt

import gaussianimage

_TILED = load_target("tiled")
LIMITS = _TILED.LIMITS
# The order of additions differs, so a large color leaves a large error.
_ORDINARY = 4.0
_MOST_GAUSSIANS = 200

available = node.available
seeds = _TILED.seeds
mutate = _TILED.mutate
_node = Node("draw_tiles.mjs", maxPixels=2**16, small=64)
close = _node.close


def _decode(data: bytes, *, partial: bool = False) -> Any:
    return gaussianimage.decode(data, threads=1, dtype=np.uint8, partial=partial, limits=LIMITS)


def check(data: bytes) -> str:
    """Draw the file on both sides, and compare."""
    told = _node.ask(data)
    if told.get("plain"):
        return "not tiled"
    whole = attempt(lambda: _decode(data))
    if "error" in told:
        allowed = told["error"] in ("unsupported", "limit")
        assert allowed or whole.error is not None, told["message"]
        return f"{told['error']}: {_numberless(told['message'])}, {whole.name}"
    for _, message in told["errors"]:
        # The loader turns any error of a tile into one of the decoder.
        assert not re.match(r"\w*Error\b", message), message
    wrong = told["errors"] or told["damage"]
    if isinstance(whole.error, gaussianimage.LimitError):
        return f"limit, {len(told['errors'])} errors"
    if not told["nominal"]:
        return f"large, {len(told['errors'])} errors"
    if wrong:
        beyond = any(kind == "limit" for kind, _ in told["errors"])
        assert beyond or whole.error is not None, wrong
    else:
        # JavaScript decompresses metadata when it is asked for.
        assert whole.error is None or re.search("iCCP|eXIF|xXMP", str(whole.error)), whole.error
    partly = attempt(lambda: _decode(data, partial=True))
    drawn = told["whole"]
    if partly.error is None and drawn["largest"] < _ORDINARY and drawn["count"] < _MOST_GAUSSIANS:
        expected = as_rgba(partly.value)
        pixels = np.frombuffer(base64.b64decode(drawn["pixels"]), np.uint8)
        assert_close(pixels.reshape(expected.shape), expected)
    return f"{len(told['errors'])} errors, {told['damage'] is not None}, {whole.name}"


def _numberless(message: str) -> str:
    return re.sub(r"\d+", "#", message)[:40]
