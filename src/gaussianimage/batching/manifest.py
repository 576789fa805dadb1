"""The manifest of a batch: one row for each picture, written as the pictures are done.

Rows are JSON lines. A file on this machine grows line by line. An object store can't append, so a
manifest there grows by parts, which become one file at the end. A row of a later run replaces the
earlier one of the same input; where the file holds both, the last counts.
"""

import contextlib
import fcntl
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from gaussianimage.batching import stores
from gaussianimage.errors import FormatError

__all__ = ["COLUMNS", "Journal", "open_journal", "require_parquet", "write_parquet"]

# The columns of a row and their types in Parquet. A row may lack a column that it has no value for.
COLUMNS = {
    "input": "string",
    "output": "string",
    "bytes_in": "int64",
    "bytes_out": "int64",
    "width": "int32",
    "height": "int32",
    "pixels": "int64",
    "gaussians": "int64",
    "psnr": "float64",
    "ssim": "float64",
    "seconds": "float64",
    "worker": "string",
    "options": "string",
    "warning": "string",
    "error": "string",
}

_PART_ROWS, _PART_SECONDS = 1000, 30.0
_BATCH = 10_000  # rows of a Parquet row group


class Journal(Protocol):
    """A manifest that rows are added to."""

    address: str

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows that are there, oldest first."""

    def append(self, row: dict[str, Any]) -> None:
        """Add a row."""

    def close(self) -> None:
        """Write all rows, and leave one row for each input."""


def open_journal(address: str) -> Journal:
    """Open a manifest, which is made if it doesn't exist.

    Raises
    ------
    OSError
        If it can't be opened, or another batch is writing it.
    """
    return _Parts(address) if stores.is_url(address) else _Appended(address)


class _Appended:
    def __init__(self, address: str) -> None:
        self.address = address
        path = Path(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            told = "another batch is writing this manifest"
            raise BlockingIOError(error.errno, told, address) from None
        self._was_empty = not self._file.tell()
        # A killed run may have left a line without its end.
        self._torn = not self._was_empty and not self._ends_well()

    def _ends_well(self) -> bool:
        self._file.seek(-1, os.SEEK_END)
        return self._file.read(1) == b"\n"

    def rows(self) -> Iterator[dict[str, Any]]:
        with Path(self.address).open("rb") as file:
            yield from _parsed(file, self.address)

    def append(self, row: dict[str, Any]) -> None:
        self._file.write(b"\n" * self._torn + _line(row))
        self._torn = False
        self._file.flush()  # so that it outlives this process

    def close(self) -> None:
        # The lock is kept until the new file is there.
        with self._file:
            self._file.flush()
            # A run gives an input one row, so only rows of several runs can repeat each other.
            if not self._was_empty and _has_repeated(self.rows()):
                stores.move_in(_merged(self, Path(self.address).parent), self.address)


class _Parts:
    def __init__(self, address: str) -> None:
        self.address = address
        self._folder = f"{address}.parts"
        self._waiting: list[dict[str, Any]] = []
        self._number = max(self._numbers(), default=0)
        self._written = time.monotonic()

    def _numbers(self) -> list[int]:
        with contextlib.suppress(FileNotFoundError):
            found = [part.name.removesuffix(".jsonl") for part in stores.walk(self._folder)]
            return sorted(int(name) for name in found if name.isdigit())
        return []

    def _part(self, number: int) -> str:
        return f"{self._folder}/{number:08}.jsonl"

    def rows(self) -> Iterator[dict[str, Any]]:
        for address in (self.address, *map(self._part, self._numbers())):
            with contextlib.suppress(FileNotFoundError):
                yield from _parsed(stores.read(address).splitlines(), address)

    def append(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)
        late = time.monotonic() - self._written >= _PART_SECONDS
        if late or len(self._waiting) >= _PART_ROWS:
            self._put()

    def _put(self) -> None:
        if self._waiting:
            self._number += 1
            stores.put(self._part(self._number), b"".join(map(_line, self._waiting)))
            self._waiting.clear()
        self._written = time.monotonic()

    def close(self) -> None:
        self._put()
        numbers = self._numbers()
        if numbers:
            stores.move_in(_merged(self, None), self.address)
            for number in numbers:
                stores.remove(self._part(number))


def _line(row: dict[str, Any]) -> bytes:
    # Names that are no text stay what they are: ASCII has room for half a surrogate.
    return json.dumps(row, allow_nan=False).encode("ascii") + b"\n"


def _parsed(lines: Any, address: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of lines, but for lines that a killed run has left unfinished.

    Raises
    ------
    FormatError
        If no line is a row.
    """
    any_row = any_line = False
    for line in lines:
        if not line.strip():
            continue
        any_line = True
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("input"), str):
            any_row = True
            yield row
    if any_line and not any_row:
        raise FormatError(f"{address}: is no manifest of gaussianimage batch")


