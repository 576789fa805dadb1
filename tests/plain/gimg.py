"""A plain, slow decoder of `.gimg` files, written from docs/format.md.

`decode` returns the integers and numbers of a file's Gaussians; the tests compare those of the
native decoder with them, bit for bit. The decoder shares no code with the package, needs only
Python and NumPy, and reads the tables of the format from the document.
"""

import re
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from plain.alpha import Map, decode_map, with_map
from plain.dequantize import Numbers, blocks, numbers, picture, samples
from plain.grain import Grain, decode_grain, with_grain
from plain.layer import Decoder, Gaussian, Quantizer
from plain.varint import InvalidError, varint

VERSION = 1
SIGNATURE = bytes([0x8B]) + b"GIMG\r\n\n"
METADATA = ("iCCP", "eXIF", "xXMP")


@dataclass
class Header:
    height: int
    width: int
    channels: int
    deep: bool  # 16 bits per sample
    gaussians: int
    layers: int
    q_max: float
    work: int
    color_index: int
    shape_index: int
    background: list[float]
    alpha_map: bytes  # not decoded; empty if there is none


@dataclass
class File:
    header: Header
    metadata: dict[str, bytes]
    layers: list[list[Gaussian]]
    numbers: list[Numbers]  # of all layers, in order
    alpha: Map | None  # the class of each pixel's alpha
    grain: Grain | None

    def pixels(self) -> NDArray[np.int64]:
        """Return the picture as samples of the source's depth, (height, width, C)."""
        samples = self.pixels_without_grain()
        if self.grain is None:
            return samples
        return with_grain(samples, self.grain, deep=self.header.deep)

    def pixels_without_grain(self) -> NDArray[np.int64]:
        """Return the picture without the noise of its grain."""
        h = self.header
        image = picture(self.numbers, h.background, h.height, h.width, h.q_max)
        white = 65535 if h.deep else 255
        if self.alpha is not None:
            return with_map(image, self.alpha, white)
        return samples(image, white)


def decode(data: bytes) -> File:
    """Decode a file, or raise `InvalidError`."""
    found = chunks(data)
    header = read_header(found[0][1])
    metadata: dict[str, bytes] = {}
    payloads = []
    grain = None
    for kind, payload in found[1:]:
        if kind == "LAYR":
            payloads.append(payload)
        elif kind == "gRAN":
            if grain is not None:
                raise InvalidError("two chunks gRAN")
            grain = decode_grain(payload, header.height, header.width)
        elif kind in metadata:
            raise InvalidError(f"two chunks {kind}")
        elif kind in METADATA:
            metadata[kind] = decompress(payload)
        elif kind[0].isupper():
            raise InvalidError(f"an unknown critical chunk {kind}")
    if len(payloads) != header.layers:
        raise InvalidError("a wrong number of layers")
    decoder = Decoder(quantizer(header), header.layers)
    layers = []
    left = header.gaussians
    for payload in payloads:
        layers.append(decoder.decode(payload, left))
        left -= len(layers[-1])
    if left != 0:
        raise InvalidError("a wrong number of Gaussians")
    values = [numbers(quantizer(header), gaussian) for layer in layers for gaussian in layer]
    if sum(blocks(v, header.height, header.width, header.q_max) for v in values) > header.work:
        raise InvalidError("more work than announced")
    alpha = None
    if header.alpha_map:
        alpha = decode_map(header.alpha_map, header.height, header.width)
    return File(header, metadata, layers, values, alpha, grain)


def chunks(data: bytes) -> list[tuple[str, bytes]]:
    """Return the types and payloads of all chunks but GEND."""
    if data[:8] != SIGNATURE:
        raise InvalidError("no signature")
    found = []
    position = 8
    while True:
        kind = data[position : position + 4].decode("latin-1")
        if not re.fullmatch("[A-Za-z][A-Z0-9]{3}", kind):
            raise InvalidError(f"a chunk of type {kind!r}")
        length, start = varint(data, position + 4)
        end = start + length
        if length >= 2**31 or end + 4 > len(data):
            raise InvalidError(f"a chunk {kind} of {length} bytes")
        if zlib.crc32(data[position:end]) != int.from_bytes(data[end : end + 4], "little"):
            raise InvalidError(f"a chunk {kind} with a wrong CRC")
        if (kind == "HEAD") != (not found):
            raise InvalidError(f"chunk {kind} out of place")
        position = end + 4
        if kind == "GEND":
            if length != 0 or position != len(data):
                raise InvalidError("bytes in or after GEND")
            return found
        found.append((kind, data[start:end]))


def read_header(payload: bytes) -> Header:
    """Return the numbers in a HEAD chunk."""
    if len(payload) < 3:
        raise InvalidError("a short header")
    version, minimum, flags = payload[:3]
    if not 1 <= minimum <= version or minimum > VERSION or flags >= 16:
        raise InvalidError("a header with an unknown version or flags")
    height, position = varint(payload, 3)
    width, position = varint(payload, position)
    gaussians, position = varint(payload, position)
    if len(payload) < position + 3:
        raise InvalidError("a short header")
    layers = payload[position]
    q_max = int.from_bytes(payload[position + 1 : position + 3], "little")
    work, position = varint(payload, position + 3)
    channels = flags % 4 + 1
    has_map = flags >= 8
    end = position + 2 + 2 * channels
    parameters, alpha_map = payload[position:end], payload[end:]
    if len(payload) < end or has_map != (len(alpha_map) > 0):
        raise InvalidError("a header of a wrong length")
    if has_map and channels % 2:
        raise InvalidError("a map of alpha without alpha")
    most_work = min(gaussians * (64 + -(-width // 8) * (16 + height)), 2**64 - 1)
    for value, low, high in (
        (height, 1, 2**24),
        (width, 1, 2**24),
        (gaussians, 0, 2**28),
        (layers, min(1, gaussians), min(255, gaussians)),
        (q_max, 1, 65535),
        (work, 0, most_work),
        (parameters[1], 64, 192),
    ):
        if not low <= value <= high:
            raise InvalidError(f"a header with {value} that should be in {low}..{high}")
    levels = [int.from_bytes(parameters[i : i + 2], "little") for i in range(2, len(parameters), 2)]
    return Header(
        height=height,
        width=width,
        channels=channels,
        deep=flags & 4 != 0,
        gaussians=gaussians,
        layers=layers,
        q_max=q_max / 2048,
        work=work,
        color_index=parameters[0],
        shape_index=parameters[1],
        background=[level / 65535 for level in levels],
        alpha_map=alpha_map,
    )


def quantizer(header: Header) -> Quantizer:
    """Return the numbers of a header that the layers need."""
    return Quantizer(
        header.height, header.width, header.channels, header.color_index, header.shape_index
    )


def decompress(payload: bytes) -> bytes:
    """Return the contents of a chunk of metadata."""
    size, position = varint(payload, 0)
    stream = payload[position:]
    if not 1 <= size <= 1032 * len(stream):
        raise InvalidError("metadata of an impossible size")
    inflate = zlib.decompressobj()
    try:
        result = inflate.decompress(stream)
    except zlib.error:
        raise InvalidError("metadata that is no zlib stream") from None
    if len(result) != size or not inflate.eof or inflate.unused_data:
        raise InvalidError("metadata of another size")
    return result
