"""Ctrl-C in long work: one flag, and one context manager around what it may cut short."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from gaussianimage import _native

__all__ = ["Interrupt", "StopFlag", "stoppable"]

# A flag that any thread may set; native calls of a thread that has made it `stoppable` end soon.
StopFlag = _native.StopFlag


@contextmanager
def stoppable(flag: StopFlag) -> Iterator[None]:
    """End the native calls of this thread with KeyboardInterrupt once a flag is set."""
    before = _native.obey(flag)
    try:
        yield
    finally:
        _native.obey(before)


class Interrupt:
    """Whether Ctrl-C has come to some work, and what becomes of the work then.

    Parameters
    ----------
    on_interrupt : {"raise", "keep"}
        "raise" leaves everything to Python: KeyboardInterrupt is raised wherever the work is.
        "keep" cuts short what runs in a `cut_short` block, and `is_pressed` tells; a second
        Ctrl-C is raised.

    Raises
    ------
    ValueError
        It is neither.

    Notes
    -----
    As a context manager it gives Python's own handler of SIGINT back in the end, when the
    outermost of its blocks is left. It takes its place in `begin`, on the main thread only and
    only from Python's own: another program's handler stays. Elsewhere only a callback that raises
    KeyboardInterrupt can cut the work short.
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
        """Return that of the caller, or a new one."""
        return on_interrupt if isinstance(on_interrupt, Interrupt) else cls(on_interrupt)

    def is_pressed(self) -> bool:
        """Whether Ctrl-C has come and the work goes on: what is left is to be quick."""
        return self._pressed

    def begin(self) -> None:
        """From here on there is something to keep."""
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
        """Let Ctrl-C end the block, with or without an error as was asked for.

        A native call in it is stopped between two of its steps. What the block has done by then
        must be of use.
        """
        if not self._keeps:
            yield
            return
        try:
            with stoppable(self._flag):
                yield
        except KeyboardInterrupt:
            if self._again or (self._pressed and not self._flag.is_set()):
                raise  # the second one
            self._pressed = True
        finally:
            self._flag.clear()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._pressed:
            self._again = True
            raise KeyboardInterrupt
        self._pressed = True
        self._flag.set()
