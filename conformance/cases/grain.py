"""Cases of section 4.10: grain."""

from collections.abc import Iterator

import numpy as np

from cases.alpha import with_map
from cases.case import Invalid, Valid, rebuild, split
from cases.layers import file, random_layer
from gaussianimage.codec.format.grain import Grain, cells


def payload(
    seed: int, k: int, brightness: tuple[int, int, int], height: int, width: int, most: int = 16
) -> bytes:
    """Return the payload of a chunk gRAN of random levels below `most`."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, most, (cells(height, k), cells(width, k), 5)).astype(np.uint8)
    return bytes(Grain(seed, k, brightness, levels).to_chunk().payload)


def grainy(channels: int, height: int, width: int, grain: bytes, *, deep: bool = False) -> bytes:
    layer = random_layer(4, 9, channels, height=height, width=width)
    data = file([layer], channels, height=height, width=width, deep=deep)
    return rebuild([*split(data), ("gRAN", grain)])


def valid() -> Iterator[Valid]:
    for k in range(3, 9):
        yield Valid(
            f"grain-cells-of-{2**k}",
            grainy(3, 21, 34, payload(k, k, (40, 64, 50), 21, 34)),
            "4.10",
            f"cells of {2**k} pixels",
        )
    for channels in (1, 2, 3, 4):
        for deep in (False, True):
            yield Valid(
                f"grain-{channels}-{16 if deep else 8}",
                grainy(channels, 18, 19, payload(7, 3, (20, 64, 90), 18, 19), deep=deep),
                "4.10",
                f"{channels} channels, {16 if deep else 8} bits",
            )
    for name, seed, brightness, most in (
        ("none", 0, (64, 64, 64), 1),
        ("dark", 1, (0, 0, 0), 16),
        ("strongest", 255, (255, 255, 255), 16),
        ("uneven", 128, (220, 0, 220), 16),
    ):
        yield Valid(
            f"grain-{name}",
            grainy(3, 16, 16, payload(seed, 4, brightness, 16, 16, most)),
            "4.10",
            f"seed {seed}, strengths {brightness}, levels below {most}",
        )
    yield Valid(
        "grain-one-pixel", grainy(1, 1, 1, payload(3, 3, (64,) * 3, 1, 1)), "4.10", "1 pixel"
    )
    wide = payload(5, 5, (64, 64, 64), 3, 300)
    yield Valid("grain-wide", grainy(1, 3, 300, wide), "4.10", "beyond the period of both tables")
    head, layer = split(with_map(4, 6, 18, 20))
    grain = ("gRAN", payload(2, 3, (64, 64, 64), 18, 20))
    yield Valid(
        "grain-before-layers", rebuild([head, grain, layer]), "4.10", "grain with a map of alpha"
    )
    nothing = split(file([], 3, height=9, width=9))
    yield Valid(
        "grain-of-nothing",
        rebuild([*nothing, ("gRAN", payload(9, 3, (64,) * 3, 9, 9))]),
        "4.10",
        "grain and no Gaussians",
    )


def invalid() -> Iterator[Invalid]:
    good = payload(7, 3, (40, 64, 50), 18, 19)
    numbers, stream = good[:5], good[5:]
    for name, section, about, changed in (
        ("empty", "4.10", "no bytes", b""),
        ("of-4-bytes", "4.10", "4 bytes", good[:4]),
        ("no-stream", "5.1", "no stream", numbers),
        ("cells-of-4", "4.10", "cells of 4 pixels", bytes([7, 2]) + good[2:]),
        ("cells-of-512", "4.10", "cells of 512 pixels", bytes([7, 9]) + good[2:]),
        ("more-cells", "5.1", "levels of more cells than there are", bytes([7, 4]) + good[2:]),
        ("state", "5.1", "a state below 2^16", numbers + b"\0\0\0\0" + stream[4:]),
        ("cut", "5.1", "a word less", good[:-2]),
        ("surplus", "5.1", "a byte more", good + b"\0"),
    ):
        yield Invalid(f"grain-{name}", grainy(3, 18, 19, changed), "format", section, about)
    head, layer = split(grainy(3, 18, 19, good))[:2]
    yield Invalid(
        "grain-twice",
        rebuild([head, ("gRAN", good), layer, ("gRAN", good)]),
        "format",
        "4.10",
        "two chunks gRAN",
    )
    large = split(file([], 1, height=4097, width=4096))
    yield Invalid(
        "grain-of-too-many-cells",
        rebuild([*large, ("gRAN", good)]),
        "format",
        "4.10",
        "more than 2^18 cells",
    )
