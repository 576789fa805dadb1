"""A table as text, and the numbers in its cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from gaussianimage.metrics import MS_SSIM_SIDE
from gaussianimage.paper.tables.comparison import Group, Row

__all__ = [
    "NONE",
    "SETS",
    "USUAL",
    "Table",
    "by_count",
    "difference",
    "markdown",
    "measured_on",
    "no_ms_ssim",
    "number",
    "percent",
    "signed",
    "speed",
]

SETS = {"kodak": "Kodak", "div2k": "DIV2K ×2", "other": "pictures"}
NONE = "–"
# The paper's settings; a note lists the settings that differ.
USUAL: dict[str, object] = {
    "model": "cholesky",
    "offset": True,
    "loss": "l2",
    "optimizer": "adan",
    "covariance_bits": 6,
    "stages": 2,
    "entries": 8,
    "scaling": True,
}


@dataclass(frozen=True)
class Table:
    """A table as text.

    Parameters
    ----------
    title : str
        The paper's number of the table, and its contents.
    header : tuple of str
    rows : tuple of tuple of str
        The cells, in rows as long as the header.
    note : str
        A text on the pictures and settings of the numbers.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str

    def markdown(self) -> str:
        """Return the table as Markdown, with its title above and its note below."""
        return f"## {self.title}\n\n{markdown(self.header, self.rows)}\n\n{self.note}\n"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with padded cells; all columns but the first are right-aligned."""
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), line(ruler), *map(line, rows)])


def by_count(rows: Sequence[Row]) -> list[Row]:
    """Return rows sorted by their number of Gaussians."""
    return sorted(rows, key=lambda row: int(row.settings["gaussians"]))


def measured_on(group: Group) -> str:
    """Return sentences on the measured pictures and their settings."""
    common = group.common
    count = len(group.pictures)
    others = "picture" if count == 1 else "pictures"
    name = others if group.dataset == "other" else f"of {SETS[group.dataset]}"
    text = f"Means over {count} {name}"
    text += f" ({', '.join(group.pictures)})" if count <= 4 else ""
    if group.dropped:
        text += f"; {group.dropped} more that not every row has are left out"
    if "gaussians" in common:
        text += f"; N={common['gaussians']}"
    text += f"; {common['iterations']} iterations"
    if "fine_tuning" in common:
        text += f" and {common['fine_tuning']} with quantizers"
    if "learning_rate" in common:
        text += f", learning rate {common['learning_rate']:g} halved every {common['halve_every']}"
    for name, value in USUAL.items():
        if common.get(name, value) != value:
            text += f", {name.replace('_', ' ')} {str(common[name]).lower()}"
    if followed := common.get("released"):
        names = (name.replace("_", " ") for name in followed)
        text += f", as in the released code: {', '.join(names)}"
    where = f"seed {common['seed']}, {common['device']}"
    return f"{text}, {where}. The paper's: 50000 iterations, 0.001, 20000, on a V100."


def no_ms_ssim(group: Group) -> str:
    """Return the reason for a missing MS-SSIM in a table, or an empty string."""
    if all(row.mean("ms_ssim") is not None for row in group.rows):
        return ""
    return f" MS-SSIM needs pictures of at least {MS_SSIM_SIDE} pixels a side."


def number(value: float | None, digits: int) -> str:
    """Return a number with some decimals."""
    return NONE if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """Return a number with its sign."""
    return NONE if value is None else f"{value:+.{digits}f}".replace("-", "−")


def difference(value: float | None, reference: float | None) -> str:
    """Return the difference of a value from a reference with its sign."""
    return NONE if value is None or reference is None else signed(value - reference)


def percent(value: float | None) -> str:
    """Return a percentage with its sign."""
    return NONE if value is None else f"{signed(value, 1)} %"


def speed(value: float | None) -> str:
    """Return frames a second, in scientific notation below 1."""
    if value is None:
        return NONE
    return f"{value:.2f}" if value >= 1 else f"{value:.2e}"
