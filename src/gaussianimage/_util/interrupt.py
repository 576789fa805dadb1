"""Ctrl-C in long work: a flag, and a context manager around the work that Ctrl-C may end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from gaussianimage import _native

__all__ = ["Interrupt", "StopFlag", "stoppable"]

# A flag that any thread may set. A thread's native calls inside `stoppable(flag)` then end soon.
StopFlag = _native.StopFlag


@contextmanager
def stoppable(flag: StopFlag) -> Iterator[None]:
    """End the native calls of this thread with KeyboardInterrupt once the flag is set."""
    before = _native.obey(flag)
    try:
        yield
    finally:
        _native.obey(before)


class Interrupt:
    """Remembers whether Ctrl-C was pressed, and either raises it or cuts the work short.

    Parameters
    ----------
    on_interrupt : {"raise", "keep"}
        "raise" leaves Ctrl-C to Python, which raises KeyboardInterrupt at once.
        "keep" makes the first Ctrl-C end the current `cut_short` block without an error and set
        `is_pressed`; a second Ctrl-C raises KeyboardInterrupt.

    Raises
    ------
    ValueError
        `on_interrupt` is neither "raise" nor "keep".

    Notes
    -----
    `begin` installs a handler of SIGINT. It does so on the main thread only, and only if the
    current handler is Python's default; it leaves any other handler alone. The context manager
    restores Python's handler when its outermost block ends. Where no handler is installed, only a
    callback that raises KeyboardInterrupt can cut the work short.
    """

    def __init__(self, on_interrupt: str = "raise") -> None:
        if on_interrupt not in ("raise", "keep"):
            raise ValueError(f'on_interrupt: expected "raise" or "keep", got {on_interrupt!r}')
        self._keeps = on_interrupt == "keep"
        self._flag = StopFlag()
        self._pressed = False
        self._again = False
        self._handles = False
        self._entered = 0

    @classmethod
    def make(cls, on_interrupt: "str | Interrupt") -> "Interrupt":
        """Return `on_interrupt` if it is an `Interrupt`, otherwise a new one made from it."""
        return on_interrupt if isinstance(on_interrupt, Interrupt) else cls(on_interrupt)

    def is_pressed(self) -> bool:
        """Whether Ctrl-C was pressed and kept; the rest of the work should then be quick."""
        return self._pressed

    def begin(self) -> None:
        """Install the handler of SIGINT: from now on the work has a result worth keeping."""
        ours = threading.current_thread() is threading.main_thread()
        if (
            self._keeps
            and not self._handles
            and ours
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._on_signal)
            self._handles = True

    def __enter__(self) -> Self:
        self._entered += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered -= 1
        if self._handles and not self._entered:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._handles = False

    @contextmanager
    def cut_short(self) -> Iterator[None]:
        """Let Ctrl-C end the block: with an error for "raise", without one for "keep".

        A native call inside the block stops between two of its steps. The block must leave usable
        state behind at each of these points.
        """
        if not self._keeps:
            yield
            return
        try:
            with stoppable(self._flag):
                yield
        except KeyboardInterrupt:
            if self._again or (self._pressed and not self._flag.is_set()):
                raise  # Ctrl-C was pressed a second time
            self._pressed = True
        finally:
            self._flag.clear()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._pressed:
            self._again = True
            raise KeyboardInterrupt
        self._pressed = True
        self._flag.set()
