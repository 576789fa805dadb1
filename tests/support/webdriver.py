"""A small client of chromedriver, enough for the tests of pages: no package is needed for it."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

DRIVER, BROWSER = shutil.which("chromedriver"), shutil.which("chromium")
# WebGL by SwiftShader, on the CPU, so that the tests need no GPU; and nothing goes to the network.
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


class ScriptError(Exception):
    """A command of the browser failed."""


class Page(ABC):
    """Scripts in the page that a browser shows."""

    @abstractmethod
    def _execute(self, body: str, arguments: list[Any]) -> Any:
        """Return what a script gives to the function that is its last argument."""

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what the body of an async function returns in the page."""
        body = (
            "const done = arguments[arguments.length - 1];"
            "const given = Array.prototype.slice.call(arguments, 0, -1);"
            f"(async function () {{ {script} }}).apply(null, given)"
            ".then((value) => done({ value }),"
            " (error) => done({ error: `${error} ${error.stack}` }));"
        )
        result = self._execute(body, [*arguments])
        if "error" in result:
            raise ScriptError(result["error"])
        return result.get("value")

    def wait(self, condition: str, *, seconds: float = 20) -> Any:
        """Return the first true value of an expression in the page."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(f"return ({condition});"):
                return value
            time.sleep(0.05)
        raise ScriptError(f"still not: {condition}")


class Browser(Page):
    """Chromium without a window, which chromedriver runs."""

    def __init__(self, *options: str) -> None:
        assert DRIVER
        assert BROWSER
        self._profile = tempfile.mkdtemp(prefix="gaussianimage-chromium-")
        self._driver = subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._session = ""
        try:
            self._base = f"http://127.0.0.1:{self._read_port()}"
            arguments = [*OPTIONS, *options, f"--user-data-dir={self._profile}"]
            chrome = {"binary": BROWSER, "args": arguments}
            wanted = {"goog:chromeOptions": chrome, "goog:loggingPrefs": {"browser": "ALL"}}
            opened = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self._session = f"/session/{opened['sessionId']}"
            self._call("POST", "/timeouts", {"script": 60_000, "pageLoad": 60_000})
        except BaseException:
            self.close()
            raise

    def _read_port(self) -> int:
        assert self._driver.stdout
        for line in self._driver.stdout:
            if found := re.search(r"successfully on port (\d+)", line):
                return int(found[1])
        raise ScriptError("chromedriver does not start")

    def close(self) -> None:
        """End the browser."""
        try:
            if self._session:
                self._call("DELETE", "")
        except (ScriptError, OSError):
            pass
        self._driver.terminate()
        self._driver.wait(10)
        if self._driver.stdout:
            self._driver.stdout.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self._base}{self._session}{path}",
            None if method == "DELETE" else json.dumps(body or {}).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=90) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise ScriptError(json.load(error)["value"]["message"]) from None

    def open(self, url: str) -> None:
        """Go to a page, and forget the messages of the one before."""
        self._call("POST", "/url", {"url": "about:blank"})
        self.messages()
        self._call("POST", "/url", {"url": url})

    def _execute(self, body: str, arguments: list[Any]) -> Any:
        return self._call("POST", "/execute/async", {"script": body, "args": arguments})

    def cdp(self, command: str, **parameters: Any) -> Any:
        """Run a command of the browser's own protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def show_as(
        self, width: int, height: int, *, ratio: float = 1, dark: bool = False, touch: bool = False
    ) -> None:
        """Show pages as on a screen of this size, of `ratio` device pixels for a CSS pixel."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=ratio,
            mobile=touch,
        )
        self.cdp("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path) -> None:
        """Write what the page shows to a PNG file."""
        shot = self.cdp("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def messages(self) -> list[str]:
        """Return and forget the warnings and errors of the console."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        found = [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]
        # The tests read pixels back, which the browser warns is slow.
        slow = ("GPU stall due to ReadPixels", "willReadFrequently")
        return [message for message in found if not any(part in message for part in slow)]
