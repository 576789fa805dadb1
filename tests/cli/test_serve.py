"""The command `serve`."""

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any


def test_a_browser_gets_the_page_and_tiles_until_ctrl_c(gimg: Path) -> None:
    command = [sys.executable, "-m", "gaussianimage", "serve", gimg.parent, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().decode().strip()
            assert url.startswith("http://127.0.0.1:")
            for name, start in (
                ("", b"<!doctype html>"),
                ("parrot.dzi", b"<?xml"),
                ("parrot_files/7/0_0.jpg", b"\xff\xd8"),
            ):
                with urllib.request.urlopen(url + name, timeout=30) as answer:
                    assert answer.read().startswith(start)
            process.send_signal(signal.SIGINT)
            _, messages = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert messages == b"stopped\n"


def test_what_cannot_be_served_fails_in_one_line(fails: Any, tmp_path: Path) -> None:
    (tmp_path / "a.gimg").write_bytes(b"nothing")
    assert "not a .gimg file" in fails("serve", tmp_path / "a.gimg")
    (tmp_path / "empty").mkdir()
    assert "no .gimg files" in fails("serve", tmp_path / "empty", code=2)
    assert "No such file" in fails("serve", tmp_path / "missing.gimg")


def test_an_address_that_is_taken_is_told(fails: Any, gimg: Path) -> None:
    assert "gaussianimage" not in fails("serve", gimg, "--host", "256.256.256.256")
