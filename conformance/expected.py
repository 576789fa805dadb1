"""What a valid file decodes to, by the plain decoder in tests/plain/ alone.

The decoder follows docs/format.md and shares no code with the package, so the suite does not take
the package's word for anything.
"""

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plain import gimg, paper, tiles
from plain.dequantize import Numbers, draws, numbers
from plain.layer import Decoder
from plain.varint import InvalidError, varint

# A pixel is unsure if some q is this close to the cut-off, relative to it and in absolute terms.
RELATIVE, ABSOLUTE = 1e-5, 2.5e-3
END = bytes.fromhex("47454e440080f12a6e")


def describe(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the facts of a file for the manifest, and its pictures as PAM files."""
    kinds = [kind for kind, _ in gimg.chunks(data)]
    if "TIDX" in kinds:
        return describe_tiled(data)
    if "QUAN" in kinds:
        return describe_paper(data)
    return describe_layers(data)


def describe_layers(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    file = gimg.decode(data)
    lines = [(g.precision, g.x, g.y, *g.color, *g.shape) for layer in file.layers for g in layer]
    facts = common(file.header, file.numbers, file.header.background) | {
        "features": ["grain"] * bool(file.grain) + ["metadata"] * bool(file.metadata),
        "gaussians": len(lines),
        "integers": digest_lines(lines),
        "numbers": digest_numbers(file.numbers),
        "metadata": digest_metadata(file.metadata),
    }
    images = {"pixels": pam(file.pixels_without_grain(), file.header)}
    if file.grain:
        images["grain"] = pam(file.pixels(), file.header)
    return facts, images


def describe_tiled(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    file = tiles.decode(data)
    lines = [
        (*place, g.precision, g.x, g.y, *g.color, *g.shape)
        for place, tile in file.tiles.items()
        for layer in tile.layers
        for g in layer
    ]
    facts = common(file.header, file.numbers(), file.header.background) | {
        "features": ["tiles"] + ["metadata"] * bool(file.metadata),
        "gaussians": len(lines),
        "integers": digest_lines(lines),
        "numbers": digest_numbers(file.numbers()),
        "metadata": digest_metadata(file.metadata),
    }
    return facts, {"pixels": pam(file.pixels(), file.header)}


def describe_paper(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    file = paper.decode(data)
    rows = file.rows if file.quantizers.stream < 2 else sorted(file.rows)
    metadata = {
        kind: gimg.decompress(payload)
        for kind, payload in gimg.chunks(data)
        if kind in gimg.METADATA
    }
    facts = common(file.header, file.numbers, [0.0] * file.header.channels) | {
        "features": ["paper"] + ["metadata"] * bool(metadata),
        "gaussians": len(rows),
        "integers": digest_lines(rows),
        "metadata": digest_metadata(metadata),
    }
    return facts, {"pixels": pam(file.pixels(), file.header)}


def partial_layers(data: bytes) -> list[Numbers]:
    """Return the Gaussians of the whole layers before the first damage of a file."""
    found: list[tuple[str, bytes]] = []
    ends = [len(gimg.SIGNATURE)]
    while True:
        try:
            length, start = varint(data, ends[-1] + 4)
            end = start + length + 4
            # What ends here with a GEND is a whole file if this chunk is whole.
            found = gimg.chunks(data[:end] + END)
        except InvalidError:
            break
        ends.append(end)
    if not found:
        raise InvalidError("no whole header")
    header = gimg.read_header(found[0][1])
    decoder = Decoder(gimg.quantizer(header), header.layers)
    left, result = header.gaussians, []
    for kind, payload in found:
        if kind == "LAYR":
            layer = decoder.decode(payload, left)
            left -= len(layer)
            result += [numbers(gimg.quantizer(header), gaussian) for gaussian in layer]
    return result


def common(header: Any, gaussians: list[Numbers], background: list[float]) -> dict[str, Any]:
    """Return the size of a picture, and how far another decoder's pixels may be off."""
    unsure, most = certainty(gaussians, header)
    white = 65535 if header.deep else 255
    # One level, or a sixteenth of one, and single precision of the largest sum on the way.
    rounding = math.ceil(white * (most + max(background)) * 2.0**-20)
    return {
        "height": header.height,
        "width": header.width,
        "channels": header.channels,
        "bits": 16 if header.deep else 8,
        "tolerance": (16 if header.deep else 1) + (rounding if most > 4 else 0),
        "unsure": unsure,
    }


def certainty(gaussians: list[Numbers], header: Any) -> tuple[int, float]:
    """Return how many pixels are near a cut-off, and the largest sum of magnitudes."""
    sums = np.zeros((header.height, header.width))
    unsure = np.zeros(sums.shape, bool)
    x, y = np.arange(header.width) + 0.5, np.arange(header.height)[:, None] + 0.5
    for (mean_x, mean_y), (l11, l21, l22), color in filter(draws, gaussians):
        z1 = (x - mean_x) / l11
        z2 = (y - mean_y - l21 * z1) / l22
        q = (z1 * z1 + z2 * z2) / 2
        # A thin Gaussian at a slant turns a small error of its factor into a large one of q.
        slant = 1e-6 * np.abs(z2) * (np.abs(z1 * l21) + np.abs(y - mean_y)) / l22
        margin = ABSOLUTE + RELATIVE * header.q_max + slant
        unsure |= np.abs(q - header.q_max) < margin
        weight = np.where(q <= header.q_max + margin, np.exp(-q), 0)
        sums += weight * max(abs(channel) for channel in color)
    return int(unsure.sum()), float(sums.max(initial=0))


def digest_lines(rows: Any) -> str:
    """Return the SHA-256 of rows of integers as text, a row a line."""
    text = "".join(" ".join(map(str, row)) + "\n" for row in rows)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def digest_numbers(gaussians: list[Numbers]) -> str:
    """Return the SHA-256 of the means, the factors and the colors, one array after another."""
    parts = [
        np.array([getattr(n, field) for n in gaussians], kind).tobytes()
        for field, kind in (("mean", "<f8"), ("cholesky", "<f8"), ("color", "<f4"))
    ]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def digest_metadata(metadata: dict[str, bytes]) -> str:
    """Return the SHA-256 of lines of a type and its data in hexadecimal digits, sorted by type."""
    lines = (f"{kind} {data.hex()}\n" for kind, data in sorted(metadata.items()))
    return hashlib.sha256("".join(lines).encode("ascii")).hexdigest()


def pam(samples: NDArray[np.int64], header: Any) -> bytes:
    """Return samples (height, width, C) as a file in Netpbm's PAM format."""
    kind = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}[header.channels]
    white, dtype = (65535, ">u2") if header.deep else (255, "u1")
    head = (
        f"P7\nWIDTH {header.width}\nHEIGHT {header.height}\nDEPTH {header.channels}\n"
        f"MAXVAL {white}\nTUPLTYPE {kind}\nENDHDR\n"
    )
    return head.encode("ascii") + samples.astype(dtype).tobytes()
