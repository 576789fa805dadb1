"""A store for fsspec that fails now and then, loses workers, or is full: files of this machine.

``unreliable://`` fails at each file's first reading and first writing, and leaves half of the data
behind. A reading of ``kills-…`` ends the process, one of ``kills-once-…`` the first time. Writing
into a folder called ``full`` finds no room.
"""

import errno
import os
import signal
from pathlib import Path
from typing import Any

from fsspec import register_implementation
from fsspec.implementations.local import LocalFileSystem

_tried: set[tuple[str, str]] = set()


class UnreliableFileSystem(LocalFileSystem):
    protocol = "unreliable"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return LocalFileSystem._strip_protocol(str(path).removeprefix("unreliable://"))

    def unstrip_protocol(self, name: str) -> str:
        return f"unreliable://{self._strip_protocol(name)}"

    def cat_file(self, path: str, *args: Any, **options: Any) -> bytes:
        name = Path(path).name
        if name.startswith("kills-"):
            mark = Path(f"{path}.killed")
            if not (name.startswith("kills-once-") and mark.exists()):
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        self._fail_at_first("read", path)
        return super().cat_file(path, *args, **options)

    def pipe_file(self, path: str, value: bytes, *args: Any, **options: Any) -> None:
        if "/full/" in path and value:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            self._fail_at_first("write", str(Path(path).parent))
        except ConnectionError:
            super().pipe_file(path, value[: len(value) // 2])
            raise
        super().pipe_file(path, value, *args, **options)

    def _fail_at_first(self, what: str, path: str) -> None:
        if (what, path) not in _tried:
            _tried.add((what, path))
            raise ConnectionResetError(errno.ECONNRESET, "the store hung up")


def register() -> None:
    register_implementation("unreliable", UnreliableFileSystem, clobber=True)
    _tried.clear()
