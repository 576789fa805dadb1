"""One word for each thing: class names are unique, and the format's constants are defined once.

`_native.pyi` declares the native module, whose classes are always written with their module's name.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src/gaussianimage"
FORMAT = PACKAGE / "codec/format"


def module_statements(path: Path) -> Iterator[ast.stmt]:
    """Yield the statements of a module that are not inside a class or a function."""
    blocks = [ast.parse(path.read_text(encoding="utf-8")).body]
    while blocks:
        for statement in blocks.pop():
            yield statement
            if isinstance(statement, ast.If | ast.Try):
                blocks += [statement.body, statement.orelse]


def classes(path: Path) -> list[str]:
    return [node.name for node in module_statements(path) if isinstance(node, ast.ClassDef)]


def constants(path: Path) -> list[str]:
    """Return the names in capitals that a module assigns, but for private ones."""
    names = []
    for node in module_statements(path):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets += [node.target] if isinstance(node, ast.AnnAssign) else []
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            names += [part.id for part in parts if isinstance(part, ast.Name)]
    return [name for name in names if name.isupper() and not name.startswith("_")]


def test_no_two_classes_have_one_name() -> None:
    homes = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in classes(path):
            homes[name.lstrip("_")].append(str(path.relative_to(PACKAGE)))
    assert "Gaussians" in homes
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_constants_of_the_format_are_defined_once() -> None:
    homes = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in constants(path):
            homes[name].append(path)
    of_the_format = {name for name, where in homes.items() if FORMAT in [p.parent for p in where]}
    assert {"MAX_SIDE", "MAX_GAUSSIANS", "BACKGROUND_LEVELS", "LAYER"} <= of_the_format
    elsewhere = {
        name: [str(path.relative_to(PACKAGE)) for path in homes[name]]
        for name in of_the_format
        if len(homes[name]) > 1
    }
    assert elsewhere == {}
