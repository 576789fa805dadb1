"""Any bytes as a saved state: Gaussians and states of a fit in safetensors files."""

import json
import random
import tempfile
from pathlib import Path

import numpy as np
from support.mutation import mutate_bytes
from support.outcome import attempt

import gaussianimage
from gaussianimage.fitting.state import FitState

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
_VALUES = [0, 1, -1, 2**31, 2**63, 2**64, "", "0", "-1", "nan", "inf", "1e400", "9" * 5000]
_VALUES += [None, [], {}, True, "F64", "F32", "BF16", "U8", "BOOL", [0], [2**40, 0], [1, 2, 3]]


def seeds() -> list[bytes]:
    """Return saved Gaussians and a saved fit."""
    path = FOLDER / "seed"
    rng = np.random.default_rng(1)
    identity = np.tile([2.0, 0.5, 3.0], (4, 1))
    gaussians = gaussianimage.Gaussians(
        rng.uniform(0, 9, (4, 2)), identity, rng.uniform(size=(4, 3)), 9, 9
    )
    gaussians.save(path)
    files = [path.read_bytes()]
    n = 3
    state = FitState(
        means=rng.uniform(size=(n, 2)),
        cholesky=np.ones((n, 3)),
        colors=np.ones((n, 3), np.float32),
        first=np.zeros((n, 8), np.float32),
        second=np.zeros((n, 8), np.float32),
        age=np.zeros(n, np.uint32),
        trainable=np.full(n, 7, np.uint8),
        iteration=1,
        iterations=9,
        target=5,
        seed=0,
        height=9,
        width=9,
        q_max=4.5,
        energy=0.0,
    )
    state.save(path)
    return [*files, path.read_bytes()]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change a value of the header, which is JSON, or any bytes."""
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size])
        name = rng.choice(list(header))
        part = header[name]
        key = rng.choice(list(part))
    except (ValueError, TypeError, AttributeError, IndexError, KeyError, RecursionError):
        return mutate_bytes(data, rng)
    kind = rng.randrange(6)
    if kind == 0:
        return mutate_bytes(data, rng)
    if kind == 1:
        to = rng.choice(list(header))
        header[to] = header.pop(name)
    elif kind == 2:
        del part[key]
    else:
        part[key] = rng.choice(_VALUES)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def _is_small(gaussians: gaussianimage.Gaussians) -> bool:
    return max(gaussians.height, gaussians.width) < 200 and len(gaussians) < 1000


def check(data: bytes) -> str:
    """Load the file as Gaussians and as a fit's state, and use what was loaded."""
    path = FOLDER / "input"
    path.write_bytes(data)
    gaussians = attempt(lambda: gaussianimage.Gaussians.load(path))
    if gaussians.error is None and _is_small(gaussians.value):
        gaussianimage.render(gaussians.value, threads=1)
    state = attempt(lambda: FitState.load(path))
    if state.error is None:
        attempt(lambda: state.value.gaussians, ValueError)
    return f"{gaussians.name}, {state.name}"
