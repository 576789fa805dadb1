"""The rooms of the package, as README's table has them: every import leads to a row above."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "gaussianimage"
HEADER = "| in `src/gaussianimage` | |\n|---|---|\n"
# A string that names a module or something in it; or that a name begins with which is computed,
# f"a.b.{name}"; or that is an entry point, "a.b:c".
NAME = re.compile(rf"({PACKAGE}(?:\.\w+)+)(?:\.|:\w+)?")


def read_table(text: str) -> list[list[str]]:
    """Return the modules and packages of each row of README's table of rooms, lowest first."""
    rows = text.split(HEADER)[1].split("\n\n")[0].splitlines()
    cells = [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in rows]
    return [[parse_module(name) for name in names] for names in cells]


def parse_module(name: str) -> str:
    """Return the module or package that the table calls `torch/`, `errors` or `__init__`."""
    return PACKAGE if name == "__init__" else f"{PACKAGE}.{name.rstrip('/').replace('/', '.')}"


@dataclass
class Imports:
    """What a file imports of the package, at every level and for type checkers too."""

    names: set[str] = field(default_factory=set)  # modules, or names in them
    strings: set[str] = field(default_factory=set)  # that look like such a name
    computed: bool = False  # whether it also imports a module whose name it computes


def read_imports(text: str) -> Imports:
    found = Imports()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.name if alias.asname else alias.name.split(".")[0]
                found.names |= {alias.name, bound}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            found.names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and called_name(node) in ("import_module", "__import__"):
            if node.args and isinstance(node.args[0], ast.Constant):
                found.names.add(str(node.args[0].value))
            else:
                found.computed = True
        elif isinstance(node, ast.Constant) and (match := NAME.fullmatch(str(node.value))):
            found.strings.add(match[1])
    found.names = {name for name in found.names if f"{name}.".startswith(f"{PACKAGE}.")}
    return found


def called_name(call: ast.Call) -> str | None:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", None)


class House:
    """Every Python module under a folder, and what it imports.

    Parameters
    ----------
    source : Path
        The folder that the package is in.
    table : list of list of str
        As `read_table` returns it.
    """

    def __init__(self, source: Path, table: list[list[str]]) -> None:
        self._table = table
        self.files: dict[str, Path] = {}
        for path in sorted((source / PACKAGE).rglob("*.py*")):
            parts = path.relative_to(source).with_suffix("").parts
            if path.suffix in (".py", ".pyi"):
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                self.files[name] = path
        self.imports = {m: read_imports(p.read_text("utf-8")) for m, p in self.files.items()}
        self.edges = {module: set(self._edges(module)) - {module} for module in self.files}

    def _edges(self, module: str) -> Iterator[str]:
        for name in self.imports[module].names:
            yield from self._executed(name, module)
        for name in self.imports[module].strings:
            # Not the kind of a file such as "gaussianimage.FitState".
            if self._module(name) != PACKAGE:
                yield from self._executed(name, module)

    def _module(self, name: str) -> str:
        """Return the module that a name is in."""
        while name not in self.files:
            name = name.rpartition(".")[0]
        return name

    def _executed(self, name: str, importer: str) -> Iterator[str]:
        """Yield the modules that an import runs: the module, and the packages around it.

        Those around the importer have begun to run already, and so has the package itself.
        """
        name = self._module(name)
        yield name
        while (name := name.rpartition(".")[0]) not in ("", PACKAGE):
            if not f"{importer}.".startswith(f"{name}."):
                yield name

    def row(self, module: str) -> int | None:
        """Return the row that has a module, or else a package around it."""
        while module:
            for index, names in enumerate(self._table):
                if module in names:
                    return index
            module = module.rpartition(".")[0]
            if module == PACKAGE:
                return None  # `__init__` alone
        return None

    def is_empty(self, module: str) -> bool:
        """Tell whether there is nothing but a docstring in a file."""
        return len(ast.parse(self.files[module].read_text("utf-8")).body) <= 1

    def offences(self) -> list[str]:
        """Return every import that leads from a row to a later one."""
        found = []
        for module, others in self.edges.items():
            row = self.row(module)
            for other in sorted(others):
                above = self.row(other)
                if row is not None and above is not None and above > row:
                    found.append(f"{module} imports {other}")
        return found


