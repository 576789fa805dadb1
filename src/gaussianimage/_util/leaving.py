"""Ctrl-C while the program starts or ends: the process exits at once, without a message.

At these times Python imports modules or shuts down. A KeyboardInterrupt would print a traceback
of that code, or code that catches every error would mistake it for another error. This module
imports only `os` and `signal`, so that it can be imported first.
"""

import os
import signal

INTERRUPTED = 130  # 128 + SIGINT, the exit code that shells use

_in_use = False


def leave_on_interrupt() -> None:
    """Let Ctrl-C end the process from here on, unless the process ignores Ctrl-C."""
    global _in_use
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        _in_use = True
        signal.signal(signal.SIGINT, _leave)


def leave_on_interrupt_again() -> None:
    """Let Ctrl-C end the process again, if `leave_on_interrupt` has been called before."""
    if _in_use:
        leave_on_interrupt()


def raise_interrupts() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)
