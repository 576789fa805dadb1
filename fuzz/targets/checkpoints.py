"""Any bytes as a checkpoint of the paper's code, which is a pickle: its code must never run."""

import io
import os
import pickle
import random
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from support.mutation import mutate_bytes
from support.outcome import attempt

from gaussianimage.paper.checkpoints import (
    import_checkpoint,
    import_quantizers,
    import_spatial,
    load_model,
)

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
MARK = "GAUSSIANIMAGE_FUZZ_CODE_HAS_RUN"
SIZE = (12, 17)


class _Hostile:
    """Sets a variable of the environment when it is unpickled."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self._reduced = (call, arguments)

    def __reduce__(self) -> Any:
        return self._reduced


def _program() -> str:
    return f"__import__('os').environ.__setitem__({MARK!r}, '1')"


def hostile_objects() -> list[Any]:
    """Return objects that run code when they are unpickled, each in its own way."""
    return [
        _Hostile(eval, _program()),
        _Hostile(exec, _program()),
        _Hostile(os.putenv, MARK, "1"),
        _Hostile(os.system, f"touch {FOLDER / 'ran'}"),
    ]


def seeds() -> list[bytes]:
    """Return honest checkpoints in both of PyTorch's layouts, and hostile ones."""
    rows = 4
    flat = {
        "_xyz": torch.rand(rows, 2),
        "_features_dc": torch.rand(rows, 3),
        "_cholesky": torch.rand(rows, 3),
    }
    rotated = {**flat, "_scaling": torch.rand(rows, 2), "_rotation": torch.rand(rows, 1)}
    del rotated["_cholesky"]
    spatial = {
        "_xyz": torch.rand(rows, 3),
        "_scaling": torch.rand(rows, 3),
        "_rotation": torch.rand(rows, 4),
        "_opacity": torch.rand(rows, 1),
        "_features_dc": torch.rand(rows, 1, 3),
        "_features_rest": torch.rand(rows, 3, 3),
    }
    contents: list[Any] = [flat, rotated, spatial, {"state_dict": {"gaussians": flat}}]
    contents += [{**flat, "_xyz": hostile} for hostile in hostile_objects()]
    found = []
    for content in contents:
        for zipped in (True, False):
            target = io.BytesIO()
            torch.save(content, target, _use_new_zipfile_serialization=zipped)
            found.append(target.getvalue())
        found.append(pickle.dumps(content))
    return found


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change any bytes, or an entry of the archive, with pieces of hostile pickles."""
    words = [b"cos\nsystem\n", b"cbuiltins\neval\n", b"\x8c\x02os\x8c\x06system\x93", b"R", b"b"]
    words += [b"ctorch._utils\n_rebuild_tensor_v2\n", b"(S'" + _program().encode() + b"'\ntR."]
    if not zipfile.is_zipfile(io.BytesIO(data)) or rng.random() < 0.1:
        return mutate_bytes(data, rng, words)
    target = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
            names = old.namelist()
            chosen = rng.choice([name for name in names if name.endswith(".pkl")] * 9 + names)
            for name in names:
                content = old.read(name)
                new.writestr(name, mutate_bytes(content, rng, words) if name == chosen else content)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, IndexError, EOFError):
        return mutate_bytes(data, rng, words)
    return target.getvalue()


def check(data: bytes) -> str:
    """Import the file in every way; no code of it may have run."""
    path = FOLDER / "input"
    path.write_bytes(data)
    outcomes = [
        attempt(lambda: import_checkpoint(path, SIZE)),
        attempt(lambda: import_spatial(path, SIZE)),
        attempt(lambda: import_quantizers(path)),
        attempt(lambda: load_model(path)),
    ]
    assert MARK not in os.environ
    assert os.getenv(MARK) is None
    assert not (FOLDER / "ran").exists()
    return ", ".join(outcome.name for outcome in outcomes)
