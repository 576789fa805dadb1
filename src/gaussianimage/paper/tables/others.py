"""Tables of the results that no table of the paper has a row for."""

from collections.abc import Mapping, Sequence
from typing import Any

from gaussianimage.paper.tables.comparison import Group
from gaussianimage.paper.tables.text import (
    SETS,
    USUAL,
    Table,
    no_ms_ssim,
    number,
)

__all__ = ["other_codecs", "other_fits"]

_USUAL = USUAL | {"fill": False, "commitment": True, "angle": False, "revive": True}
# Named first in a row, or in a column of their own.
_NAMES = ("model", "loss", "color")
_COLUMNS = ("gaussians", "iterations")
# The settings that a quantizer of the other kind has no use for.
_UNUSED = {"rvq": ("color_bits",), "int": ("stages", "entries", "commitment")}


def other_fits(groups: Sequence[Group]) -> Table:
    """Return a table of fits, each with the mean over its own pictures.

    Parameters
    ----------
    groups : sequence of Group
        One group for each setting, all of one dataset.
    """
    header = ("fit", "N", "iterations", "pictures", "PSNR", "MS-SSIM", "train s")
    digits = {"psnr": 2, "ms_ssim": 4, "seconds": 2}
    rows = [
        (*_start(group, groups), *(number(group.rows[0].mean(k), d) for k, d in digits.items()))
        for group in groups
    ]
    return Table(f"Other fits of {SETS[groups[0].dataset]}", header, tuple(rows), _note(groups))


def other_codecs(groups: Sequence[Group]) -> Table:
    """Return a table of codecs, each with the mean over its own pictures.

    Parameters
    ----------
    groups : sequence of Group
        One group for each setting, all of one dataset.
    """
    header = ("codec", "N", "iterations", "pictures", "bpp", "PSNR", "MS-SSIM", "encode s")
    digits = {"psnr": 2, "ms_ssim": 4, "encode_seconds": 2}
    rows = []
    for group in groups:
        row = group.rows[0]
        figures = (number(row.mean(name), places) for name, places in digits.items())
        rows.append((*_start(group, groups), number(row.mean("bpp", "plain"), 4), *figures))
    note = f"{_note(groups)} Bits per pixel are of whole files."
    return Table(f"Other codecs on {SETS[groups[0].dataset]}", header, tuple(rows), note)


def _start(group: Group, groups: Sequence[Group]) -> tuple[str, ...]:
    """Return the first cells of a row: what is unusual about it or differs between rows."""
    settings = group.rows[0].settings
    parts = [str(settings[name]) for name in _NAMES if name in settings]
    skipped = (*_NAMES, *_COLUMNS, *_UNUSED.get(str(settings.get("color")), ()))
    for name, value in settings.items():
        usual = value is None or value == _USUAL.get(name)
        if name in skipped or usual:
            continue
        if name in _USUAL or name in ("color_bits", "released") or _varies(name, groups):
            parts.append(_words(name, value))
    counts = (str(settings[name]) for name in _COLUMNS)
    return (", ".join(parts), *counts, str(len(group.pictures)))


def _varies(name: str, groups: Sequence[Group]) -> bool:
    first = groups[0].rows[0].settings.get(name)
    return any(group.rows[0].settings.get(name) != first for group in groups)


def _words(name: str, value: Any) -> str:
    """Return a setting in words."""
    title = name.replace("_", " ")
    if isinstance(value, bool):
        return title if value else f"no {title}"
    if isinstance(value, Mapping):
        return f"as in the released code: {' and '.join(k.replace('_', ' ') for k in value)}"
    if name == "device":
        return str(value)
    title = title.replace("halve every", "halved every")
    return f"{title} {value:g}" if isinstance(value, float) else f"{title} {value}"


def _note(groups: Sequence[Group]) -> str:
    settings = groups[0].rows[0].settings
    names = ("learning_rate", "halve_every", "seed", "device")
    common = [_words(name, settings[name]) for name in names if not _varies(name, groups)]
    text = "No table of the paper has these. Each mean is over the row's own pictures"
    text += f"; {', '.join(common)}." if common else "."
    return text + next((missing for group in groups if (missing := no_ms_ssim(group))), "")
