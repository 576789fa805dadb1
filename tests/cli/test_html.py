"""The command `html`."""

from pathlib import Path
from typing import Any

from PIL import Image

import gaussianimage


def test_a_page_holds_the_file(run: Any, gimg: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("html", gimg, page, "--title", "At the <zoo>", "--alt", "A parrot")
    assert result.output == ""
    text = page.read_text(encoding="utf-8")
    assert gaussianimage.data_url(gimg) in text
    assert "<title>At the &lt;zoo&gt;</title>" in text
    assert '"alt": "A parrot"' in text
    assert len(text) < 60_000 + 4 * gimg.stat().st_size / 3


def test_the_viewer_holds_a_reference_in_a_format_of_browsers(
    run: Any, gimg: Path, parrot: Path, tmp_path: Path
) -> None:
    with Image.open(parrot) as image:
        image.save(tmp_path / "parrot.tiff")
    for reference in (parrot, tmp_path / "parrot.tiff"):
        page = tmp_path / "viewer.html"
        run("html", gimg, page, "--viewer", "--reference", reference)
        assert '"data": "data:application/octet-stream;base64,iVBORw0KGgo' in page.read_text()


def test_stdin_and_stdout_work(run: Any, encoded: bytes) -> None:
    result = run("html", "-", "-", stdin=encoded)
    assert result.stdout.startswith("<!doctype html>")


def test_bad_input_is_one_line(fails: Any, gimg: Path, parrot: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert "not a .gimg file" in fails("html", parrot, page)
    assert "No such file" in fails("html", tmp_path / "none.gimg", page)
    assert not page.exists()
    assert "OUTPUT is an input" in fails("html", gimg, gimg, code=2)
    assert "--viewer" in fails("html", gimg, page, "--reference", parrot, code=2)
