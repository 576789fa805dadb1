"""Answers the requests of conformance/run.py, which come as lines on stdin.

A request is `WHAT<TAB>INPUT<TAB>OUTPUT`. The answer is one line: `ok` when the output is written,
`skip` if the decoder cannot give this, or `error KIND MESSAGE`.
"""

import sys
from collections.abc import Callable
from pathlib import Path


class RefusedError(Exception):
    """A file that is refused, and the kind of the error; an empty kind if there is none."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class SkippedError(Exception):
    """What was asked for is not something that the decoder gives."""


Answer = Callable[[str, Path], bytes]


def serve(answer: Answer) -> None:
    """Answer requests until stdin ends."""
    for line in sys.stdin:
        what, source, target = line.rstrip("\n").split("\t")
        try:
            Path(target).write_bytes(answer(what, Path(source)))
            print("ok", flush=True)
        except SkippedError:
            print("skip", flush=True)
        except RefusedError as error:
            print("error", error.kind or "?", " ".join(str(error).split()), flush=True)


def pam(height: int, width: int, channels: int, white: int, samples: bytes) -> bytes:
    """Return samples, which are big-endian if they have 16 bits, as a file in the PAM format."""
    kind = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}[channels]
    head = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {channels}\nMAXVAL {white}\n"
    return f"{head}TUPLTYPE {kind}\nENDHDR\n".encode("ascii") + samples
