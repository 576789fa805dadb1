"""Groups of comparable results: means over the same pictures, with only some settings varied."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from gaussianimage.paper.results import Record

__all__ = ["Group", "Row", "grouped"]


@dataclass(frozen=True)
class Row:
    """The results of one variant on several pictures.

    Parameters
    ----------
    settings : dict
        All settings of the variant.
    records : tuple of Record
        One record for each picture.
    """

    settings: dict[str, Any]
    records: tuple[Record, ...]

    def mean(self, *path: str) -> float | None:
        """Return the mean of a measured number over the pictures, or None if a picture lacks it.

        Parameters
        ----------
        path : str
            Name of the number, after the names of the dicts that hold it.
        """
        values = []
        for record in self.records:
            value: Any = record.measured
            for name in path:
                value = value.get(name) if isinstance(value, dict) else None
            if not isinstance(value, int | float):
                return None
            values.append(float(value))
        return fmean(values) if values else None


@dataclass(frozen=True)
class Group:
    """Variants that differ only in the compared settings.

    Parameters
    ----------
    dataset : str
        Name of the set, as in `Dataset.name`.
    common : dict
        The settings that all rows share.
    rows : tuple of Row
    pictures : tuple of str
        Names of the pictures of the means, which are the pictures that every row has.
    dropped : int
        Number of pictures that only some rows have.
    """

    dataset: str
    common: dict[str, Any]
    rows: tuple[Row, ...]
    pictures: tuple[str, ...]
    dropped: int

    def row(self, **settings: Any) -> Row | None:
        """Return the first row with these settings, or None."""
        for row in self.rows:
            if all(row.settings.get(name) == value for name, value in settings.items()):
                return row
        return None


def grouped(
    records: Sequence[Record],
    varying: Sequence[str],
    keep: Callable[[Mapping[str, Any]], bool] = lambda _: True,
) -> list[Group]:
    """Sort results into groups that may be compared.

    Parameters
    ----------
    records : sequence of Record
    varying : sequence of str
        Settings that may differ within a group.
    keep : callable
        Takes settings, and returns whether their results belong to the comparison.

    Returns
    -------
    list of Group
        Ordered by dataset, then by numbers of Gaussians and iterations, unless these vary. A row
        that shares no picture with the rows of more pictures is left out.
    """
    groups: dict[tuple[str, str], dict[str, list[Record]]] = {}
    for record in records:
        if keep(record.settings):
            common = {k: v for k, v in record.settings.items() if k not in varying}
            rows = groups.setdefault((record.dataset, json.dumps(common, sort_keys=True)), {})
            rows.setdefault(json.dumps(record.settings, sort_keys=True), []).append(record)
    found = [_group(key, list(rows.values())) for key, rows in groups.items()]
    order = ("gaussians", "iterations")
    return sorted(found, key=lambda g: (g.dataset, *(g.common.get(name, 0) for name in order)))


def _group(key: tuple[str, str], rows: list[list[Record]]) -> Group:
    pictures = [{_picture(record) for record in row} for row in rows]
    shared = max(pictures, key=len)
    for here in sorted(pictures, key=len, reverse=True):
        shared = shared & here or shared
    rows = [row for row, here in zip(rows, pictures, strict=True) if shared & here == shared]
    everything = set.union(*pictures)
    kept = []
    for row in rows:
        chosen = sorted((r for r in row if _picture(r) in shared), key=lambda r: r.picture)
        kept.append(Row(row[0].settings, tuple(chosen)))
    names = tuple(sorted(name for name, _ in shared))
    dropped = len(everything) - len(shared)
    return Group(key[0], json.loads(key[1]), tuple(kept), names, dropped)


def _picture(record: Record) -> tuple[str, str]:
    return record.picture, record.digest
