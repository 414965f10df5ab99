"""A real browser for tests: headless Chromium, driven over its own pipe, with no other program and no library in between.

The protocol is Chrome's (https://chromedevtools.github.io/devtools-protocol/): JSON messages that end in a zero byte, on
descriptors 3 and 4.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

#: Put two descriptors where the browser looks for them, and become the browser.
PLACE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--no-first-run", "--hide-scrollbars",
    "--force-color-profile=srgb", "--remote-debugging-pipe",
]  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: Name of a key -> its code in the protocol, and the text it types.
KEYS = {
    "Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " "), "Escape": (27, ""), "ArrowLeft": (37, ""), "ArrowUp": (38, ""),
    "ArrowRight": (39, ""), "ArrowDown": (40, ""), "Home": (36, ""), "End": (35, ""),
}  # fmt: skip


def find() -> str | None:
    """Where the browser is, if there is one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One browser with a fresh profile and one tab; everything it said or asked the network for is kept."""

    def __init__(self, profile: Path) -> None:
        self.said: list[str] = []
        self.requested: list[str] = []
        self.downloads = profile / "downloads"
        self.downloads.mkdir(parents=True)
        self._answers: dict[int, dict[str, Any]] = {}
        self._events: list[str] = []
        self._changed = threading.Condition()
        self._last = 0
        self._session: str | None = None
        there, self._write = os.pipe()
        self._read, here = os.pipe()
        # Above 9, so that neither is overwritten before it is copied to 3 and 4.
        high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (there, here)]
        command = [find() or "chromium", *FLAGS, f"--user-data-dir={profile / 'profile'}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", PLACE, *map(str, high), *command],
            pass_fds=high,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for one in (there, here, *high):
            os.close(one)
        threading.Thread(target=self._listen, daemon=True).start()
        self.call(
            "Browser.setDownloadBehavior", behavior="allowAndName", downloadPath=str(self.downloads), eventsEnabled=True
        )
        self.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser that this object started."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)

    def _listen(self) -> None:
        rest = b""
        with os.fdopen(self._read, "rb", buffering=0) as stream:
            while part := stream.read(1 << 16):
                *messages, rest = (rest + part).split(b"\0")
                for message in map(json.loads, messages):
                    self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        with self._changed:
            name, values = message.get("method", ""), message.get("params", {})
            if "id" in message:
                self._answers[message["id"]] = message
            elif name == "Runtime.consoleAPICalled":
                self.said.append(f"{values['type']}: {[one.get('value') for one in values['args']]}")
            elif name == "Runtime.exceptionThrown":
                self.said.append(json.dumps(values["exceptionDetails"])[:2000])
            elif name == "Log.entryAdded":
                self.said.append(f"{values['entry']['level']}: {values['entry']['text']}")
            elif name == "Network.requestWillBeSent":
                self.requested.append(values["request"]["url"])
            self._events.append(name)
            self._changed.notify_all()

    def call(self, method: str, timeout: float = 60, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        self._last += 1
        mine = self._last
        message: dict[str, Any] = {"id": mine, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode("utf-8") + b"\0")
        with self._changed:
            if not self._changed.wait_for(lambda: mine in self._answers, timeout):
                raise TimeoutError(f"{method}: the browser did not answer in {timeout} s")
            answer = self._answers.pop(mine)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, path: Path) -> None:
        """Go to a file, and wait till it was loaded and drawn."""
        self.said.clear()
        self.requested.clear()
        self._events.clear()
        self.call("Page.navigate", url=path.as_uri())
        with self._changed:
            if not self._changed.wait_for(lambda: "Page.loadEventFired" in self._events, 60):
                raise TimeoutError(f"{path} was not loaded")
        self.settle()

    def settle(self) -> None:
        """Wait for two drawings: what was asked for is on the screen."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0))))")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def press(self, key: str, times: int = 1, shift: bool = False) -> None:
        """A key, as a person presses it."""
        code, text = KEYS.get(key, (ord(key[0].upper()), key))
        for _ in range(times):
            common = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)
        self.settle()

    def point(self, x: float, y: float, *path: tuple[float, float], click: bool = False) -> None:
        """Move the pointer to a place; press there and let go, or drag along a path."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        if click or path:
            press: dict[str, Any] = {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, buttons=1, **press)
            for over, down in path:
                self.call("Input.dispatchMouseEvent", type="mouseMoved", x=over, y=down, buttons=1, button="left")
            self.call(
                "Input.dispatchMouseEvent",
                type="mouseReleased",
                x=(path or [(x, y)])[-1][0],
                y=(path or [(x, y)])[-1][1],
                buttons=0,
                **press,
            )
        self.settle()

    def middle(self, selector: str) -> tuple[float, float]:
        """Scroll to an element; where its middle is now."""
        x, y = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center', behavior: 'instant'}); const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2] })()"
        )
        return x, y

    def click(self, selector: str) -> None:
        """Scroll to an element and click its middle."""
        self.point(*self.middle(selector), click=True)

    def choose(self, selector: str, value: str) -> None:
        """Another option of a select."""
        self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.value = {json.dumps(value)};"
            "if (one.selectedIndex < 0) throw new Error('no such option'); one.dispatchEvent(new Event('change', {bubbles: true})) })()"
        )
        self.settle()

    def size(self, width: int, height: int, phone: bool = False) -> None:
        """Another window."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.settle()

    def scheme(self, name: str) -> None:
        """``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        self.settle()

    def wait(self, script: str, seconds: float = 5) -> None:
        """Wait till an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            if time.monotonic() > end:
                raise AssertionError(f"never became true: {script}")
            time.sleep(0.02)
