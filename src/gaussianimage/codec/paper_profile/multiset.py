"""A sorted multiset that finds an element by its rank, so that drawing a random one is fast."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from itertools import accumulate

Row = tuple[int, ...]

# A block of this length is split in two. For a million elements, moving the elements of a block
# costs about as much as counting the blocks; for a few thousand elements both costs are negligible.
_LONGEST = 1024


class Multiset:
    """Rows in lexicographic order; a row may occur any number of times.

    Parameters
    ----------
    rows : sequence of tuples of int
        The rows, sorted.
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        half = _LONGEST // 2
        self._blocks = [list(rows[i : i + half]) for i in range(0, len(rows), half)]
        self._lasts = [block[-1] for block in self._blocks]
        self._sizes = [len(block) for block in self._blocks]
        self._size = len(rows)

    def __len__(self) -> int:
        return self._size

    def at(self, rank: int) -> Row:
        """Return the row with `rank` rows before it; `rank` is 0 to the number of rows − 1."""
        ends = list(accumulate(self._sizes))
        block = bisect_right(ends, rank)
        return self._blocks[block][rank - ends[block]]

    def below(self, row: Row) -> int:
        """Return how many rows are less than this one."""
        block = bisect_left(self._lasts, row)
        if block == len(self._blocks):
            return self._size
        return sum(self._sizes[:block]) + bisect_left(self._blocks[block], row)

    def span(self, row: Row) -> tuple[int, int]:
        """Return how many rows are less than this one, and how many are equal to it."""
        begin = self.below(row)
        block = bisect_right(self._lasts, row)
        if block == len(self._blocks):
            return begin, self._size - begin
        return begin, sum(self._sizes[:block]) + bisect_right(self._blocks[block], row) - begin

    def insert(self, row: Row) -> None:
        """Add a row."""
        self._size += 1
        if not self._blocks:
            self._blocks, self._lasts, self._sizes = [[row]], [row], [1]
            return
        number = min(bisect_left(self._lasts, row), len(self._blocks) - 1)
        block = self._blocks[number]
        insort(block, row)
        if len(block) >= _LONGEST:
            middle = len(block) // 2
            self._blocks[number : number + 1] = [block[:middle], block[middle:]]
            self._lasts[number : number + 1] = [block[middle - 1], block[-1]]
            self._sizes[number : number + 1] = [middle, len(block) - middle]
        else:
            self._lasts[number] = block[-1]
            self._sizes[number] += 1

    def remove(self, row: Row) -> None:
        """Remove one occurrence of a row that the multiset has."""
        number = bisect_left(self._lasts, row)
        block = self._blocks[number]
        del block[bisect_left(block, row)]
        self._size -= 1
        if block:
            self._lasts[number] = block[-1]
            self._sizes[number] -= 1
        else:
            del self._blocks[number], self._lasts[number], self._sizes[number]
