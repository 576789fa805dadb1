"""The results of a run: one JSON for each picture and setting, with the files that it names.

A folder of results has a subfolder for every setting. Its name is a readable label and a hash of
all values: ``represent/cholesky-n5000-l2-i50000-3f2a9c/kodim03.json``. The JSON is written last and
atomically, so an interrupted run leaves no partial result.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from gaussianimage._util.files import StrPath, write_atomic
from gaussianimage.errors import FormatError
from gaussianimage.paper.datasets import Sample

__all__ = ["Record", "Results", "Setting"]

_FORMAT = "gaussianimage.paper.result"
_VERSION = 1
_NUMBERS = re.compile(r"\[([-+.,\deE\s]+)\]")  # a list of numbers only


@dataclass(frozen=True)
class Setting:
    """The work of a run on every picture: a fit, or a codec.

    Parameters
    ----------
    kind : str
        ``represent`` or ``compress``.
    label : str
        Readable part of the folder's name.
    values : mapping
        All values that determine the result, in types of JSON.
    """

    kind: str
    label: str
    values: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of this setting's results, inside the folder of all results."""
        text = json.dumps(self.values, sort_keys=True)
        return Path(self.kind, f"{self.label}-{hashlib.sha256(text.encode()).hexdigest()[:6]}")


@dataclass(frozen=True)
class Record:
    """The result of one setting on one picture.

    Parameters
    ----------
    kind : str
        ``represent`` or ``compress``.
    dataset : str
        Name of the set, as in `Dataset.name`.
    picture, digest : str
        The picture's name, and the hash of its pixels.
    height, width : int
        Size of the picture in pixels.
    settings : dict
        Values of the setting, as in `Setting.values`.
    measured : dict
        Measured numbers by name.
    environment : dict
        Time, machine and versions, as in `environment`.
    files : list of str
        Names of the other files of the result, in the JSON's folder.
    """

    kind: str
    dataset: str
    picture: str
    digest: str
    height: int
    width: int
    settings: dict[str, Any]
    measured: dict[str, Any]
    environment: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def to_json(self) -> bytes:
        """Return the record as indented JSON, with lists of numbers on one line each."""
        head = {"format": _FORMAT, "version": _VERSION}
        text = json.dumps(head | asdict(self), indent=2, allow_nan=False)
        return _NUMBERS.sub(lambda m: "[" + " ".join(m[1].split()) + "]", text).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, name: str) -> Self:
        """Read a record that `to_json` wrote.

        Raises
        ------
        FormatError
            If the data is no such record; the message starts with `name`.
        """
        try:
            values = json.loads(data)
        except ValueError as error:  # a UnicodeDecodeError is a ValueError
            raise FormatError(f"{name}: no result of gaussianimage paper: {error}") from None
        head = (values.get("format"), values.get("version")) if isinstance(values, dict) else ()
        if head != (_FORMAT, _VERSION):
            raise FormatError(f"{name}: no result of gaussianimage paper, version {_VERSION}")
        known = {f.name: f for f in fields(cls)}
        given = {key: value for key, value in values.items() if key in known}
        missing = [name for name in known if name not in given]
        if missing or not all(isinstance(given[k], dict) for k in ("settings", "measured")):
            raise FormatError(
                f"{name}: a result of gaussianimage paper without {missing or 'parts'}"
            )
        return cls(**given)


class Results:
    """A folder of results.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder; saving the first result makes it.
    """

    def __init__(self, folder: StrPath) -> None:
        self.folder = Path(folder)

    def path(self, setting: Setting, sample: Sample, suffix: str) -> Path:
        """Return the path of a file about a picture, and make its folder."""
        path = self.folder / setting.folder / f"{sample.name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def find(self, setting: Setting, sample: Sample) -> Record | None:
        """Return the result of a setting on a sample's pixels, or None if it is incomplete."""
        path = self.folder / setting.folder / f"{sample.name}.json"
        try:
            record = Record.from_json(path.read_bytes(), str(path))
        except (OSError, FormatError):
            return None
        same = record.settings == dict(setting.values) and record.digest == sample.digest
        there = all((path.parent / name).is_file() for name in record.files)
        return record if same and there else None

    def save(self, setting: Setting, sample: Sample, record: Record) -> None:
        """Write a result atomically, after the files that it names."""
        write_atomic(self.path(setting, sample, ".json"), record.to_json())

    def all(self) -> list[Record]:
        """Return every result, ordered by its path.

        Raises
        ------
        FormatError
            If a JSON in a setting's folder is no record.
        OSError
            If the folder doesn't exist or can't be read.
        """
        paths = sorted(path for path in self.folder.iterdir() if path.is_dir())
        jsons = [file for path in paths for file in sorted(path.glob("*/*.json"))]
        return [Record.from_json(path.read_bytes(), str(path)) for path in jsons]
