import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage._util.row_blocks import BLOCK_PIXELS, copied, extremes, row_blocks


@given(st.integers(0, 300), st.integers(1, 65536))
def test_every_row_is_in_one_block(rows: int, columns: int) -> None:
    found = [row for block in row_blocks(rows, columns) for row in range(rows)[block]]
    assert found == list(range(rows))


@pytest.mark.parametrize("columns", [1, 1000, BLOCK_PIXELS, BLOCK_PIXELS + 1])
def test_a_block_is_as_large_as_it_may_be(columns: int) -> None:
    first = next(row_blocks(2**20, columns))
    assert first.stop == max(1, BLOCK_PIXELS // columns)


@pytest.mark.parametrize("columns", [BLOCK_PIXELS // 3, 2 * BLOCK_PIXELS])
def test_extremes_and_copies_are_those_of_all_blocks(columns: int) -> None:
    values = np.random.default_rng(0).integers(0, 60000, (7, columns), np.uint16)[::-1]
    assert extremes(values) == (values.min(), values.max())
    copy = copied(values)
    assert copy.flags.c_contiguous
    assert np.array_equal(copy, values)


def test_one_value_that_is_no_number_is_found() -> None:
    values = np.zeros((4, BLOCK_PIXELS, 1), np.float32)
    values[2, 5] = np.nan
    assert all(np.isnan(extremes(values)))
