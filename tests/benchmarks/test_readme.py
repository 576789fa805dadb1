"""benchmarks/README.md lists every benchmark, and nothing that isn't there."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_every_script_is_listed_and_every_listed_script_is_there() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `python benchmarks/(\w+\.py)", text, re.MULTILINE))
    scripts = {path.name for path in FOLDER.glob("*.py") if "__main__" in path.read_text()}
    assert listed == scripts
