"""A small client of Firefox by its own protocol, Marionette, which needs no driver and no package.

A message is its length in ASCII digits, a colon, and JSON: [0, id, command, parameters], answered
by [1, id, error, result].
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from webdriver import Page, ScriptError

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
# No telemetry and no updates; a GPU that is the CPU is accepted; errors of pages are kept.
PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.server": "data:,",
    "toolkit.telemetry.enabled": False,
    "webgl.force-enabled": True,
}
START_SECONDS = 60
# A browser with a screen has WebGL, by Mesa; one without has none.
SCREEN = shutil.which("Xvfb")


class Firefox(Page):
    """Firefox without a window. `open` is that of `webdriver.Browser`."""

    def __init__(self) -> None:
        assert FIREFOX
        self._profile = tempfile.mkdtemp(prefix="gaussianimage-firefox-")
        self._ids = itertools.count(1)
        self._socket: socket.socket | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in {**PREFERENCES, "marionette.port": port}.items()
        ]
        Path(self._profile, "user.js").write_text("\n".join(lines), encoding="utf-8")
        self._screen: subprocess.Popen[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            window, environment = self._open_screen()
            self._process = subprocess.Popen(
                [FIREFOX, *window, "--no-remote", "--marionette", "--profile", self._profile],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            self._connect(port)
            self._call("WebDriver:NewSession", {"strictFileInteractability": False})
            self._call("WebDriver:SetTimeouts", {"script": 60_000, "pageLoad": 60_000})
        except BaseException:
            self.close()
            raise

    def _open_screen(self) -> tuple[list[str], dict[str, str]]:
        """Return the options and the environment of a browser on a screen that nobody sees."""
        if SCREEN is None:
            return ["--headless"], {**os.environ}
        command = [SCREEN, "-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
        self._screen = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._screen.stdout
        return [], {**os.environ, "DISPLAY": f":{self._screen.stdout.readline().strip()}"}

    def _connect(self, port: int) -> None:
        assert self._process
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise ScriptError("Firefox ends at once")
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=90)
            except OSError:
                time.sleep(0.2)
                continue
            self._read()  # the greeting
            return
        raise ScriptError("Firefox does not start")

    def close(self) -> None:
        """End the browser."""
        if self._socket:
            with contextlib.suppress(ScriptError, OSError):
                self._call("Marionette:Quit", {"flags": ["eForceQuit"]})
            self._socket.close()
        for process in (self._process, self._screen):
            if process is None:
                continue
            if process is self._screen:
                process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._screen and self._screen.stdout:
            self._screen.stdout.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _read(self) -> Any:
        assert self._socket
        length = b""
        while not length.endswith(b":"):
            digit = self._socket.recv(1)
            if not digit:
                raise ScriptError("Firefox has ended")
            length += digit
        data = bytearray()
        while len(data) < int(length[:-1]):
            part = self._socket.recv(int(length[:-1]) - len(data))
            if not part:
                raise ScriptError("Firefox has ended")
            data += part
        return json.loads(data)

    def _call(self, command: str, parameters: dict[str, Any]) -> Any:
        assert self._socket
        data = json.dumps([0, next(self._ids), command, parameters]).encode()
        self._socket.sendall(f"{len(data)}:".encode() + data)
        _, _, error, result = self._read()
        if error:
            raise ScriptError(error["message"])
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def open(self, url: str) -> None:
        """Go to a page."""
        self._call("WebDriver:Navigate", {"url": url})

    def _execute(self, body: str, arguments: list[Any]) -> Any:
        parameters = {"script": body, "args": arguments, "sandbox": None, "newSandbox": False}
        return self._call("WebDriver:ExecuteAsyncScript", parameters)

    def screenshot(self, path: Path) -> None:
        """Write what the page shows to a PNG file."""
        shot = self._call("WebDriver:TakeScreenshot", {"full": False, "hash": False})
        path.write_bytes(base64.b64decode(shot))
