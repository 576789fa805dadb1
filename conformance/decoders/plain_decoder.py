"""The plain decoder in tests/plain/, for conformance/run.py."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests"), str(HERE.parent)]

from expected import pam, partial_layers  # noqa: E402
from plain import gimg, paper, tiles  # noqa: E402
from plain.varint import InvalidError  # noqa: E402
from serving import RefusedError, SkippedError, serve  # noqa: E402

MOST_PIXELS = 2**25


def answer(what: str, path: Path) -> bytes:
    """Return what is asked of a file."""
    data = path.read_bytes()
    try:
        if what == "partial":
            return numbers(partial_layers(data))
        kind, file = read(data)
    except InvalidError as error:
        raise RefusedError("", str(error)) from None
    if what in ("pixels", "grain"):
        header = file.header
        if header.height * header.width > MOST_PIXELS:
            raise RefusedError("limit", "too many pixels for a plain decoder")
        if what == "grain" or kind is not gimg:
            return pam(file.pixels(), header)
        return pam(file.pixels_without_grain(), header)
    if what == "metadata":
        if kind is paper:
            raise SkippedError
        found = sorted(file.metadata.items())
        return "".join(f"{name} {content.hex()}\n" for name, content in found).encode()
    if what == "numbers":
        if kind is paper:
            raise SkippedError
        return numbers(file.numbers() if kind is tiles else file.numbers)
    return "".join(" ".join(map(str, row)) + "\n" for row in rows(kind, file)).encode()


def read(data: bytes) -> tuple[Any, Any]:
    """Return the module that reads a file, and the file."""
    kinds = [kind for kind, _ in gimg.chunks(data)]
    head = gimg.chunks(data)[0][1]
    if kinds[1:2] == ["TIDX"]:
        return tiles, tiles.decode(data)
    try:
        paper.read_header(head)
    except InvalidError:
        return gimg, gimg.decode(data)
    return paper, paper.decode(data)


def rows(kind: Any, file: Any) -> list[tuple[int, ...]]:
    """Return the integers of each Gaussian."""
    if kind is paper:
        return file.rows if file.quantizers.stream < 2 else sorted(file.rows)
    if kind is tiles:
        parts = [((*place,), tile.layers) for place, tile in file.tiles.items()]
    else:
        parts = [((), file.layers)]
    return [
        (*place, g.precision, g.x, g.y, *g.color, *g.shape)
        for place, layers in parts
        for layer in layers
        for g in layer
    ]


def numbers(found: list[Any]) -> bytes:
    """Return means, Cholesky factors and colors, little-endian."""
    return b"".join(
        np.array([getattr(n, field) for n in found], kind).tobytes()
        for field, kind in (("mean", "<f8"), ("cholesky", "<f8"), ("color", "<f4"))
    )


if __name__ == "__main__":
    serve(answer)
