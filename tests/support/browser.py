"""A page as a browser sees it: headless Chromium, driven over WebDriver (W3C) with nothing but HTTP."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def require_chromium() -> None:
    """Skip where there is no Chromium; fail instead where REELPACK_REQUIRE_CHROMIUM=1."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        reason = f"no {' and no '.join(missing)} (Debian: chromium, chromium-driver)"
        (pytest.fail if os.environ.get("REELPACK_REQUIRE_CHROMIUM") == "1" else pytest.skip)(reason)


class Page:
    """An open page."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._open = ""

    def open(self, path: Path) -> None:
        self._open = path.resolve().as_uri()
        _call(f"{self._address}/url", {"url": self._open})

    def resize(self, width: int) -> None:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        order = {"cmd": "Emulation.setDeviceMetricsOverride", "params": size}
        _call(f"{self._address}/goog/cdp/execute", order)

    def run(self, script: str) -> Any:
        return _call(f"{self._address}/execute/sync", {"script": script, "args": []})

    def table(self, selector: str) -> list[dict[str, str]]:
        """Return the rows of a table by its headings."""
        script = f"""
            const table = document.querySelector({json.dumps(selector)});
            const heads = [...table.querySelectorAll("thead th")].map(cell => cell.textContent);
            return [...table.querySelectorAll("tbody tr")].map(row => Object.fromEntries(
                [...row.children].map((cell, number) => [heads[number], cell.textContent])));"""
        return self.run(script)

    def console(self) -> list[str]:
        """Return what the page's console holds since the last call."""
        return [row["message"] for row in self._log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses that this page asked for since the last call.

        The browser's own start page asks for things too.
        """
        events = [json.loads(row["message"])["message"] for row in self._log("performance")]
        sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [event["request"]["url"] for event in sent if event["documentURL"] == self._open]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        return _call(f"{self._address}/se/log", {"type": kind})


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start Chromium with a profile folder of its own."""
    driver = subprocess.Popen(
        ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        port = _port(driver)
        options = {
            "args": [*_FLAGS, f"--user-data-dir={profile}"],
            "binary": shutil.which("chromium"),
        }
        wanted = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        root = f"http://127.0.0.1:{port}/session"
        session = _call(root, {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        try:
            yield Page(f"{root}/{session}")
        finally:
            _call(f"{root}/{session}", None, method="DELETE")
    finally:
        driver.terminate()
        driver.communicate()


def _port(driver: subprocess.Popen[str]) -> int:
    for line in driver.stdout or ():
        if "started successfully on port" in line:
            return int(line.rstrip(".\n").rsplit(" ", 1)[1])
    raise RuntimeError("chromedriver did not start")


def _call(address: str, body: Any, *, method: str = "POST") -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, method=method)
    # Not through a proxy: the driver is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)["value"]
