"""Joining the ES modules to one script, for pages of a single file.

The modules keep to a part of the language that makes this simple: imports are lists of names from
`./FILE.js` and rename nothing, exports stand before declarations, comments take whole lines, and no
two modules declare the same name at their top level. `import('./FILE.js')`, which loads a module
when it is needed, becomes a promise of its exports, so the exports keep their names.
"""

import re
from collections.abc import Collection
from pathlib import Path

__all__ = ["MODULES", "bundle", "declared_names", "squeeze"]

MODULES = Path(__file__).with_name("gimg")

_IMPORT = re.compile(r"^import (?:\{[^}]*\} from )?'\./([\w-]+\.js)';\n", re.MULTILINE)
_IMPORT_LATER = re.compile(r"\bimport\('\./([\w-]+\.js)'\)")
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|const|function|let)\b)", re.MULTILINE)
_EXPORTED = re.compile(r"^export (?:async )?(?:class|const|function|let) (\w+)", re.MULTILINE)
_BLOCK_COMMENT = re.compile(r"^[ \t]*/\*(?:(?!\*/)[\s\S])*\*/[ \t]*\n", re.MULTILINE)
_LINE_COMMENT = re.compile(r"^[ \t]*//.*\n", re.MULTILINE)
_SPACE = re.compile(r"^[ \t]+|^\n", re.MULTILINE)
_DECLARATION = re.compile(
    r"^(?:export )?(?:async )?(?:class|const|function|let) (?:(\w+)|[{\[]([^\]}]+))", re.MULTILINE
)


def bundle(*names: str, without: Collection[str] = ()) -> str:
    """Return one module that does what the modules of these names do, without comments.

    Parameters
    ----------
    *names : str
        Names of files in `MODULES`, such as ``viewer.js``.
    without : collection of str, default ()
        Names of modules that are loaded when they are needed, and are known not to be.
    """
    done: dict[str, str] = {}
    waiting = [*names]
    while waiting:
        _add(waiting.pop(0), done)
        later = {name for text in done.values() for name in _IMPORT_LATER.findall(text)}
        waiting += sorted(later - done.keys() - {*without, *waiting})
    done = {
        name: _IMPORT_LATER.sub(lambda found: _promise_of(found[1], without), text)
        for name, text in done.items()
    }
    # The script of a page of one file also runs as a classic worker, which has no `import.meta`.
    return "".join(done.values()).replace("import.meta.url", "location.href")


def _add(name: str, done: dict[str, str]) -> None:
    """Add a module behind those that it imports."""
    if name in done:
        return
    text = (MODULES / name).read_text(encoding="utf-8")
    for imported in _IMPORT.findall(text):
        _add(imported, done)
    done[name] = squeeze(_EXPORT.sub("", _IMPORT.sub("", text)))


def _promise_of(name: str, without: Collection[str]) -> str:
    """Return the expression for `import('./NAME')` in a bundle."""
    if name in without:
        return f"Promise.reject(new Error('{name} is not here'))"
    exports = _EXPORTED.findall((MODULES / name).read_text(encoding="utf-8"))
    return f"Promise.resolve({{ {', '.join(exports)} }})"


def squeeze(text: str) -> str:
    """Return JavaScript or CSS without comments that take whole lines, and without indentation."""
    for pattern in (_BLOCK_COMMENT, _LINE_COMMENT, _SPACE):
        text = pattern.sub("", text)
    return text


def declared_names(text: str) -> list[str]:
    """Return the names that a module declares at its top level."""
    names: list[str] = []
    for one, several in _DECLARATION.findall(text):
        names += [one] if one else [part.strip() for part in several.split(",")]
    return names
