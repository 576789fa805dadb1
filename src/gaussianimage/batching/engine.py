"""An engine of a batch: what carries groups of items to workers and their results back."""

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

__all__ = ["Engine", "Returned", "Work", "WorkerLostError"]

# A function of a group of items, which returns what they became.
Work = Callable[[Sequence[Any]], Any]


class WorkerLostError(Exception):
    """The process of a worker ended, or its machine did."""


class Returned(NamedTuple):
    """What became of a group: the value of the work, or the error that ended it."""

    group: Sequence[Any]
    value: Any
    error: BaseException | None


class Engine(Protocol):
    """Runs a function on groups of items, several at a time.

    Attributes
    ----------
    most_in_group : int
        Number of small items that make a good group. More than one saves the engine's own time.
    local : bool
        Whether it works on threads of this process.
    """

    most_in_group: int
    local: bool

    @property
    def workers(self) -> int:
        """Number of groups that are worked on at a time; of a cluster, at the moment."""

    def run(
        self, work: Work, groups: Iterable[Sequence[Any]], *, alone: bool = False
    ) -> Generator[Returned, None, None]:
        """Yield what became of each group as soon as it is known.

        The groups are read as workers become free, and are not kept. Closing the iterator ends the
        work.

        Parameters
        ----------
        work : callable
            Called with a group on a worker.
        groups : iterable of sequence
        alone : bool
            Work on one group at a time.
        """

    def close(self) -> None:
        """End the workers."""
