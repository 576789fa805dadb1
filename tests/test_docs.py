"""The documents: links, paths and commands lead somewhere, and the examples of the guides run."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import gaussianimage
from gaussianimage.cli import cli

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [
    *sorted(DOCS.rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
]
GALLERY = ROOT / "examples" / "gallery"
EXPERIMENTS = sorted(page for page in (DOCS / "experiments").glob("*.md") if page.stem != "index")
# Pages that name files of the repository; a path may be relative to one of these folders.
ON_THE_CODE = [*sorted((DOCS / "design").glob("*.md")), DOCS / "contributing.md"]
BASES = [ROOT, *(ROOT / "src/gaussianimage" / name for name in ("", "native", "torch"))]


def relative_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def read_text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """Return the text without code blocks."""
    return re.sub(r"^```.*?^```$", "", read_text(page), flags=re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", read_text(page), re.DOTALL)
    assert found
    return found


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@pytest.mark.parametrize("page", PAGES, ids=relative_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} in {relative_name(page)}"
        if anchor:
            assert anchor in anchors(target), f"{link} in {relative_name(page)}"


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)[^)]*\)", prose(page))
        waiting += [(page.parent / link).resolve() for link in links if ":" not in link]
    assert set(DOCS.rglob("*.md")) <= reached


@pytest.mark.parametrize("page", EXPERIMENTS, ids=relative_name)
def test_every_experiment_has_a_status_and_a_date(page: Path) -> None:
    title, _, status, date = read_text(page).splitlines()[:4]
    assert title.startswith("# ")
    assert re.match(r"Status: (accepted|rejected|superseded by \[.+\]\(.+\.md\))", status)
    assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d", date)


def test_the_index_of_experiments_agrees_with_their_pages() -> None:
    index = read_text(DOCS / "experiments" / "index.md")
    rows = re.findall(r"^\| (\S+) \| \[(.+)\]\((\S+)\.md\) \| (.+) \|$", index, re.MULTILINE)
    listed = {stem: (date, title, status) for date, title, stem, status in rows}
    assert len(listed) == len(rows)
    pages = {}
    for page in EXPERIMENTS:
        title, _, status, date = read_text(page).splitlines()[:4]
        status = status.removeprefix("Status: ").rstrip()
        pages[page.stem] = (date.removeprefix("Date: "), title.removeprefix("# "), status)
    assert listed == pages


@pytest.mark.parametrize("page", ON_THE_CODE, ids=relative_name)
def test_every_path_on_the_code_exists(page: Path) -> None:
    spans = re.findall(r"`([^`\n]+)`", prose(page))
    path = re.compile(r"(?:[\w.-]+/)+|(?:[\w.-]+/)*[\w.-]+\.(?:py|cpp|h|json|md|txt)")
    paths = {span for span in spans if path.fullmatch(span) and "NAME" not in span}
    assert paths
    missing = {name for name in paths if not any((base / name).exists() for base in BASES)}
    assert not missing


def test_every_benchmark_that_is_named_exists() -> None:
    for page in [*PAGES, ROOT / "benchmarks" / "README.md"]:
        for name in re.findall(r"(?<!tests/)\bbenchmarks/[\w/]+\.py\b", read_text(page)):
            assert (ROOT / name).exists(), f"{name} in {relative_name(page)}"


def test_every_test_that_is_named_exists() -> None:
    for page in PAGES:
        for name, test in re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", read_text(page)):
            assert (ROOT / name).exists(), f"{name} in {relative_name(page)}"
            defined = f"def {test}(" in read_text(ROOT / name)
            assert defined or not test, f"{test} in {relative_name(page)}"


def test_every_document_that_the_sources_name_exists() -> None:
    files = [ROOT / "CHANGELOG.md", ROOT / "Makefile", ROOT / "benchmarks" / "README.md"]
    for folder in ("src", "tests", "tools", "benchmarks", "examples"):
        for suffix in ("py", "pyi", "cpp", "h"):
            files += (ROOT / folder).rglob(f"*.{suffix}")
    for file in files:
        for name in re.findall(r"\bdocs/[\w/.-]+\.(?:md|png)\b", read_text(file)):
            assert (ROOT / name).exists(), f"{name} in {relative_name(file)}"


def test_every_page_has_a_place_on_the_site() -> None:
    places = set(read_text(DOCS / "site_toc.txt").splitlines())
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")}
    of_patterns = {name for name in pages if f"{name.rpartition('/')[0]}/*" in places}
    of_experiments = {name for name in pages if name.startswith("experiments/")}
    assert pages - places - of_patterns - of_experiments == {"index"}
    made = {"gallery/index", "api/index"}  # not Markdown
    assert {place for place in places if re.fullmatch(r"[\w/]+", place)} <= pages | made


@pytest.mark.parametrize("script", sorted(GALLERY.glob("show_*.py")), ids=lambda path: path.stem)
def test_the_pictures_of_the_gallery_are_drawn(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(GALLERY)
    from matplotlib import pyplot as plt

    try:
        names = runpy.run_path(script.name)
        pictures = [axis.images[0].get_array() for axis in names["figure"].axes]
        assert len(pictures) >= 3
        assert all(picture.std() > 5 / 255 * picture.max() for picture in pictures)
        assert all(axis.get_title() for axis in names["figure"].axes)
    finally:
        plt.close("all")


@pytest.mark.slow
def test_the_site_is_built_without_warnings(tmp_path: Path) -> None:
    for name in ("sphinx", "furo", "myst_parser", "numpydoc", "sphinx_gallery", "matplotlib"):
        pytest.importorskip(name, reason=f"{name} is not installed: gaussianimage[docs]")
    options = ["--fail-on-warning", "--keep-going", "-D", "plot_gallery=False"]
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(tmp_path / "site")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    for page in ("index", "guide/python", "api/generated/gaussianimage.encode", "gallery/index"):
        assert (tmp_path / "site" / f"{page}.html").exists()


def run_examples(page: str, folder: Path) -> dict[str, Any]:
    """Run a page's blocks of Python in the current folder; return the names that they give."""
    shutil.copy(ROOT / "tests/data/parrot.png", folder / "photo.png")
    names: dict[str, Any] = {"__name__": "example"}
    for number, block in enumerate(blocks(DOCS / page, "python"), 1):
        exec(compile(block, f"docs/{page}, block {number}", "exec"), names)
    return names


