"""Items whose worker was lost are worked on again, each alone."""

import contextlib
from collections.abc import Generator, Iterable, Sequence
from typing import Any

from gaussianimage.batching.engine import Engine, Returned, Work, WorkerLostError
from gaussianimage.errors import GaussianImageError

__all__ = ["LostTwiceError", "run_with_second_try"]

# Errors after which the items of a group may well succeed alone.
LOST = (WorkerLostError, MemoryError)


class LostTwiceError(GaussianImageError):
    """An item has ended its worker twice, the second time alone, or memory did not suffice."""


def run_with_second_try(
    engine: Engine, work: Work, groups: Iterable[Sequence[Any]]
) -> Generator[Returned, None, None]:
    """Yield what became of each group, and of the items of lost groups, one by one, at the end.

    Parameters
    ----------
    engine : Engine
    work : callable
        Called with a group on a worker.
    groups : iterable of sequence
    """
    lost: list[Any] = []
    with contextlib.closing(engine.run(work, groups)) as results:
        for returned in results:
            if isinstance(returned.error, LOST):
                lost += returned.group
            else:
                yield returned
    alone = ([item] for item in lost)
    with contextlib.closing(engine.run(work, alone, alone=True)) as results:
        for group, value, error in results:
            if isinstance(error, LOST):
                told = "not enough memory" if isinstance(error, MemoryError) else str(error)
                error = LostTwiceError(f"ended its worker twice, the second time alone: {told}")
            yield Returned(group, value, error)
