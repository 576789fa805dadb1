"""The native entropy coder against the plain decoder and against the entropy."""

import os
import random
import shutil
import subprocess
from collections import Counter
from math import log2
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain import rans as plain

from gaussianimage import _native

Recipe = tuple[list[int], int, int]
Operation = tuple[int, int, int]

SYMBOL, RAW, LOOSE, PLANE = range(4)
STATES = (2, 4)
UNIFORM: Recipe = ([1] * 16, 0, 160)
COIN: Recipe = ([1, 1], 0, 160)
HERE = Path(__file__).parent
SPECIFICATION = (HERE.parents[1] / "docs" / "format.md").read_text(encoding="utf-8")
NATIVE = HERE.parents[1] / "src" / "gaussianimage" / "native"


def decode_plainly(
    data: bytes, operations: list[Operation], recipes: list[Recipe], states: int
) -> tuple[list[int], bool]:
    decoder = plain.Decoder(data, states)
    models = [plain.Model(*recipe) for recipe in recipes]
    values = []
    for kind, index, _ in operations:
        if kind == SYMBOL:
            values.append(decoder.code(models[index]))
        elif kind == RAW:
            values.append(plain.raw(decoder, index))
        elif kind == PLANE:
            decoder.start_plane()
            values.append(0)
        else:
            values.append(decoder.loose(index))
    return values, decoder.finished_cleanly()


def assert_round_trip(operations: list[Operation], recipes: list[Recipe], states: int = 2) -> bytes:
    data: bytes = _native.rans_encode(operations, recipes, states)
    expected = [value for _, _, value in operations], True
    assert _native.rans_decode(data, operations, recipes, states) == expected
    assert decode_plainly(data, operations, recipes, states) == expected
    return data


@st.composite
def model_recipes(draw: st.DrawFn) -> Recipe:
    alphabet = draw(st.integers(1, 16))
    weights = draw(
        st.lists(st.integers(0, 2**27), min_size=alphabet, max_size=alphabet).filter(any)
    )
    memory = draw(st.integers(0, 255))
    return weights, draw(st.integers(0, memory)), memory


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[Operation], list[Recipe]]:
    """Return models, and up to 2000 operations of all kinds, the loose bits last."""
    recipes: list[Recipe] = [UNIFORM, COIN, ([9, 5, 3, 2, *[1] * 11, 0], 3, 60), ([7, 1], 20, 200)]
    recipes += draw(st.lists(model_recipes(), max_size=6))
    length = draw(st.one_of(st.integers(0, 40), st.integers(0, 2000)))
    skew = draw(st.integers(0, 4))
    rng = random.Random(draw(st.integers(0, 2**32)))
    operations = []
    kinds = draw(st.sampled_from([[SYMBOL], [SYMBOL, LOOSE], [SYMBOL] * 40 + [RAW, LOOSE, PLANE]]))
    for kind in sorted(rng.choice(kinds) for _ in range(length)):
        if kind == SYMBOL:
            index = rng.randrange(len(recipes))
            alphabet = len(recipes[index][0])
            operations.append((kind, index, int(alphabet * rng.random() ** (1 + skew))))
        elif kind == PLANE:
            operations.append((kind, 0, 0))
        else:
            index = rng.randint(0, 30)
            operations.append((kind, index, rng.getrandbits(index) if index else 0))
    symbols = [operation for operation in operations if operation[0] != LOOSE]
    rng.shuffle(symbols)
    bits = [operation for operation in operations if operation[0] == LOOSE]
    return symbols + bits, recipes


@given(programs(), st.sampled_from(STATES))
def test_native_and_plain_decoders_return_what_was_encoded(
    program: tuple[list[Operation], list[Recipe]], states: int
) -> None:
    assert_round_trip(*program, states)


@given(programs(), st.binary(max_size=4000), st.sampled_from(STATES))
def test_native_and_plain_decoders_read_the_same_from_random_bytes(
    program: tuple[list[Operation], list[Recipe]], data: bytes, states: int
) -> None:
    operations, recipes = program
    assert _native.rans_decode(data, operations, recipes, states) == decode_plainly(
        data, operations, recipes, states
    )


