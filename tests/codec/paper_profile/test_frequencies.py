"""Static frequencies: tables of four bits a symbol, and what they cost."""

import numpy as np
import pytest

from gaussianimage.codec.paper_profile.frequencies import (
    WEIGHTS,
    entropies,
    levels_for,
    pack_levels,
    starts_from_levels,
    uniform_starts,
    unpack_levels,
)


def count_bits(indices: np.ndarray, levels: np.ndarray) -> float:
    """Return the mean bits per symbol with the frequencies of a table."""
    sizes = np.diff(starts_from_levels(levels))[indices]
    return float(np.mean(32 - np.log2(sizes)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spread", [1.0, 4.0, 12.0])
def test_a_table_costs_little_more_than_the_entropy(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    indices = np.rint(rng.normal(30, spread, 20000)).clip(0, 63).astype(np.uint16)
    levels = levels_for(indices, 6)
    (entropy,) = entropies(indices[:, None], [6])
    assert entropy <= count_bits(indices, levels) < entropy + 0.02


def test_entropies_are_those_of_the_columns() -> None:
    columns = np.array([[0, 0, 1], [1, 0, 1], [2, 0, 1], [3, 1, 1]])
    found = entropies(columns, [2, 1, 3])
    assert found == pytest.approx([2, 2 - 0.75 * np.log2(3), 0])


@pytest.mark.parametrize("bits", [1, 6, 12])
def test_every_symbol_that_is_there_has_slots(bits: int) -> None:
    rng = np.random.default_rng(bits)
    for indices in (
        np.zeros(1, np.uint16),
        np.array([2**bits - 1] * 100000 + [0], np.uint16),
        rng.integers(0, 2**bits, 5000).astype(np.uint16),
    ):
        levels = levels_for(indices, bits)
        starts = starts_from_levels(levels)
        sizes = np.diff(starts)
        assert starts[0] == 0
        assert starts[-1] == 2**32
        assert (sizes[np.unique(indices)] > 0).all()
        assert (sizes > 0).tolist() == (levels > 0).tolist()


def test_the_weights_are_half_octaves() -> None:
    assert WEIGHTS[0] == 0
    octaves = np.log2(np.array(WEIGHTS[1:]) / 16)
    assert np.abs(octaves - np.arange(15) / 2).max() < 0.025


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_without_frequencies_all_symbols_have_as_many_slots(bits: int) -> None:
    assert set(np.diff(uniform_starts(bits))) == {2 ** (32 - bits)}
    assert len(uniform_starts(bits)) == 2**bits + 1


def test_tables_are_packed_two_levels_a_byte() -> None:
    rng = np.random.default_rng(0)
    widths = (1, 3, 6)
    tables = [rng.integers(0, 16, 2**bits).astype(np.uint8) for bits in widths]
    data = pack_levels(tables)
    assert len(data) == (2 + 8 + 64) // 2
    assert data[0] == tables[0][0] + 16 * tables[0][1]
    for found, table in zip(unpack_levels(data, widths), tables, strict=True):
        assert found.tolist() == table.tolist()
