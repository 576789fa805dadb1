"""The package's own decoder, for conformance/run.py."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from serving import RefusedError, SkippedError, pam, serve

from gaussianimage import _native, decode
from gaussianimage.codec.decoder.file import (
    DEFAULT_LIMITS,
    LayerContent,
    ParsedFile,
    TiledContent,
    check_layers,
    parse_file,
)
from gaussianimage.codec.decoder.paper_record import read_record
from gaussianimage.codec.decoder.tile_cache import read_tile
from gaussianimage.codec.format.metadata import TYPES
from gaussianimage.errors import (
    FormatError,
    GaussianImageError,
    GaussianImageWarning,
    LimitError,
    TileError,
    TruncatedError,
    UnsupportedError,
)

warnings.simplefilter("ignore", GaussianImageWarning)

KINDS = {
    TileError: "tile",
    TruncatedError: "truncated",
    FormatError: "format",
    LimitError: "limit",
    UnsupportedError: "unsupported",
}


def answer(what: str, path: Path) -> bytes:
    """Return what is asked of a file."""
    try:
        data = path.read_bytes()
        if what in ("pixels", "grain"):
            return pixels(data, grain=what == "grain")
        file = parse_file(data, partial=what == "partial")
        return {"numbers": numbers, "partial": numbers, "metadata": metadata, "integers": integers}[
            what
        ](file)
    except GaussianImageError as error:
        kind = next(name for base, name in KINDS.items() if isinstance(error, base))
        raise RefusedError(kind, str(error)) from None


def pixels(data: bytes, *, grain: bool) -> bytes:
    header = parse_file(data).header
    dtype = np.uint16 if header.bit_depth == 16 else np.uint8
    samples = decode(data, dtype=dtype, grain=grain)
    size = (header.height, header.width, header.channels)
    big = samples.astype(samples.dtype.newbyteorder(">"))
    return pam(*size, int(np.iinfo(dtype).max), big.tobytes())


def numbers(file: ParsedFile) -> bytes:
    """Return means, Cholesky factors and colors, little-endian."""
    content = file.content
    if isinstance(content, LayerContent):
        arrays = layers(file, content)
    elif isinstance(content, TiledContent):
        arrays = tiles(file, content)
    else:
        raise SkippedError
    return b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays)


def layers(file: ParsedFile, content: LayerContent) -> tuple[Any, Any, Any]:
    header = file.header
    ends, arrays = _native.decode_layers(
        content.parameters.quantizer(header.height, header.width),
        [bytes(chunk.payload) for chunk in content.chunks],
        header.layers,
        header.gaussians,
        1,
    )
    check_layers(file, list(content.chunks), len(ends), ends[-1] if ends else 0)
    return arrays


def tiles(file: ParsedFile, content: TiledContent) -> tuple[Any, Any, Any]:
    index = content.index
    channels = file.header.channels
    parts = [(np.empty((0, 2)), np.empty((0, 3)), np.empty((0, channels), np.float32))]
    for number, place in enumerate(index.grid.places()):
        if index.lengths[number]:
            tile = read_tile(file, content, place, DEFAULT_LIMITS, 1)
            scale = index.grid.scales[place.level]
            parts.append((tile.means * scale, tile.cholesky * scale, tile.colors))
    means, cholesky, colors = (np.concatenate(part) for part in zip(*parts, strict=True))
    return means, cholesky, colors


def metadata(file: ParsedFile) -> bytes:
    found = {
        kind.decode(): getattr(file.metadata, name)
        for name, kind in TYPES.items()
        if getattr(file.metadata, name) is not None
    }
    return "".join(f"{kind} {data.hex()}\n" for kind, data in sorted(found.items())).encode()


def integers(file: ParsedFile) -> bytes:
    """Return the fields of a file of the paper's profile; of layers only the numbers are public."""
    if isinstance(file.content, LayerContent | TiledContent):
        raise SkippedError
    rows = read_record(file).rows().tolist()
    return "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()


if __name__ == "__main__":
    for isa in sys.argv[1:]:
        if not _native.select_instruction_set(isa):
            raise SystemExit(f"this CPU has no {isa}")
    serve(answer)
