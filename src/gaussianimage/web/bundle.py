"""Joining the ES modules to one script, for pages of a single file.

The modules keep to a part of the language that makes this simple: imports are lists of names from
`./FILE.js` and rename nothing, exports stand before declarations, comments take whole lines, and no
two modules declare the same name at their top level.
"""

import re
from pathlib import Path

__all__ = ["MODULES", "bundle", "declared_names", "squeeze"]

MODULES = Path(__file__).with_name("gimg")

_IMPORT = re.compile(r"^import (?:\{[^}]*\} from )?'\./([\w-]+\.js)';\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|const|function|let)\b)", re.MULTILINE)
_BLOCK_COMMENT = re.compile(r"^[ \t]*/\*(?:(?!\*/)[\s\S])*\*/[ \t]*\n", re.MULTILINE)
_LINE_COMMENT = re.compile(r"^[ \t]*//.*\n", re.MULTILINE)
_SPACE = re.compile(r"^[ \t]+|^\n", re.MULTILINE)
_DECLARATION = re.compile(
    r"^(?:export )?(?:async )?(?:class|const|function|let) (?:(\w+)|[{\[]([^\]}]+))", re.MULTILINE
)


def bundle(*names: str) -> str:
    """Return one module that does what the modules of these names do, without comments.

    Parameters
    ----------
    *names : str
        Names of files in `MODULES`, such as ``viewer.js``.
    """
    done: dict[str, str] = {}
    for name in names:
        _add(name, done)
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
