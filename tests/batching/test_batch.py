"""Whole batches on threads of this process: what is done, what fails, and what a later run does."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gaussianimage
from gaussianimage import BatchProgress
from gaussianimage.batching import batch as module
from gaussianimage.batching import stores, tasks

QUICK: dict[str, Any] = {"gaussians": 5, "effort": 1, "jobs": 2}


def rows(summary: gaussianimage.BatchSummary) -> dict[str, dict[str, Any]]:
    """Return the rows of the manifest by the names of the inputs, of which each has one."""
    lines = stores.read(summary.manifest).decode().splitlines()
    found = [json.loads(line) for line in lines]
    by_name = {Path(row["input"]).name: row for row in found}
    assert len(by_name) == len(found)
    return by_name


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_tree_is_encoded_and_comes_back(pictures: Callable[..., Path], tmp_path: Path) -> None:
    folder = pictures("a.png", "b/c.jpg", "b/d/e.png", "b/notes.txt.png")
    (folder / "b/readme.txt").write_text("no picture")
    small = tmp_path / "small"
    summary = gaussianimage.batch(folder, small, **QUICK)
    assert (summary.total, summary.done, summary.failed) == (4, 4, 0)
    assert files(small) == [
        "a.gimg",
        "b/c.gimg",
        "b/d/e.gimg",
        "b/notes.txt.gimg",
        "manifest.jsonl",
    ]
    expected = gaussianimage.encode(folder / "a.png", gaussians=5, effort=1)
    assert (small / "a.gimg").read_bytes() == expected
    row = rows(summary)["a.png"]
    assert row["output"] == str(small / "a.gimg")
    assert (row["bytes_in"], row["bytes_out"]) == ((folder / "a.png").stat().st_size, len(expected))
    assert (row["width"], row["height"], row["pixels"]) == (24, 16, 384)
    assert row["gaussians"] <= 5
    assert row["psnr"] > 5
    assert row["worker"].endswith(f":{os.getpid()}")
    assert summary.pixels == 4 * 384
    back = gaussianimage.batch(small, tmp_path / "back", task="decode", format="webp")
    assert back.done == 4
    assert files(tmp_path / "back")[:2] == ["a.webp", "b/c.webp"]
    little = gaussianimage.batch(small, tmp_path / "little", task="thumbnail", longest=8)
    assert rows(little)["a.gimg"]["width"] == 8


def test_a_bad_picture_is_a_row_and_can_be_tried_again(
    pictures: Callable[..., Path], tmp_path: Path
) -> None:
    folder = pictures("a.png", "b.png", "c.png")
    (folder / "b.png").write_bytes(b"no picture")
    (folder / "c.png").unlink()
    (folder / "c.png").symlink_to(folder / "a.png")
    first = gaussianimage.batch(folder, tmp_path / "out", **QUICK)
    assert (first.done, first.failed) == (2, 1)
    assert "not a picture" in rows(first)["b.png"]["error"]
    assert not (tmp_path / "out/b.gimg").exists()
    again = gaussianimage.batch(folder, tmp_path / "out", **QUICK)
    assert (again.done, again.skipped, again.failed) == (0, 2, 1)
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes())
    last = gaussianimage.batch(folder, tmp_path / "out", retry_failed=True, **QUICK)
    assert (last.done, last.skipped, last.failed) == (1, 2, 0)
    assert "error" not in rows(last)["b.png"]


def test_only_what_is_missing_or_other_is_done_again(
    pictures: Callable[..., Path], tmp_path: Path
) -> None:
    folder, out = pictures("a.png", "b.png", "c.png", "d.png"), tmp_path / "out"
    gaussianimage.batch(folder, out, **QUICK)
    assert gaussianimage.batch(folder, out, **QUICK).done == 0
    (out / "a.gimg").unlink()
    (out / "b.gimg").write_bytes(b"half")
    (folder / "c.png").write_bytes((folder / "d.png").read_bytes() + bytes(100))
    again = gaussianimage.batch(folder, out, **QUICK)
    assert (again.done, again.skipped) == (3, 1)
    assert gaussianimage.batch(folder, out, **(QUICK | {"gaussians": 6})).done == 4
    assert len(rows(again)) == 4


def test_a_killed_run_goes_on_where_it_was(pictures: Callable[..., Path], tmp_path: Path) -> None:
    folder, out = pictures(*(f"{n}.png" for n in range(40))), tmp_path / "out"
    code = "import sys, gaussianimage; gaussianimage.batch(*sys.argv[1:], gaussians=5, jobs=2)"
    command = [sys.executable, "-c", code, str(folder), str(out)]
    with subprocess.Popen(command) as process:
        manifest = out / "manifest.jsonl"
        while not (manifest.exists() and manifest.read_bytes().count(b"\n") >= 5):
            time.sleep(0.01)
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    there = {path.name: path.read_bytes() for path in out.glob("*.gimg")}
    listed = manifest.read_bytes().count(b"\n")
    assert 5 <= listed < 40
    for data in there.values():
        gaussianimage.decode(data)  # nothing is half
    summary = gaussianimage.batch(folder, out, gaussians=5, jobs=2)
    assert summary.skipped == listed
    assert summary.done == 40 - listed
    assert len(rows(summary)) == 40
    assert len(list(out.glob("*.gimg"))) == 40
    assert there.items() <= {path.name: path.read_bytes() for path in out.glob("*.gimg")}.items()


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(
    pictures: Callable[..., Path], tmp_path: Path, monkeypatch: Any
) -> None:
    folder, out = pictures(*(f"{n}.png" for n in range(12))), tmp_path / "out"
    put, written = stores.put, []

    def fill(address: str, data: bytes) -> None:
        if address.endswith(".gimg"):
            written.append(address)
            if len(written) > 6:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), address)
        put(address, data)

    monkeypatch.setattr(stores, "put", fill)
    with pytest.raises(OSError, match="No space left on device"):
        gaussianimage.batch(folder, out, **QUICK)
    monkeypatch.setattr(stores, "put", put)
    summary = gaussianimage.batch(folder, out, **QUICK)
    assert summary.done + summary.skipped == 12
    assert 1 <= summary.skipped <= 6
    assert summary.failed == 0


def test_a_picture_that_memory_does_not_suffice_for_is_tried_again_alone(
    pictures: Callable[..., Path], tmp_path: Path, monkeypatch: Any
) -> None:
    folder = pictures("a.png", "large.png", "larger.png", "z.png")
    large, larger = ((folder / f"{name}.png").read_bytes() for name in ("large", "larger"))
    encode, seen = tasks._encode, []

    def greedy(data: bytes, **options: Any) -> Any:
        seen.append(data)
        if data == larger or (data == large and seen.count(large) < 2):
            raise MemoryError
        return encode(data, **options)

    monkeypatch.setitem(tasks._WORK, "encode", greedy)
    summary = gaussianimage.batch(folder, tmp_path / "out", **QUICK)
    assert (summary.done, summary.failed) == (3, 1)
    assert "twice, the second time alone: not enough memory" in rows(summary)["larger.png"]["error"]
    assert sorted(seen[-2:]) == sorted([large, larger])  # at the end


def test_a_list_may_repeat_names_and_lack_files(
    pictures: Callable[..., Path], tmp_path: Path
) -> None:
    folder = pictures("a.png", "b/c.png")
    listed = tmp_path / "names.txt"
    names = [f"{folder}/a.png", f"{folder}/none.png", f"{folder}/b/c.png", f"{folder}/a.png"]
    listed.write_text("\n".join(names))
    summary = gaussianimage.batch(f"@{listed}", tmp_path / "out", **QUICK)
    assert (summary.total, summary.done, summary.failed, summary.repeated) == (3, 2, 1, 1)
    assert "No such file" in rows(summary)["none.png"]["error"]
    assert files(tmp_path / "out") == ["a.gimg", "b/c.gimg", "manifest.jsonl"]


def test_names_that_collide_and_names_that_are_no_text(
    pictures: Callable[..., Path], tmp_path: Path
) -> None:
    strange = os.fsdecode(b"caf\xe9\n.png")
    folder = pictures("a.png", "a.jpg", strange)
    summary = gaussianimage.batch(folder, tmp_path / "out", **QUICK)
    assert summary.done == 3
    names = files(tmp_path / "out")
    assert names == ["a.jpg.gimg", "a.png.gimg", strange.replace(".png", ".gimg"), "manifest.jsonl"]
    assert gaussianimage.batch(folder, tmp_path / "out", **QUICK).skipped == 3


def test_outputs_may_be_beside_inputs_but_not_in_a_folder_within(
    pictures: Callable[..., Path],
) -> None:
    folder = pictures("a.png")
    assert gaussianimage.batch(folder, folder, **QUICK).done == 1
    assert gaussianimage.batch(folder, folder, **QUICK).skipped == 1
    with pytest.raises(ValueError, match="lies in the inputs' folder"):
        gaussianimage.batch(folder, folder / "small", **QUICK)
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(ValueError, match="lies in the inputs' folder"):
        gaussianimage.batch(folder, folder.parent / "link/small", **QUICK)


@pytest.mark.parametrize(
    ("source", "target"), [("", "out"), ("@", "out"), ("nothing", "out"), ("@nothing", "out")]
)
def test_names_that_are_empty_or_missing(source: str, target: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, FileNotFoundError)):
        gaussianimage.batch(source, tmp_path / target)
    assert not (tmp_path / target).exists()


def test_a_manifest_elsewhere_and_another_file_in_its_place(
    pictures: Callable[..., Path], tmp_path: Path
) -> None:
    folder = pictures("a.png")
    summary = gaussianimage.batch(folder, tmp_path / "out", manifest=tmp_path / "m.jsonl", **QUICK)
    assert summary.manifest == str(tmp_path / "m.jsonl")
    assert files(tmp_path / "out") == ["a.gimg"]
    before = (folder / "a.png").read_bytes()
    with pytest.raises(gaussianimage.FormatError, match="is no manifest"):
        gaussianimage.batch(folder, tmp_path / "out", manifest=folder / "a.png", **QUICK)
    assert (folder / "a.png").read_bytes() == before


def test_progress_ends_with_everything_done(pictures: Callable[..., Path], tmp_path: Path) -> None:
    folder = pictures("a.png", "b.png", "c.png")
    (folder / "b.png").write_bytes(b"no picture")
    seen: list[BatchProgress] = []
    gaussianimage.batch(folder, tmp_path / "out", progress=seen.append, **QUICK)
    assert [now.done + now.failed for now in seen] == [0, 1, 2, 3]
    last = seen[-1]
    assert (last.total, last.done, last.failed, last.skipped) == (3, 2, 1, 0)
    assert last.seconds_left == 0
    assert seen[0].seconds_left is None
    assert last.pixels == 2 * 384


def test_ctrl_c_ends_a_run_that_goes_on_later(
    pictures: Callable[..., Path], tmp_path: Path
) -> None:
    folder = pictures(*(f"{n}.png" for n in range(12)))

    def press(now: BatchProgress) -> None:
        if now.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gaussianimage.batch(folder, tmp_path / "out", progress=press, **QUICK)
    summary = gaussianimage.batch(folder, tmp_path / "out", **QUICK)
    assert (summary.skipped, summary.done) == (3, 9)


def test_from_one_url_to_another(pictures: Callable[..., Path], tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    memory = fsspec.filesystem("memory")
    memory.put(f"{pictures('a.png', 'b/c.png')}/", "/batches/in/", recursive=True)
    url = "memory://batches/out"
    for done, skipped in ((2, 0), (0, 2)):
        summary = gaussianimage.batch("memory://batches/in", url, **QUICK)
        assert (summary.done, summary.skipped) == (done, skipped)
    assert summary.manifest == f"{url}/manifest.jsonl"
    assert sorted(rows(summary)) == ["a.png", "c.png"]
    memory.rm("/batches/out/b/c.gimg")
    assert gaussianimage.batch("memory://batches/in", url, **QUICK).done == 1
    found = sorted(memory.find("/batches/out"))
    assert [Path(name).name for name in found] == ["a.gimg", "c.gimg", "manifest.jsonl"]


@pytest.mark.usefixtures("unreliable")
def test_a_store_that_fails_now_and_then(pictures: Callable[..., Path], tmp_path: Path) -> None:
    folder = pictures("a.png", "b/c.png", "d.png")
    summary = gaussianimage.batch(f"unreliable://{folder}", f"unreliable://{tmp_path}/out", **QUICK)
    assert (summary.done, summary.failed) == (3, 0)
    assert files(tmp_path / "out") == ["a.gimg", "b/c.gimg", "d.gimg", "manifest.jsonl"]
    for name in ("a", "b/c", "d"):
        gaussianimage.decode(tmp_path / f"out/{name}.gimg")


def test_memory_of_one_process_is_refused_for_ray(pictures: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="memory:// is in one process alone"):
        gaussianimage.batch(pictures("a.png"), "memory://out", engine="ray")


def test_small_pictures_share_a_task_and_large_ones_do_not(tmp_path: Path) -> None:
    class Engine:
        most_in_group, workers = 4, 1

    sizes = [10, 10, module.GROUP_BYTES * 2, 10, 10, 10, 10, 10, None, 10] + [10] * 30
    found = [stores.Found(f"/in/{n}.png", f"{n}.png", size) for n, size in enumerate(sizes)]
    plan = module.Plan(found, "/out", ".gimg")
    run = module._RunningBatch(tasks.make_task("encode", {}), plan, None, None)  # type: ignore[arg-type]
    groups = [[int(Path(p.source).stem) for p in g] for g in run._groups(Engine())]  # type: ignore[arg-type]
    assert groups[:5] == [[0, 1], [2], [3, 4, 5, 6], [7], [8]]
    assert [n for group in groups for n in group] == list(range(40))
