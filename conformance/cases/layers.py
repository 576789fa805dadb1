"""Cases of sections 4 and 5: layers of Gaussians, and the streams that they are in."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cases.case import Invalid, Valid, chunk, join, rebuild, split, varint
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import QuantizerParameters

HEIGHT, WIDTH = 12, 16
LARGEST = 2**25 + 78
BACKGROUNDS = {1: (30000,), 2: (30000, 50000), 3: (30000, 20000, 40000)}


def file(
    layers: Sequence[QuantizedGaussians],
    channels: int,
    *,
    height: int = HEIGHT,
    width: int = WIDTH,
    deep: bool = False,
    q_max: float = 4.5,
    color_index: int = 40,
    shape_index: int = 128,
    background: tuple[int, ...] | None = None,
    alpha_map: bytes | None = None,
) -> bytes:
    """Return a file of layers."""
    background = background or BACKGROUNDS.get(channels, (30000, 20000, 40000, 50000))
    return serialize(
        layers,
        QuantizerParameters(color_index, shape_index, background),
        Metadata(),
        height=height,
        width=width,
        bit_depth=16 if deep else 8,
        q_max=q_max,
        alpha_map=alpha_map,
    )


def gaussians(precision: Any, position: Any, color: Any, shape: Any) -> QuantizedGaussians:
    """Return Gaussians of integers."""
    parts = (np.asarray(part) for part in (position, color, shape))
    return QuantizedGaussians(
        np.asarray(precision, np.uint8),
        *(np.ascontiguousarray(part, dtype=np.int32) for part in parts),
    )


def grid(precision: Any, height: int, width: int) -> Any:
    """Return columns and rows of a class, (N, 2)."""
    cells = 2.0 ** np.asarray(precision, float)[:, None]
    return np.ceil(np.array([width, height]) * 16 / cells)


def random_layer(
    seed: int,
    count: int,
    channels: int,
    *,
    height: int = HEIGHT,
    width: int = WIDTH,
    classes: tuple[int, int] = (0, 6),
    largest: float = 3,
) -> QuantizedGaussians:
    """Return random Gaussians of medium colors and shapes."""
    rng = np.random.default_rng(seed)
    precision = rng.integers(*classes, count)
    place = np.floor(rng.uniform(size=(count, 2)) * grid(precision, height, width))
    color = np.rint(rng.normal(0, largest, (count, channels)))
    color[:, 0] += color[:, 0] == 0
    return gaussians(precision, place, color, np.rint(rng.normal(0, 2, (count, 3))))


def step(color: Any, shape_index: int = 128) -> Any:
    """Return the step of the shapes of Gaussians of these colors (4.2)."""
    square = (np.minimum(np.abs(np.asarray(color, float)), 4096) ** 2).sum(axis=1)
    amplitude = np.clip(np.floor(np.log2(np.maximum(2 * square**2, 1)) / 2), 0, 15)
    return np.minimum(2 ** ((128 - shape_index) / 16) * 2 ** (-amplitude / 2), 0.7)


def extreme_layer(
    seed: int, count: int, channels: int, height: int, width: int, shape_index: int
) -> QuantizedGaussians:
    """Return Gaussians of all classes, sizes and colors, at borders and in crowds."""
    rng = np.random.default_rng(seed)
    precision = rng.integers(0, 16, count)
    place = rng.uniform(size=(count, 2))
    place[rng.uniform(size=count) < 0.2] = 0.5
    place[rng.uniform(size=count) < 0.2] = 0.9999
    color = np.rint(rng.normal(0, 1, (count, channels)) * 2.0 ** rng.uniform(0, 9, (count, 1)))
    color[rng.uniform(size=count) < 0.1] = 0
    size = rng.uniform(-2, 3, count)
    size[::9] = -6.9
    size[1::9] = 13.9
    shear = rng.normal(0, 0.6, (count, 2))
    shape = np.trunc(np.column_stack((size, shear)) / step(color, shape_index)[:, None])
    return gaussians(precision, np.floor(place * grid(precision, height, width)), color, shape)


def layer_of_lattices(seed: int, count: int, height: int, width: int) -> QuantizedGaussians:
    """Return Gaussians of all directions, long and round, in whole blocks and at the borders."""
    rng = np.random.default_rng(seed)
    precision = rng.integers(1, 6, count)
    place = np.floor(rng.uniform(size=(count, 2)) * grid(precision, height, width))
    color = rng.choice([-1, 1], (count, 1)) * rng.integers(8, 12, (count, 1))
    elongation, angle = rng.uniform(0, 3.4, count), rng.uniform(0, 2 * np.pi, count)
    size = np.log(rng.uniform(0.7, 2, count))
    shape = (size, elongation * np.cos(angle), elongation * np.sin(angle))
    return gaussians(
        precision, place, color, np.rint(np.column_stack(shape) / step(color)[:, None])
    )


def valid() -> Iterator[Valid]:
    for channels in (1, 2, 3, 4):
        yield Valid(
            f"layers-one-{channels}",
            file([random_layer(channels, 1, channels)], channels),
            "4",
            f"one Gaussian of {channels} channels",
        )
    for count in (2, 3, 4, 5, 12, 13, 28, 29, 60, 61, 62, 63, 64, 65, 92, 93, 200):
        yield Valid(
            f"layers-count-{count}",
            file([random_layer(count, count, 1 + count % 4)], 1 + count % 4),
            "5.3",
            f"{count} Gaussians in one layer: blocks and planes of other lengths"
            + (", four states" if count >= 64 else ", two states"),
        )
    for counts in ((1, 1), (5, 10, 20, 40), (64, 63, 65), (30,) * 6):
        yield Valid(
            f"layers-of-{'-'.join(map(str, counts))}",
            file([random_layer(i, n, 3) for i, n in enumerate(counts)], 3),
            "4.3",
            f"{len(counts)} layers, which share the models",
        )
    yield Valid(
        "layers-lattices",
        file([layer_of_lattices(1, 500, 70, 90)], 1, height=70, width=90),
        "4.6",
        "centers on lattices of all kinds, and in blocks that the grid does not cover whole",
    )
    yield Valid(
        "layers-255",
        file([random_layer(i, 1, 1) for i in range(255)], 1),
        "2",
        "255 layers of one Gaussian each",
    )
    none = QuantizedGaussians.none
    for name, counts in (("first", (0, 5)), ("middle", (4, 0, 5)), ("last", (5, 0))):
        yield Valid(
            f"layers-empty-{name}",
            file([random_layer(i, n, 2) if n else none(2) for i, n in enumerate(counts)], 2),
            "4.3",
            f"the {name} layer is empty",
        )
    yield from crowds()
    yield from classes()
    yield from values()


def crowds() -> Iterator[Valid]:
    for count in (2, 13, 14, 15, 16, 40, 700):
        for place in ("corner", "end", "spread"):
            layer = random_layer(count, count, 1, height=37, width=41, classes=(5, 6), largest=1)
            if place == "corner":
                layer.position[:] = 0
            elif place == "end":
                layer.position[:] = grid(layer.precision, 37, 41) - 1
            yield Valid(
                f"layers-crowd-{count}-{place}",
                file([layer], 1, height=37, width=41, color_index=64, q_max=4.25),
                "4.4",
                f"{count} Gaussians of one class, {place}: "
                + ("split models" if count <= 14 else "sixteenths and raw bits"),
            )


def classes() -> Iterator[Valid]:
    for precision in range(16):
        layer = random_layer(
            precision,
            10,
            1 + precision % 4,
            height=13,
            width=11,
            classes=(precision, precision + 1),
        )
        yield Valid(
            f"layers-class-{precision}",
            file([layer], 1 + precision % 4, height=13, width=11),
            "4.2",
            f"class {precision} alone",
        )
    for width in (31, 32, 33):
        layer = random_layer(width, 12, 2, height=32, width=width, classes=(8, 11))
        yield Valid(
            f"layers-coarse-{width}",
            file([layer], 2, height=32, width=width),
            "4.2",
            f"grids of one, two and four columns of a picture {width} pixels wide",
        )
    for width in (2047, 2048, 2049):
        layer = random_layer(width, 8, 1, height=1, width=width, classes=(15, 16))
        yield Valid(
            f"layers-coarsest-{width}",
            file([layer], 1, height=1, width=width),
            "4.2",
            f"class 15 in a picture {width} pixels wide",
        )


def values() -> Iterator[Valid]:
    for color_index in (0, 1, 15, 16, 17, 128, 255):
        layer = random_layer(color_index, 12, 3, largest=2.0 ** min(color_index / 16, 8))
        yield Valid(
            f"layers-color-index-{color_index}",
            file([layer], 3, color_index=color_index),
            "4.1",
            f"a color step of 2^(-{color_index} / 16)",
        )
    for shape_index in (64, 65, 127, 129, 191, 192):
        layer = random_layer(shape_index, 12, 4)
        scale = step(layer.color) / step(layer.color, shape_index)
        shape = np.rint(layer.shape * scale[:, None]).astype(np.int32)
        yield Valid(
            f"layers-shape-index-{shape_index}",
            file([layer._replace(shape=shape)], 4, shape_index=shape_index),
            "4.1",
            f"a shape step of 2^(({128 - shape_index}) / 16)",
        )
    ends = [0, 1, 7, 8, 9, 10, 11, 12, 15, 16, 23, 24, 31, 32, 47, 48, 79, 80, 81, 4096, 4097]
    for channels in (1, 2, 3, 4):
        color = np.array([np.roll(ends, k) for k in range(channels)]).T
        color[::2] *= -1
        place = [(i % 16, i % 12) for i in range(len(ends))]
        layer = gaussians([4] * len(ends), place, color, np.zeros((len(ends), 3)))
        yield Valid(
            f"layers-buckets-{channels}",
            file([layer], channels, color_index=160, q_max=4.25),
            "5.4",
            "levels of color at both ends of every bucket",
        )
    color = [[79 + 2**n + (2**n - 1) * (n % 2)] for n in range(25)] + [[LARGEST], [-LARGEST]]
    layer = gaussians(
        [4] * len(color),
        [(i % 16, i % 12) for i in range(len(color))],
        color,
        np.zeros((len(color), 3)),
    )
    yield Valid(
        "layers-escapes",
        file([layer], 1, color_index=255, q_max=4.25),
        "5.4",
        "escapes of all lengths",
    )
    color = np.array([[3], [40], [-2000], [0]] * 9)
    exact = np.array(
        [(-7, 0, 0), (14, 0, 0), (0, 7, 0), (0, 0, -7), (0, -7, 0), (14, -4.9, 4.9)]
        + [(-7, 4.9, 4.9), (1, 0, 0), (0, 0, 1)] * 10
    )[: len(color)]
    layer = gaussians(
        [4] * len(color),
        [(i % 16, i % 12) for i in range(len(color))],
        color,
        np.trunc(exact / step(color)[:, None]),
    )
    yield Valid(
        "layers-shape-limits",
        file([layer], 1, color_index=120),
        "4.2",
        "sizes and shears at the ends of their ranges",
    )
    for seed, (channels, shape_index, counts) in enumerate(
        ((1, 64, (40,)), (2, 128, (30, 20)), (3, 100, (64, 10)), (4, 192, (25, 5, 30)))
    ):
        layers = [
            extreme_layer(100 * seed + i, n, channels, 23, 19, shape_index)
            for i, n in enumerate(counts)
        ]
        yield Valid(
            f"layers-extremes-{channels}",
            file(layers, channels, height=23, width=19, color_index=90, shape_index=shape_index),
            "4",
            "all classes, sizes and colors, crowds and borders",
        )


# Invalid layers -----------------------------------------------------------------------------------

STREAMS = ("positions", "colors", "shapes")


class Parts:
    """A layer's payload in its parts."""

    def __init__(self, payload: bytes) -> None:
        from plain.varint import varint as read

        self.mask = int.from_bytes(payload[:2], "little")
        position = 2
        self.counts = []
        for _ in range(self.mask.bit_count()):
            count, position = read(payload, position)
            self.counts.append(count)
        first, position = read(payload, position)
        second, position = read(payload, position)
        ends = [position, position + first, position + first + second, len(payload)]
        self.streams = [payload[a:b] for a, b in itertools.pairwise(ends)]

    def payload(self, **changes: Any) -> bytes:
        """Return the payload, with other parts."""
        parts = vars(self) | changes
        lengths = parts.get("lengths") or [varint(len(s)) for s in parts["streams"][:2]]
        counts = [n if isinstance(n, bytes) else varint(n) for n in parts["counts"]]
        head = parts["mask"].to_bytes(2, "little")
        return head + b"".join([*counts, *lengths, *parts["streams"]])