def test_the_examples_of_the_python_guide_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_examples("guide/python.md", tmp_path)
    assert (tmp_path / "photo.webp").exists()
    assert names["of_the_file"].height == names["height"]


def test_the_examples_of_the_pillow_guide_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gaussianimage.pillow_plugin import register_gimg_opener

    monkeypatch.chdir(tmp_path)
    try:
        run_examples("guide/pillow.md", tmp_path)
    finally:
        register_gimg_opener()
    with Image.open(tmp_path / "small.png") as small, Image.open(tmp_path / "photo.gimg") as image:
        assert max(small.size) == 40
        assert image.getexif()[0x010E] == "A parrot"


def test_the_examples_of_the_zarr_guide_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("zarr", reason="zarr is not installed")
    monkeypatch.chdir(tmp_path)
    names = run_examples("guide/zarr.md", tmp_path)
    for found in (names["first"], names["decoded"]):
        assert abs(found.astype(int) - names["pictures"][0]).mean() < 3


def test_the_examples_of_the_batch_guide_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    shutil.copy(ROOT / "tests/data/parrot.png", tmp_path / "photos/parrot.png")
    run_examples("guide/batch.md", tmp_path)
    assert capsys.readouterr().out == "1 done, 0 done before, 0 failed\n"
    with Image.open(tmp_path / "previews/parrot.jpg") as image:
        assert max(image.size) == 64


def test_the_examples_of_the_notebook_guide_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("anywidget", reason="anywidget is not installed")
    monkeypatch.chdir(tmp_path)
    names = run_examples("guide/notebook.md", tmp_path)
    expected = gaussianimage.encode("photo.png", quality=30, effort=1)
    assert names["data"] == names["result"].data == expected
    assert names["widget"].ellipses_png


def test_the_command_lines_of_the_guide_parse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("small", "photos"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    pages = ("cli", "batch")
    text = "".join(block for page in pages for block in blocks(DOCS / f"guide/{page}.md", "sh"))
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    lines = [words for words in lines if words[0] not in ("pip", "python")]
    assert len(lines) > 10
    for program, name, *words in lines:
        assert program == "gaussianimage"
        group: Any = cli
        command = group.get_command(None, name)
        assert command.make_context(name, words).params