def test_a_stream_is_pinned_to_the_byte() -> None:
    operations: list[Operation] = [
        (SYMBOL, 0, 3), (SYMBOL, 0, 3), (SYMBOL, 1, 1), (RAW, 7, 100), (SYMBOL, 2, 9),
        (SYMBOL, 2, 0), (SYMBOL, 2, 15), (RAW, 20, 0xABCDE), (SYMBOL, 0, 3), (LOOSE, 0, 0),
        (LOOSE, 5, 19), (LOOSE, 30, 0x2BADCAFE), (LOOSE, 1, 1), (LOOSE, 9, 300),
    ]  # fmt: skip
    recipes: list[Recipe] = [UNIFORM, COIN, ([8, 8, 4, 4, *[1] * 12], 8, 100)]
    data = assert_round_trip(operations, recipes)
    assert data.hex(" ") == "7e 99 5e 82 00 1c 6e 6c d3 d7 a3 e9 01"
    assert f"`{data.hex(' ')}`" in SPECIFICATION


def test_the_specification_s_worked_example_holds() -> None:
    data = assert_round_trip([(SYMBOL, 0, 3), (RAW, 7, 100)], [UNIFORM])
    assert data.hex(" ") == "00 18 10 00 00 64 80 00"
    assert f"`{data.hex(' ')}`" in SPECIFICATION
    model = plain.Model(*UNIFORM)
    model.learn([3])
    first, last = (", ".join(map(str, part)) for part in (model.cdf[:6], model.cdf[-2:]))
    assert f"{first}, …, {last}." in SPECIFICATION