def with_layer(data: bytes, payload: bytes) -> bytes:
    """Return a file with another payload of its first layer."""
    chunks = split(data)
    first = [kind for kind, _ in chunks].index("LAYR")
    chunks[first] = ("LAYR", payload)
    return rebuild(chunks)


def invalid() -> Iterator[Invalid]:
    base = file([random_layer(13, 20, 3)], 3)
    parts = Parts(dict(split(base))["LAYR"])

    def case(name: str, section: str, about: str, payload: bytes) -> Invalid:
        return Invalid(f"layers-{name}", with_layer(base, payload), "format", section, about)

    whole = parts.payload()
    for length in (0, 1, 2, 4, 6):
        about = f"a layer of {length} bytes"
        yield case(f"of-{length}-bytes", "4.3", about, whole[:length])
    counts = parts.counts
    yield case(
        "class-of-none",
        "4.3",
        "a class of no Gaussians",
        parts.payload(counts=[0, *counts[1:]]),
    )
    long = bytes([counts[0] | 128, 0])
    yield case(
        "long-count",
        "4.3",
        "a count in more bytes than it needs",
        parts.payload(counts=[long, *counts[1:]]),
    )
    yield case(
        "too-many",
        "4.3",
        "more Gaussians than the header has left",
        parts.payload(counts=[counts[0] + 1, *counts[1:]]),
    )
    crowd = file([random_layer(1, 3000, 1)], 1)
    yield Invalid(
        "layers-16-a-byte",
        with_layer(crowd, Parts(dict(split(crowd))["LAYR"]).payload()[:150]),
        "format",
        "4.3",
        "more than 16 Gaussians for each byte of the payload",
    )
    first, second = (len(stream) for stream in parts.streams[:2])
    for name, lengths in (
        ("long-positions", [varint(len(whole)), varint(second)]),
        ("long-colors", [varint(first), varint(len(whole))]),
        ("endless-positions", [varint(2**64 - 1), varint(second)]),
    ):
        about = "streams that are longer than their layer"
        yield case(name, "4.3", about, parts.payload(lengths=lengths))
    for number, name in enumerate(STREAMS):
        stream = parts.streams[number]
        for kind, section, about, changed in (
            ("short", "5.1", "fewer bytes than the states have", stream[:7]),
            ("state", "5.1", "a first state below 2^16", b"\xff\xff\0\0" + stream[4:]),
            ("surplus", "5.1", "a byte behind the last loose bit", stream + b"\0"),
            (
                "loose",
                "5.1",
                "a loose bit that is left is 1",
                stream[:-1] + bytes([stream[-1] | 128]),
            ),
            ("cut", "5.1", "too few loose bits or words", stream[: max(8, len(stream) // 2)]),
        ):
            streams = list(parts.streams)
            streams[number] = changed
            damaged = with_layer(base, parts.payload(streams=streams))
            if refused(damaged):
                yield Invalid(
                    f"layers-{name}-{kind}", damaged, "format", section, f"{name}: {about}"
                )
    yield from out_of_range()
    head, layer = (chunk(*pair) for pair in split(base))
    yield Invalid(
        "layers-twice", join([head, layer, layer]), "format", "2", "a layer more than announced"
    )
    two = file([random_layer(i, 9, 1) for i in range(2)], 1)
    head, one, other = split(two)
    yield Invalid(
        "layers-swapped",
        rebuild([head, other, one]),
        "format",
        "4.3",
        "two layers in the other order, which the models do not decode",
    )
    yield Invalid(
        "layers-missing", rebuild([head, one]), "format", "2", "a layer less than announced"
    )


def refused(data: bytes) -> bool:
    """Tell whether the plain decoder refuses a file."""
    from plain import gimg
    from plain.varint import InvalidError

    try:
        gimg.decode(data)
    except InvalidError:
        return True
    return False


def out_of_range() -> Iterator[Invalid]:
    """Yield layers of one Gaussian whose streams are whole, with a value that is out of range."""
    base = file([gaussians([4], [(5, 6)], [[3]], [[0, 0, 0]])], 1)
    parts = Parts(dict(split(base))["LAYR"])

    def with_stream(number: int, stream: bytes) -> bytes:
        streams = list(parts.streams)
        streams[number] = stream
        return with_layer(base, parts.payload(streams=streams))

    one = float(step([[3]])[0])
    small, large = int(np.floor(-7 / one)) - 1, int(np.ceil(14 / one)) + 1
    for name, shape in (
        ("size-above-14", (large, 0, 0)),
        ("size-below-minus-7", (small, 0, 0)),
        ("shear-above-7", (0, int(7 / one) + 1, 0)),
        ("second-shear-above-7", (0, 0, int(-7 / one) - 1)),
        ("shears-above-7", (0, int(5 / one) + 1, int(5 / one) + 1)),
    ):
        data = with_stream(2, shape_stream(shape, one))
        yield Invalid(f"layers-{name}", data, "format", "4.2", "a shape that is out of range")
    for bits in (25, 31):
        data = with_stream(1, color_stream(bits))
        about = f"an escape of {bits} bits"
        yield Invalid(f"layers-escape-{bits}", data, "format", "5.4", about)


def shape_stream(shape: tuple[int, int, int], step: float) -> bytes:
    """Return the shape stream of one Gaussian of class 4, whose color is 3 in one channel."""
    from plain.layer import SECOND_SHEAR, SHEAR, SIZE, SIZE_ABOVE, SIZE_BELOW

    amplitude = 3  # (log2(2 * 9^2) = 7) div 2
    expected = int(np.floor(0.6931471805599453 * (4 - 4.5 + 0.5 * amplitude) / step + 0.5))
    symbol = int(np.clip(shape[0] - expected + 8, 0, 15))
    coder = Stream()
    coder.code(SIZE + amplitude, symbol)
    if symbol == 0:
        coder.natural(SIZE_BELOW, expected - 8 - shape[0])
    if symbol == 15:
        coder.natural(SIZE_ABOVE, shape[0] - expected - 7)
    natural, coder.loose = coder.loose, []
    buckets = [
        coder.bucket(model + amplitude, abs(level))
        for model, level in ((SHEAR, shape[1]), (SECOND_SHEAR, shape[2]))
    ]
    coder.loose = natural
    coder.rest(buckets, shape[1:])
    return coder.finish()


def color_stream(bits: int) -> bytes:
    """Return the color stream of one Gaussian of class 4 with an escape of so many bits."""
    coder = Stream()
    coder.code(16 * 3 + 4, 15)
    coder.loose += [0, *(bits >> i & 1 for i in range(5)), *[0] * bits]
    return coder.finish()


class Stream:
    """Writes a stream of two states whose models code one symbol each."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self.loose: list[int] = []

    def code(self, model: int, symbol: int) -> None:
        """Code a symbol by a model as it is at first."""
        from plain.appendix import PRIORS
        from plain.layer import CONFIDENCE, MEMORY
        from plain.rans import Model

        cdf = [entry >> 5 for entry in Model(PRIORS[model], CONFIDENCE, MEMORY).cdf]
        self.steps.append((cdf[symbol], cdf[symbol + 1] - cdf[symbol]))

    def bucket(self, model: int, value: int) -> int:
        """Code the bucket of a natural number."""
        from plain.rans import BUCKET_BASE

        found = max(b for b in range(16) if BUCKET_BASE[b] <= value)
        self.code(model, found)
        return found

    def natural(self, model: int, value: int) -> None:
        """Code a natural number."""
        bucket = self.bucket(model, value)
        if bucket == 15:
            self.escape(value)
        else:
            self.place(bucket, value)

    def place(self, bucket: int, value: int) -> None:
        """Write where a number is in its bucket."""
        from plain.rans import BUCKET_BASE, BUCKET_BITS

        self.loose += [value - BUCKET_BASE[bucket] >> i & 1 for i in range(BUCKET_BITS[bucket])]

    def escape(self, value: int) -> None:
        """Write a number of the last bucket."""
        bits = (value - 79).bit_length() - 1
        self.loose += [bits >> i & 1 for i in range(5)]
        self.loose += [value - 79 >> i & 1 for i in range(bits)]

    def rest(self, buckets: list[int], values: Sequence[int]) -> None:
        """Write the rest of integers in known buckets."""
        for bucket, value in zip(buckets, values, strict=True):
            if bucket < 15:
                self.place(bucket, abs(value))
            if bucket > 0:
                self.loose.append(int(value < 0))
        for bucket, value in zip(buckets, values, strict=True):
            if bucket == 15:
                self.escape(abs(value))

    def finish(self) -> bytes:
        """Return the stream."""
        loose = [*self.loose, *[0] * (-len(self.loose) % 8)]
        loose += [0] * max(0, 32 - len(loose))
        states, turn = [0, 0], len(self.steps) % 2
        for state in (turn, 1 - turn):
            held, loose = loose[:16], loose[16:]
            states[state] = 1 << 16 | sum(bit << i for i, bit in enumerate(held))
        words = b""
        for i, (start, size) in reversed([*enumerate(self.steps)]):
            x = states[i % 2]
            if x >= size * 131072:
                words = (x % 65536).to_bytes(2, "little") + words
                x >>= 16
            states[i % 2] = x // size * 32768 + x % size + start
        bits = sum(bit << i for i, bit in enumerate(loose))
        head = b"".join(state.to_bytes(4, "little") for state in states)
        return head + words + bits.to_bytes(len(loose) // 8, "little")
