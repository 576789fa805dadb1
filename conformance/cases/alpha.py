"""Cases of section 4.9: the map of transparent and opaque pixels."""

from collections.abc import Iterator

import numpy as np

from cases.case import Invalid, Valid, split
from cases.header import parse, with_fields
from cases.layers import file, random_layer
from gaussianimage import _native


def classes(seed: int, height: int, width: int) -> np.ndarray:
    """Return classes of all kinds: areas, edges and single pixels, (height, width)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(x - width / 2, y - height / 2) + rng.uniform(-1, 1, (height, width))
    found = np.select([distance < width / 4, distance < width / 3], [1, 2], 0)
    noisy = rng.uniform(size=found.shape) < 0.1
    return np.where(noisy, rng.integers(0, 3, found.shape), found).astype(np.uint8)


def with_map(channels: int, seed: int, height: int, width: int, *, deep: bool = False) -> bytes:
    """Return a file with a random map."""
    layer = random_layer(seed, 12, channels, height=height, width=width)
    return file(
        [layer],
        channels,
        height=height,
        width=width,
        deep=deep,
        alpha_map=_native.encode_alpha_map(classes(seed, height, width)),
    )


def valid() -> Iterator[Valid]:
    for channels in (2, 4):
        for kind in range(3):
            yield Valid(
                f"alpha-one-byte-{kind}-{channels}",
                file([random_layer(kind, 9, channels)], channels, alpha_map=bytes([kind])),
                "4.9",
                f"all pixels are of class {kind}, {channels} channels",
            )
        for seed, (height, width) in enumerate(
            ((8, 8), (9, 7), (1, 1), (17, 33), (1, 30), (30, 1))
        ):
            yield Valid(
                f"alpha-map-{height}x{width}-{channels}",
                with_map(channels, seed, height, width),
                "4.9",
                f"a map of {height} by {width} pixels, {channels} channels",
            )
        yield Valid(
            f"alpha-map-16-bits-{channels}",
            with_map(channels, 9, 20, 26, deep=True),
            "4.9",
            "a map of a picture of 16 bits",
        )
    yield Valid(
        "alpha-map-of-nothing",
        file([], 4, height=11, width=13, alpha_map=_native.encode_alpha_map(classes(5, 11, 13))),
        "4.9",
        "a map and no Gaussians",
    )
    noise = np.random.default_rng(1).integers(0, 3, (19, 21)).astype(np.uint8)
    yield Valid(
        "alpha-map-noise",
        file(
            [random_layer(2, 9, 2, height=19, width=21)],
            2,
            height=19,
            width=21,
            alpha_map=_native.encode_alpha_map(noise),
        ),
        "4.9",
        "a map of random classes",
    )


def invalid() -> Iterator[Invalid]:
    data = with_map(4, 3, 17, 33)
    fields = parse(split(data)[0][1])
    background, stream = fields["rest"][:8], fields["rest"][8:]
    for name, section, about, changed in (
        ("class-3", "4.9", "a map of class 3", b"\x03"),
        ("class-255", "4.9", "a map of class 255", b"\xff"),
        ("short", "5.1", "fewer bytes than the states have", stream[:5]),
        ("state", "5.1", "a state below 2^16", b"\xff\xff\0\0" + stream[4:]),
        ("surplus", "5.1", "a word more", stream + b"\0\0"),
        ("surplus-byte", "5.1", "a byte more", stream + b"\0"),
        ("cut", "5.1", "a word less", stream[:-2]),
        (
            "flipped",
            "5.1",
            "another word, which ends in other states",
            stream[:10] + bytes([stream[10] ^ 64]) + stream[11:],
        ),
    ):
        yield Invalid(
            f"alpha-{name}", with_fields(data, rest=background + changed), "format", section, about
        )
