"""The tables that the plain decoder takes out of docs/format.md, so that they are tested too."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "format.md"


def roots(document: str) -> list[float]:
    """2^(i / 16) for i = 0 to 15, from section 4.1."""
    (block,) = re.findall(r"```\nroot = (.*?)```", document, re.DOTALL)
    return [float(number) for number in block.split(",")]


def priors(document: str) -> list[list[int]]:
    """The weights that the models start from, from appendix A: the rows of numbers there."""
    appendix = document.split("\n## Appendix A")[1]
    rows = re.findall(r"^(\d+): ([\d ]+)$", appendix, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(len(rows)))
    return [[int(weight) for weight in weights.split()] for _, weights in rows]


TEXT = DOCUMENT.read_text(encoding="utf-8")
ROOTS = roots(TEXT)
PRIORS = priors(TEXT)
