"""benchmarks/README.md lists every benchmark and no others."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_every_script_is_listed_and_every_listed_script_is_there() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `python benchmarks/(\w+\.py)", text, re.MULTILINE))
    scripts = {path.name for path in FOLDER.glob("*.py")}
    assert listed == scripts


def test_the_commands_and_no_other_modules_can_be_run() -> None:
    runnable = {path for path in FOLDER.rglob("*.py") if "__main__" in path.read_text("utf-8")}
    assert runnable == set(FOLDER.glob("*.py"))
