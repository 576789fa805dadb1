import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.fitting.row_blocks import BLOCK_PIXELS, row_blocks


@given(st.integers(0, 300), st.integers(1, 65536))
def test_every_row_is_in_one_block(rows: int, columns: int) -> None:
    found = [row for block in row_blocks(rows, columns) for row in range(rows)[block]]
    assert found == list(range(rows))


@pytest.mark.parametrize("columns", [1, 1000, BLOCK_PIXELS, BLOCK_PIXELS + 1])
def test_a_block_is_as_large_as_it_may_be(columns: int) -> None:
    first = next(row_blocks(2**20, columns))
    assert first.stop == max(1, BLOCK_PIXELS // columns)
