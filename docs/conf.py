"""The configuration of the documentation site: `make docs` builds it into build/site."""

import importlib.util
import re
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
from sphinx.application import Sphinx

import gaussianimage

ROOT = Path(__file__).resolve().parent.parent

project = "gaussianimage"
author = "The gaussianimage authors"
project_copyright = author
version = release = gaussianimage.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
default_role = "py:obj"  # `name` in a docstring is a link if there is such a name

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4  # links such as format.md#1-the-container
exclude_patterns = [
    "gallery/**/*.ipynb",
    "gallery/**/*.py",
    "gallery/**/*.md5",
    "**/*.zip",
    "sg_execution_times.rst",
]

templates_path = ["_templates"]
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's tables have the types, with shapes and units
autodoc_mock_imports = [
    name for name in ("torch", "triton", "anywidget") if importlib.util.find_spec(name) is None
]
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = False

mpl.use("agg")
warnings.filterwarnings("error", category=DeprecationWarning, module="gaussianimage")
sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples" / "gallery"),
    "gallery_dirs": "gallery",
    "filename_pattern": "/show_",
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "min_reported_time": 1e9,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
}

html_theme = "furo"
html_title = "gaussianimage"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False

DOCS = ROOT / "docs"


def list_pages(text: str) -> str:
    """Replace each line FOLDER/* by the pages of the folder that no other line names."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if line.endswith("/*"):
            pages = [f"{line[:-1]}{page.stem}" for page in sorted((DOCS / line[:-2]).glob("*.md"))]
            lines[index] = "\n".join(page for page in pages if page not in lines)
    return "\n".join(lines)


LISTS = {
    "index": list_pages((DOCS / "site_toc.txt").read_text(encoding="utf-8").partition("\n\n")[2]),
    "experiments/index": ":::{toctree}\n:hidden:\n:glob:\n\n*\n:::\n",
}


def adapt(app: Sphinx, page: str, source: list[str]) -> None:
    """Fit a page of the repository into the site.

    A link whose text is a file's name gets the title of the page instead. A link to a file that the
    site does not have becomes text. The index of a folder gets the list of its pages.
    """
    folder = (Path(app.srcdir) / page).parent

    def adapted(link: re.Match[str]) -> str:
        words, path = link.groups()
        inside = ":" in path or (folder / path).resolve().is_relative_to(app.srcdir)
        if not inside:
            return words
        return f"[]({path})" if words == path else link[0]

    source[0] = re.sub(r"(?<!!)\[([^]]+)\]\(([^)#\s]+)[^)]*\)", adapted, source[0])
    if page in LISTS:
        source[0] += "\n" + LISTS[page]


def keep_bars(*event: Any) -> None:
    """Let |x| in a docstring be an absolute value, not reStructuredText's name of another text."""
    lines: list[str] = event[-1]
    for index, line in enumerate(lines):
        parts = re.split(r"(``.*?``)", line)
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[index] = "".join(parts)


def setup(app: Sphinx) -> None:
    """Let Sphinx call what is above."""
    app.connect("source-read", adapt)
    app.connect("autodoc-process-docstring", keep_bars, priority=100)  # before numpydoc
