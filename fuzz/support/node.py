"""Scripts in JavaScript that answer the targets, each in a process of Node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent


def available() -> bool:
    """Whether Node is installed."""
    return shutil.which("node") is not None


class Node:
    """A script of this folder that serves requests; it starts with the first one.

    Parameters
    ----------
    script : str
        Name of the file.
    options : dict
        What the script gets as JSON, its only argument.
    """

    def __init__(self, script: str, **options: Any) -> None:
        self._command = ["node", str(HERE / script), json.dumps(options)]
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, *parts: bytes) -> dict[str, Any]:
        """Send a request, and return the answer.

        Raises
        ------
        AssertionError
            The script met an error that is not one of the decoder.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = len(parts).to_bytes(4, "little")
        request += b"".join(len(part).to_bytes(4, "little") + part for part in parts)
        self._process.stdin.write(request)
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "crash" not in told, told["crash"]
        return told

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def as_rgba(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels of 1 to 4 channels as JavaScript has them, in 8 bits."""
    values = pixels.reshape(*pixels.shape[:2], -1)
    channels = values.shape[2]
    color = values[..., : 3 if channels > 2 else 1]
    out = np.full((*values.shape[:2], 4), 255, np.uint8)
    out[..., :3] = color
    if channels % 2 == 0:
        out[..., 3] = values[..., -1]
    return out


def assert_close(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    """Compare what JavaScript draws with what the native decoder does.

    A pixel at a Gaussian's edge may be in it or out of it, and where nearly nothing shows, the
    division by alpha leaves anything.
    """
    difference = np.abs(found.astype(int) - expected)
    assert difference[..., 3].max(initial=0) <= 2
    colors = difference[..., :3][expected[..., 3] > 64]
    assert (colors > 4).mean() <= 0.01 if colors.size else True, colors.max()
