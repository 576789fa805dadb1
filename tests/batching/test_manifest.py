import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gaussianimage import FormatError
from gaussianimage.batching import manifest
from gaussianimage.batching.manifest import open_journal


def row(name: str, **values: Any) -> dict[str, Any]:
    return {"input": name, "bytes_in": 1, **values}


@pytest.fixture(params=["file", "parts"])
def address(request: Any, tmp_path: Path) -> str:
    if request.param == "file":
        return str(tmp_path / "new/manifest.jsonl")
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    return f"file://{tmp_path}/manifest.jsonl"


def test_rows_come_back_and_the_last_of_an_input_is_kept(address: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(manifest, "_PART_ROWS", 2)
    first = open_journal(address)
    for name in ("a", "b", "caf\udce9"):
        first.append(row(name))
    first.close()
    second = open_journal(address)
    assert [row["input"] for row in second.rows()] == ["a", "b", "caf\udce9"]
    second.append(row("a", error="bad"))
    second.append(row("d"))
    second.close()
    with closing(open_journal(address)) as third:
        rows = list(third.rows())
    assert [row["input"] for row in rows] == ["b", "caf\udce9", "a", "d"]
    assert rows[2]["error"] == "bad"


def test_a_line_without_its_end_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(json.dumps(row("a")).encode() + b'\n{"input": "b", "by')
    journal = open_journal(str(path))
    journal.append(row("c"))
    assert [row["input"] for row in journal.rows()] == ["a", "c"]
    journal.close()


def test_another_file_is_not_taken_for_a_manifest(tmp_path: Path) -> None:
    path, content = tmp_path / "photo.png", b"\x89PNG\n\xff"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="is no manifest"):  # noqa: SIM117
        with closing(open_journal(str(path))) as journal:
            list(journal.rows())
    assert path.read_bytes() == content


def test_a_manifest_has_one_writer(tmp_path: Path) -> None:
    journal = open_journal(str(tmp_path / "manifest.jsonl"))
    with pytest.raises(OSError, match="another batch is writing this manifest"):
        open_journal(str(tmp_path / "manifest.jsonl"))
    journal.close()
    open_journal(str(tmp_path / "manifest.jsonl")).close()


def test_parquet_has_a_column_for_each_value(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    journal = open_journal(str(tmp_path / "manifest.parquet.jsonl"))
    journal.append(row("a", psnr=30.5))
    journal.append(row("caf\udce9", error="bad"))
    manifest.write_parquet(journal, str(tmp_path / "manifest.parquet"))
    journal.close()
    table = parquet.read_table(tmp_path / "manifest.parquet")
    assert table.column_names == list(manifest.COLUMNS)
    assert table["input"].to_pylist() == ["a", "caf\\xe9"]
    assert table["psnr"].to_pylist() == [30.5, None]


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: Any) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        manifest.require_parquet()