@pytest.fixture(scope="module")
def table() -> list[list[str]]:
    return read_table((ROOT / "README.md").read_text("utf-8"))


@pytest.fixture(scope="module")
def house(table: list[list[str]]) -> House:
    return House(ROOT / "src", table)


def test_every_module_has_a_row(house: House) -> None:
    homeless = [module for module in house.files if house.row(module) is None]
    # A package whose folders are rooms.
    assert [module for module in homeless if not house.is_empty(module)] == []


def test_every_name_in_the_table_is_a_module_or_a_package(
    house: House, table: list[list[str]]
) -> None:
    folders = {parse_module(f"{path.name}/") for path in (ROOT / "src" / PACKAGE).iterdir()}
    names = [name for row in table for name in row]
    assert len(names) == len(set(names))
    assert [name for name in names if name not in {*house.files, *folders}] == []


def test_each_row_imports_only_rows_above_it(house: House) -> None:
    assert house.offences() == []


def test_no_module_imports_itself_through_others(house: House) -> None:
    try:
        TopologicalSorter(house.edges).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_no_room_below_the_public_names_computes_what_it_imports(house: House) -> None:
    public = house.row(PACKAGE)
    assert public is not None
    computing = [module for module, imports in house.imports.items() if imports.computed]
    assert [module for module in computing if (house.row(module) or 0) < public] == []


# -- What the tests above can see ------------------------------------------------------------------

IMPORTS = {
    "at the top": "from gaussianimage.cli import main",
    "of the module": "from gaussianimage import cli",
    "by its whole name": "import gaussianimage.cli.main as run",
    "in a function": "def f():\n    from gaussianimage.cli.main import g",
    "for type checkers": "if TYPE_CHECKING:\n    from gaussianimage.cli import main",
    "in a string": "HOMES = {'f': 'gaussianimage.cli.main'}",
    "of something in it": "HOME = 'gaussianimage.cli.main.run'",
    "by an entry point": "HOME = 'gaussianimage.cli.main:run'",
    "by a computed name": "name = f'gaussianimage.cli.{name}'",
    "by import_module": "import_module('gaussianimage.cli')",
}


def make_house(folder: Path, low: str) -> House:
    """Make a package of a low room with this text, and of a high one."""
    files = {"__init__": '"""All."""', "low": low, "cli/__init__": "", "cli/main": ""}
    for name, text in files.items():
        path = folder / PACKAGE / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    rows = "| `low` | first |\n| `cli/` | last |\n"
    return House(folder, read_table(f"Text.\n\n{HEADER}{rows}\nMore `text`.\n"))


@pytest.mark.parametrize("text", IMPORTS.values(), ids=IMPORTS.keys())
def test_an_import_of_a_later_row_is_seen(tmp_path: Path, text: str) -> None:
    offences = make_house(tmp_path, text).offences()
    assert offences
    assert all(offence.startswith("gaussianimage.low imports ") for offence in offences)


@pytest.mark.parametrize(
    "text",
    [
        "KIND = 'gaussianimage.FitState'",
        "raise ImportError('gaussianimage.cli needs click')",
        '"""See `gaussianimage.cli`."""',
        "from collections import OrderedDict",
    ],
)
def test_what_is_no_import_is_none(tmp_path: Path, text: str) -> None:
    assert make_house(tmp_path, text).offences() == []


def test_a_circle_is_seen(tmp_path: Path) -> None:
    house = make_house(tmp_path, "from gaussianimage.cli import main")
    (tmp_path / PACKAGE / "cli/__init__.py").write_text("import gaussianimage.low as low")
    house = House(tmp_path, [["gaussianimage.low"], ["gaussianimage.cli"]])
    with pytest.raises(CycleError):
        TopologicalSorter(house.edges).prepare()
