"""Write the tables of the JavaScript decoder from docs/format.md.

Usage: python tools/web_tables.py [--check]

The tables are strings of digits of base 86: a digit below 50 is a weight, one of 50 to 79 and the
next digit are a weight from 50 on, one of 80 to 84 repeats the weight before it 2 to 6 times, and
85 repeats the 16 weights before it. With --check, the script only tells whether the file holds the
tables of the document (exit code 1 if not).
"""

import argparse
import itertools
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/format.md"
TARGET = ROOT / "src/gaussianimage/web/gimg/priors.js"
# Characters that need no escape in a string of JavaScript.
DIGITS = [chr(code) for code in range(40, 127) if chr(code) != "\\"]
SMALL, LARGE, MOST_REPEATS = 50, 80, 6
ROW, SAME_ROW = 16, 85


def pack(rows: list[list[int]]) -> str:
    """Return all weights of the rows as digits."""
    text = ""
    waiting: list[int] = []
    before: list[int] = []
    for row in rows:
        if len(row) == ROW and row == before:
            text += pack_runs(waiting) + DIGITS[SAME_ROW]
            waiting = []
        else:
            waiting += row
        before = row
    return text + pack_runs(waiting)


def pack_runs(weights: list[int]) -> str:
    """Return the digits of weights."""
    return "".join(pack_run(weight, len([*group])) for weight, group in itertools.groupby(weights))


def pack_run(weight: int, count: int) -> str:
    """Return the digits of equal weights."""
    if weight < SMALL:
        digits = DIGITS[weight]
    else:
        high, low = divmod(weight - SMALL, len(DIGITS))
        digits = DIGITS[SMALL + high] + DIGITS[low]
    text = digits
    count -= 1
    while count:
        repeats = min(count, MOST_REPEATS)
        text += digits if repeats == 1 else DIGITS[LARGE + repeats - 2]
        count -= repeats
    return text


def tables(document: str) -> dict[str, str]:
    """Return the packed weights by the name of their constant."""
    appendix = document.split("\n## Appendix A")[1]
    layers = [row.split() for row in re.findall(r"^\d+: ([\d ]+)$", appendix, re.MULTILINE)]
    found = {"LAYER_WEIGHTS": layers}
    for kind in ("block", "pixel"):
        lines = re.findall(rf"^{kind} \d+: ([\d ,]+)$", document, re.MULTILINE)
        rows = [row.split() for line in lines for row in line.split(",")]
        found[f"ALPHA_{kind.upper()}_WEIGHTS"] = rows
    return {name: pack([[int(w) for w in row] for row in rows]) for name, rows in found.items()}


def module(document: str) -> str:
    """Return the text of the JavaScript module."""
    lines = [
        "// What the models start from: docs/format.md, appendix A and section 4.9.",
        "// tools/web_tables.py writes this file.",
    ]
    lines += [f"export const {name} =\n  '{text}';" for name, text in tables(document).items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(description="Write the tables of the JavaScript decoder.")
    parser.add_argument("--check", action="store_true", help="tell whether they are written")
    check = parser.parse_args().check
    text = module(DOCUMENT.read_text(encoding="utf-8"))
    if check:
        return 0 if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
