"""The pictures of a batch in a database on disk: names, outputs, and which are done.

SQLite keeps what doesn't fit its cache of a few megabytes in a temporary file, so a million names
take no memory, and its indexes find names that are listed twice or that collide.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from gaussianimage.batching.stores import Found, join

__all__ = ["Counts", "Plan", "Planned"]

PENDING, DONE, FAILED = range(3)
_AT_ONCE = 1000  # rows between two questions to the database


class Planned(NamedTuple):
    """A picture to work on: addresses of its input and output, and the input's size if known."""

    number: int
    source: str
    target: str
    size: int | None


class Counts(NamedTuple):
    """How many pictures there are, and how many of them are done, or failed, in earlier runs."""

    total: int
    done: int
    failed: int
    pending_bytes: int | None  # None if a size is unknown


class Plan:
    """The inputs of a batch with their outputs.

    Parameters
    ----------
    found : iterable of Found
        The inputs. A name that comes again is left out and counted in `repeated`.
    target : str
        The folder of the outputs, as an absolute address.
    suffix : str
        Extension of the outputs. It replaces the input's extension, or follows it if two inputs
        differ in nothing else.

    Raises
    ------
    ValueError
        If two outputs have one name, or an output would replace an input.
    """

    def __init__(self, found: Iterable[Found], target: str, suffix: str) -> None:
        self._target = target
        # The empty name is a database that SQLite puts into a temporary file and deletes.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        run = self._database.execute
        run("PRAGMA journal_mode = OFF")
        run("PRAGMA synchronous = OFF")
        # Names are blobs, because a file's name may be no text.
        run(
            "CREATE TABLE pictures (number INTEGER PRIMARY KEY, source BLOB UNIQUE, name BLOB, "
            "output BLOB, size INTEGER, state INTEGER DEFAULT 0, made INTEGER)"
        )
        self.repeated = 0
        run("BEGIN")
        for address, name, size in found:
            output = os.fsencode(_with_suffix(name, suffix))
            inserted = run(
                "INSERT OR IGNORE INTO pictures (source, name, output, size) VALUES (?, ?, ?, ?)",
                (os.fsencode(address), os.fsencode(name), output, size),
            ).rowcount
            self.repeated += not inserted
        run("COMMIT")
        run("CREATE INDEX outputs ON pictures (output)")
        self._part_collisions(suffix)
        self._check()

    def _part_collisions(self, suffix: str) -> None:
        self._database.execute(
            "UPDATE pictures SET output = CAST(name || ? AS BLOB) WHERE output IN "
            "(SELECT output FROM pictures GROUP BY output HAVING COUNT(*) > 1)",
            (suffix,),
        )

    def _check(self) -> None:
        run = self._database.execute
        double = run(
            "SELECT MIN(source), MAX(source), output FROM pictures GROUP BY output "
            "HAVING COUNT(*) > 1 LIMIT 1"
        ).fetchone()
        if double:
            first, second, output = map(os.fsdecode, double)
            raise ValueError(f"{first} and {second} would both become {output}")
        lost = run(
            "SELECT a.source FROM pictures a JOIN pictures b "
            "ON a.source = CAST(? || b.output AS BLOB) LIMIT 1",
            (os.fsencode(join(self._target, "")),),
        ).fetchone()
        if lost:
            raise ValueError(f"{os.fsdecode(lost[0])}: an output would replace this input")

    def recall(
        self, rows: Iterable[Mapping[str, Any]], digest: str, made: Callable[[], Iterable[Found]]
    ) -> None:
        """Mark what an earlier run has done or failed at, with the same options.

        Parameters
        ----------
        rows : iterable of mapping
            The rows of the manifest; the last row of an input counts.
        digest : str
            The options' hash.
        made : callable
            Returns the files in the folder of outputs; a picture is done only if its output is
            there in the size that the manifest tells.
        """
        run = self._database.execute
        run("BEGIN")
        for row in rows:
            same = row.get("options") == digest
            state = PENDING if not same else FAILED if row.get("error") is not None else DONE
            run(
                "UPDATE pictures SET state = ?, made = ? WHERE source = ? "
                "AND (size IS NULL OR size = ?)",
                (state, row.get("bytes_out"), os.fsencode(row["input"]), row.get("bytes_in")),
            )
        run("CREATE TEMP TABLE made (output BLOB PRIMARY KEY, size INTEGER)")
        if self.counts().done:
            for _, name, size in made():
                run("INSERT OR REPLACE INTO made VALUES (?, ?)", (os.fsencode(name), size))
        run(
            "UPDATE pictures SET state = ? WHERE state = ? AND NOT EXISTS "
            "(SELECT 1 FROM made m WHERE m.output = pictures.output AND "
            "(m.size IS NULL OR m.size = pictures.made))",
            (PENDING, DONE),
        )
        run("DROP TABLE made")
        run("COMMIT")

    def retry_failed(self) -> None:
        """Mark what failed as not done."""
        self._database.execute("UPDATE pictures SET state = ? WHERE state = ?", (PENDING, FAILED))

    def counts(self) -> Counts:
        """Return how many pictures there are in all and in each state."""
        counted = dict(
            self._database.execute("SELECT state, COUNT(*) FROM pictures GROUP BY state")
        )
        sized = "SELECT SUM(size), COUNT(*) - COUNT(size) FROM pictures WHERE state = ?"
        known, unknown = self._database.execute(sized, (PENDING,)).fetchone()
        return Counts(
            total=sum(counted.values()),
            done=counted.get(DONE, 0),
            failed=counted.get(FAILED, 0),
            pending_bytes=None if unknown else int(known or 0),
        )

    def pending(self) -> Iterator[Planned]:
        """Yield the pictures to work on, in the order of their discovery."""
        last = 0
        while rows := self._database.execute(
            "SELECT number, source, output, size FROM pictures WHERE state = ? AND number > ? "
            "ORDER BY number LIMIT ?",
            (PENDING, last, _AT_ONCE),
        ).fetchall():
            for number, source, output, size in rows:
                target = join(self._target, os.fsdecode(output))
                yield Planned(number, os.fsdecode(source), target, size)
            last = rows[-1][0]

    def close(self) -> None:
        """Delete the database."""
        self._database.close()


def _with_suffix(name: str, suffix: str) -> str:
    path = PurePosixPath(name)
    return f"{name[: len(name) - len(path.suffix)]}{suffix}"
