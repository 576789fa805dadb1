"""The command `view`."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_it_serves_the_files_until_it_is_interrupted(gimg: Path, parrot: Path) -> None:
    command = [sys.executable, "-m", "gaussianimage", "view", str(gimg), "--reference", str(parrot)]
    with subprocess.Popen(
        [*command, "--no-browser"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        base = url.split("/viewer.html?")[0]
        assert base.startswith("http://127.0.0.1:")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{base}/files/0/parrot.gimg", timeout=10) as answer:
            assert answer.read() == gimg.read_bytes()
        assert url.endswith("url=files/0/parrot.gimg&reference=files/1/parrot.png")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_bad_input_is_one_line(fails: Any, parrot: Path, tmp_path: Path) -> None:
    assert "not a .gimg file" in fails("view", parrot, "--no-browser")
    assert "No such file" in fails("view", tmp_path / "none.gimg", "--no-browser")