def _has_repeated(rows: Iterator[dict[str, Any]]) -> bool:
    with contextlib.closing(_last_rows(rows)) as database:
        counted, distinct = database.execute(
            "SELECT (SELECT n FROM counted), (SELECT COUNT(*) FROM last)"
        ).fetchone()
    return bool(counted != distinct)


def _last_rows(rows: Iterator[dict[str, Any]]) -> sqlite3.Connection:
    """Return a database on disk that has the number of the last row of each input."""
    database = sqlite3.connect("", isolation_level=None)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("CREATE TABLE last (input BLOB PRIMARY KEY, row INTEGER) WITHOUT ROWID")
    database.execute("BEGIN")
    number = -1
    for number, row in enumerate(rows):
        values = os.fsencode(row["input"]), number
        database.execute("INSERT OR REPLACE INTO last VALUES (?, ?)", values)
    database.execute("CREATE TABLE counted AS SELECT ? AS n", (number + 1,))
    database.execute("COMMIT")
    return database


def _kept_rows(journal: Journal) -> Iterator[dict[str, Any]]:
    """Yield the last row of each input."""
    with contextlib.closing(_last_rows(journal.rows())) as database:
        for number, row in enumerate(journal.rows()):
            values = os.fsencode(row["input"]), number
            if database.execute(
                "SELECT 1 FROM last WHERE input = ? AND row = ?", values
            ).fetchone():
                yield row


def _merged(journal: Journal, folder: Path | None) -> Path:
    """Write the last row of each input to a temporary file."""
    with tempfile.NamedTemporaryFile(
        dir=folder, prefix=".", suffix=".gaussianimage-tmp", delete=False
    ) as file:
        path = Path(file.name)
        try:
            for row in _kept_rows(journal):
                file.write(_line(row))
        except BaseException:
            path.unlink()
            raise
    path.chmod(0o666 & ~_umask())
    return path


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def require_parquet() -> None:
    """Raise an error if pyarrow isn't installed.

    Raises
    ------
    ImportError
        The message says how to install it.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError:
        raise ImportError("a manifest in Parquet needs pyarrow: pip install pyarrow") from None


def write_parquet(journal: Journal, address: str) -> None:
    """Write a manifest as a Parquet file; names that are no text get escapes.

    Raises
    ------
    OSError
        If the file can't be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS.items()])
    folder = None if stores.is_url(address) else Path(address).parent
    with tempfile.NamedTemporaryFile(
        dir=folder, prefix=".", suffix=".gaussianimage-tmp", delete=False
    ) as file:
        path = Path(file.name)
        try:
            with parquet.ParquetWriter(file, schema) as writer:
                for rows in _batches(_kept_rows(journal)):
                    writer.write_table(pa.Table.from_pylist(rows, schema))
        except BaseException:
            path.unlink()
            raise
    path.chmod(0o666 & ~_umask())
    stores.move_in(path, address)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append({name: _text(row.get(name)) for name in COLUMNS})
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return os.fsencode(value).decode("utf-8", "backslashreplace")
