"""A headless Chromium driven over its debugging pipe: no driver, no port, no package.

Commands and events of the DevTools protocol go over two pipes (descriptors 3 and 4 of the browser),
each message JSON with a zero byte at its end.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60.0


def find_chromium() -> str | None:
    """Path of an installed Chromium, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Chromium:
    """A running browser; use it in a `with` statement."""

    path: str
    events: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 0
    _rest: bytes = b""

    def __enter__(self) -> Self:
        self._folder = tempfile.mkdtemp(prefix="chromium-")
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()

        # The browser reads from descriptor 3 and writes to 4: a shell sets them.
        script = f'exec "$@" 3<&{commands} 4>&{answers}'
        arguments = [
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
            *("--no-first-run", "--disable-background-networking", "--hide-scrollbars"),
            *("--disable-dev-shm-usage", f"--user-data-dir={self._folder}", "about:blank"),
        ]
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, "bash", self.path, *arguments],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.call("Browser.close")
            self._process.wait(SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            os.close(self._write)
            os.close(self._read)
            shutil.rmtree(self._folder, ignore_errors=True)

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """The result of a command; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait_for(self, method: str) -> None:
        """Wait until an event of that name has come."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            read = os.read(self._read, 1 << 20) if ready else b""
            if not read:
                raise TimeoutError("Chromium does not answer")
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass
class Tab:
    """One page of a browser."""

    browser: Chromium
    session: str

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """The result of a command to the page."""
        return self.browser.call(method, self.session, **parameters)

    def run(self, script: str) -> Any:
        """The value of a script's last expression; promises are waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def open(self, address: str) -> None:
        """Go to an address and wait until it has loaded."""
        self.browser.events.clear()
        self.call("Page.navigate", url=address)
        self.browser.wait_for("Page.loadEventFired")

    def screenshot(self, target: Path, *, whole: bool = False) -> None:
        """Keep what is seen, or the whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        target.write_bytes(base64.b64decode(answer["data"]))

    def complaints(self) -> list[str]:
        """What the page wrote to the console as errors or warnings, and exceptions it threw."""
        found = []
        for event in self.browser.events:
            name, told = event.get("method"), event.get("params", {})
            if name == "Runtime.exceptionThrown":
                found.append(str(told))
            if name == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
                found.append(told["entry"]["text"])
            if name == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
                found.append(str(told["args"]))
        return found

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.browser.events
            if event.get("method") == "Network.requestWillBeSent"
        ]


@contextmanager
def tab(
    browser: Chromium, *, width: int, height: int, phone: bool = False, dark: bool = False
) -> Iterator[Tab]:
    """A page of that size in CSS pixels, a phone's or a desktop's, closed at the end."""
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    page = Tab(browser, session)
    for domain in ("Page", "Runtime", "Network", "Log"):
        page.call(f"{domain}.enable")
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=2 if phone else 1,
        mobile=phone,
    )
    page.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
    )
    try:
        yield page
    finally:
        browser.call("Target.closeTarget", targetId=target)
