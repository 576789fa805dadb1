"""The plain decoder's tables, read from docs/format.md so that the tests cover the document."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "format.md"


def roots(document: str) -> list[float]:
    """Return 2^(i / 16) for i = 0 to 15, from section 4.1."""
    (block,) = re.findall(r"```\nroot = (.*?)```", document, re.DOTALL)
    return [float(number) for number in block.split(",")]


def priors(document: str) -> list[list[int]]:
    """Return the initial weights of the models, which are the rows of numbers of appendix A."""
    appendix = document.split("\n## Appendix A")[1]
    rows = re.findall(r"^(\d+): ([\d ]+)$", appendix, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(len(rows)))
    return [[int(weight) for weight in weights.split()] for _, weights in rows]


def alpha_priors(document: str, name: str) -> list[list[int]]:
    """Return the initial weights of the models of the map of alpha, from section 4.9."""
    lines = re.findall(rf"^{name} (\d+): ([\d ,]+)$", document, re.MULTILINE)
    assert [int(number) for number, _ in lines] == list(range(len(lines)))
    return [[int(n) for n in row.split()] for _, rows in lines for row in rows.split(",")]


TEXT = DOCUMENT.read_text(encoding="utf-8")
ROOTS = roots(TEXT)
PRIORS = priors(TEXT)
ALPHA_BLOCKS = alpha_priors(TEXT, "block")
ALPHA_PIXELS = alpha_priors(TEXT, "pixel")