@pytest.mark.parametrize("states", STATES)
def test_nothing_coded_is_fresh_states(states: int) -> None:
    assert assert_round_trip([], [], states) == bytes.fromhex("00000100") * states


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("count", [0, 1, 8, 9, 61, 62, 63, 69, 70, 71, 123, 124, 125, 132, 1000])
def test_loose_bits_take_no_more_than_themselves(count: int, states: int) -> None:
    rng = random.Random(count)
    operations = [(LOOSE, 1, rng.getrandbits(1)) for _ in range(count)]
    data = assert_round_trip(operations, [], states)
    # Every state holds 31.
    assert len(data) == 4 * states + max(0, -(-(count - 31 * states) // 8))


@pytest.mark.parametrize("states", STATES)
def test_spare_bits_must_be_zero(states: int) -> None:
    for extra in (1, 3, 7):
        operations = [(SYMBOL, 0, 4), *[(LOOSE, 25, 2**24)] * 6, (LOOSE, extra, 1)]
        data = assert_round_trip(operations, [UNIFORM], states)
        assert len(data) > 4 * states
        spare = {data[:-1] + bytes([data[-1] ^ 1 << bit]) for bit in range(8)}
        clean = [_native.rans_decode(changed, operations, [UNIFORM], states) for changed in spare]
        plainly = [decode_plainly(changed, operations, [UNIFORM], states) for changed in spare]
        assert clean == plainly
        # The bits of the last byte that hold nothing must be zero.
        assert any(not good for _, good in clean)
        assert all(not good or values != [v for *_, v in operations] for values, good in clean)


def test_spare_bits_of_states_must_be_zero() -> None:
    operations = [(SYMBOL, 0, 4), (LOOSE, 20, 2**19)]
    data = assert_round_trip(operations, [UNIFORM])
    assert len(data) == 8
    values = [value for _, _, value in operations]
    for byte, bit in [(byte, bit) for byte in range(8) for bit in range(8)]:
        changed = bytes(b ^ (1 << bit if i == byte else 0) for i, b in enumerate(data))
        found = _native.rans_decode(changed, operations, [UNIFORM], 2)
        assert found == decode_plainly(changed, operations, [UNIFORM], 2)
        # A state may hold its zeros in another number of bits.
        if found == (values, True):
            state = int.from_bytes(changed[byte // 4 * 4 : byte // 4 * 4 + 4], "little")
            assert state.bit_count() <= 2


@pytest.mark.parametrize(
    "operation",
    [
        (SYMBOL, 0, 5),
        (SYMBOL, 0, -1),
        (RAW, 3, 8),
        (RAW, 20, 2**20),
        (LOOSE, 0, 1),
        (LOOSE, 7, 128),
        (LOOSE, 30, 2**30),
    ],
)
def test_a_value_that_does_not_fit_is_refused(operation: Operation) -> None:
    with pytest.raises(IndexError, match="too large"):
        _native.rans_encode([operation], [([1] * 5, 0, 160), UNIFORM], 2)


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0, 5.0])
def test_the_stream_is_as_long_as_its_models_say(spread: float) -> None:
    rng = random.Random(7)
    operations = [
        (SYMBOL, i % 3, min(15, max(0, round(rng.gauss(7.5, spread))))) for i in range(20_000)
    ]
    recipes = [UNIFORM] * 3
    models = [plain.Model(*recipe) for recipe in recipes]
    bits = 0.0
    begin, length = 0, 4
    while begin < len(operations):
        block = operations[begin : begin + length]
        for _, index, symbol in block:
            cdf = models[index].cdf
            bits += 15 - log2((cdf[symbol + 1] >> 5) - (cdf[symbol] >> 5))
        for i, model in enumerate(models):
            symbols = [symbol for _, index, symbol in block if index == i]
            if symbols:
                model.learn(symbols)
        begin, length = begin + length, min(2 * length, 32)
    assert _native.rans_measure(operations, recipes) == pytest.approx(bits)
    # A state costs up to 4 bytes beyond the symbols, and the rounding of a step next to nothing.
    for states in STATES:
        size = len(_native.rans_encode(operations, recipes, states))
        assert bits / 8 < size < 1.0005 * bits / 8 + 4 * states + 1


def test_loose_bits_fill_the_states() -> None:
    rng = random.Random(5)
    operations = [(SYMBOL, 0, rng.randrange(16)) for _ in range(2000)]
    loose = [(LOOSE, 1, rng.getrandbits(1)) for _ in range(1000)]
    bits = _native.rans_measure(operations + loose, [UNIFORM])
    size = len(_native.rans_encode(operations + loose, [UNIFORM], 4))
    assert size < 1.0005 * bits / 8 + 4


@pytest.mark.parametrize("spread", [0.5, 2.0, 5.0])
def test_learning_costs_little_over_the_entropy(spread: float) -> None:
    rng = random.Random(3)
    symbols = [min(15, max(0, round(rng.gauss(7.5, spread)))) for _ in range(20_000)]
    counts = Counter(symbols)
    entropy = -sum(n * log2(n / len(symbols)) for n in counts.values()) / 8
    size = len(_native.rans_encode([(SYMBOL, 0, s) for s in symbols], [([1] * 16, 0, 255)], 2))
    assert entropy < size < 1.025 * entropy + 12


def test_a_certain_symbol_is_almost_free() -> None:
    operations = [(SYMBOL, 0, 2)] * 20_000
    assert len(_native.rans_encode(operations, [UNIFORM], 2)) < 60


def test_every_symbol_stays_possible() -> None:
    # A model that is driven to one end, then to the other, and starts from weights of zero.
    operations = [(SYMBOL, 0, s) for s in [0] * 3000 + [15] * 3000 + [0, 7, 15, 1]]
    assert_round_trip(operations, [([0] * 15 + [2**32 - 1], 0, 255)])


def test_a_cut_stream_does_not_end_cleanly() -> None:
    operations = [(SYMBOL, 0, i % 13) for i in range(200)]
    operations += [(LOOSE, 7, i * i % 127 + 1) for i in range(200)]
    for states in STATES:
        data = _native.rans_encode(operations, [UNIFORM], states)
        for size in range(len(data)):
            _, clean = _native.rans_decode(data[:size], operations, [UNIFORM], states)
            assert not clean
        assert not _native.rans_decode(data + b"\0", operations, [UNIFORM], states)[1]
        assert not _native.rans_decode(data, operations[:-1], [UNIFORM], states)[1]


def cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


def test_every_build_of_the_coder_reads_the_same(tmp_path: Path) -> None:
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        pytest.skip("no C++ compiler")
    builds = {
        "sanitized": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
        "plain": ["-O3"],
    }
    flags = cpu_flags()
    if "avx2" in flags:
        builds["avx2"] = ["-O3", "-mavx2", "-mbmi2"]
    if "avx512vl" in flags:
        builds["avx512"] = ["-O3", "-mavx512f", "-mavx512vl", "-mavx2"]
    digests = {}
    for name, options in builds.items():
        program = tmp_path / name
        command = [
            compiler,
            "-std=c++20",
            "-DGI_ISA=baseline",
            f"-I{NATIVE}",
            *options,
            "-o",
            str(program),
        ]
        subprocess.run([*command, str(HERE / "rans_check.cpp")], check=True, timeout=300)
        run = subprocess.run([program], check=True, capture_output=True, text=True, timeout=300)
        digests[name] = run.stdout.strip()
    assert set(digests.values()) == {DIGEST}, digests


DIGEST = "840f7f04fc964946"
