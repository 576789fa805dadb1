"""The engine on one Ray of two workers, which all tests share."""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import gaussianimage
from gaussianimage.batching import ray_engine
from gaussianimage.batching.engine import WorkerLostError

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def ray_and_its_store(on_ray: Any, unreliable: None) -> None:
    """Start Ray before each test, and make the URLs ``unreliable://`` known here too."""


def numbers(count: int) -> Iterator[list[int]]:
    return ([number] for number in range(count))


def work(group: Sequence[int]) -> tuple[int, int]:
    if group[0] == 3:
        raise ValueError("three")
    if group[0] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return group[0] ** 2, os.getpid()


def rows(manifest: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(manifest).read_text().splitlines()]


def test_groups_come_back_from_other_processes_with_values_or_errors(on_ray: Any) -> None:
    # The worker cannot import this module.
    import cloudpickle_by_value

    with cloudpickle_by_value.of(sys.modules[__name__]):
        results = {group[0]: (value, error) for group, value, error in on_ray.run(work, numbers(9))}
    assert {n: results[n][0][0] for n in results if n not in (3, 5)} == {
        n: n**2 for n in range(9) if n not in (3, 5)
    }
    assert os.getpid() not in {value[1] for value, _ in results.values() if value}
    assert isinstance(results[3][1], ValueError)
    assert isinstance(results[5][1], WorkerLostError)


def test_a_batch_on_ray_gives_the_files_of_a_batch_on_threads(
    pictures: Callable[..., Path], tmp_path: Path
) -> None:
    folder = pictures("a.png", "b/c.png", *(f"{n}.png" for n in range(30)))
    (folder / "broken.png").write_bytes(b"no picture")
    made = {}
    for engine in ("local", "ray"):
        out = tmp_path / engine
        summary = gaussianimage.batch(folder, out, engine=engine, gaussians=5, jobs=2)
        assert (summary.done, summary.failed) == (32, 1)
        made[engine] = {p.relative_to(out): p.read_bytes() for p in out.rglob("*.gimg")}
        workers = {row["worker"] for row in rows(summary.manifest)}
        assert (f":{os.getpid()}" in "".join(workers)) == (engine == "local")
    assert made["local"] == made["ray"]
    again = gaussianimage.batch(folder, tmp_path / "ray", engine="ray", gaussians=5)
    assert (again.done, again.skipped) == (0, 32)


def test_a_picture_that_ends_its_worker_is_tried_alone_and_costs_no_other(
    pictures: Callable[..., Path], tmp_path: Path
) -> None:
    folder = pictures("kills-always.png", "kills-once-a.png", *(f"{n}.png" for n in range(20)))
    summary = gaussianimage.batch(
        f"unreliable://{folder}",
        f"unreliable://{tmp_path}/out",
        manifest=tmp_path / "manifest.jsonl",
        engine="ray",
        gaussians=5,
    )
    assert (summary.done, summary.failed) == (21, 1)
    listed = rows(summary.manifest)
    assert len(listed) == len({row["input"] for row in listed}) == 22
    (failed,) = [row for row in listed if "error" in row]
    assert failed["input"].endswith("kills-always.png")
    assert "ended its worker twice, the second time alone: WorkerCrashed" in failed["error"]
    assert len(list((tmp_path / "out").iterdir())) == 21  # nothing half, nothing temporary


def test_a_full_store_ends_the_run(pictures: Callable[..., Path], tmp_path: Path) -> None:
    folder = pictures("a.png", "b.png")
    (tmp_path / "full").mkdir()
    with pytest.raises(OSError, match="No space left on device"):
        gaussianimage.batch(
            folder,
            f"unreliable://{tmp_path}/full",
            manifest=tmp_path / "manifest.jsonl",
            engine="ray",
            gaussians=5,
        )
    assert (tmp_path / "manifest.jsonl").read_bytes() == b""


def test_ray_leaves_signals_alone() -> None:
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_cluster_that_does_not_answer_is_an_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and not listening
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"no Ray cluster answers at {address}: "):
            ray_engine._start(None, address, None)
