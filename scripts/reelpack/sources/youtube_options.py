"""A dataset's download options as yt-dlp's."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reelpack.core.errors import UserError


def ydl_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a dataset's download options into yt-dlp's; nothing else is passed through.

    Args:
        options: `cookies` (file in Netscape format; read, never written), `proxy` (URL),
            `bytes_per_second`, `sleep_requests_seconds` (between requests of one video),
            `sleep_seconds` and `max_sleep_seconds` (before each download, random between them),
            `cache` (folder for YouTube's player code), `js_runtimes` and `player_clients` (lists).

    Raises:
        UserError: one line that names the option and what is allowed.
    """
    unknown = sorted(options.keys() - _OPTIONS.keys())
    if unknown:
        raise UserError(
            f"youtube: unknown option {', '.join(map(repr, unknown))};"
            f" allowed: {', '.join(sorted(_OPTIONS))}"
        )
    result: dict[str, Any] = {}
    for name, value in options.items():
        key, convert = _OPTIONS[name]
        try:
            result[key] = convert(value)
        except (TypeError, ValueError, OSError) as error:
            raise UserError(f"youtube: option {name}: {value!r:.120}: {error}") from error
    if "max_sleep_interval" in result and "sleep_interval" not in result:
        raise UserError("youtube: option max_sleep_seconds needs sleep_seconds")
    return result


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    if not math.isfinite(value) or value <= 0:
        raise ValueError("not above 0")
    return float(value)


def _cookie_text(value: Any) -> io.StringIO:
    # yt-dlp writes cookies back to a file it was given; many jobs share the user's one.
    return io.StringIO(Path(value).read_text(encoding="utf-8"))


def _proxy(value: Any) -> str:
    if not re.fullmatch(r"(https?|socks[45][ah]?)://\S+", str(value)):
        raise ValueError("not the address of a proxy (http, https, socks4, socks5)")
    return str(value)


def _names(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(re.fullmatch(r"[a-z0-9_]+", str(v)) for v in value):
        raise ValueError("not a list of names")
    return [str(each) for each in value]


def _runtimes(value: Any) -> dict[str, dict[str, str]]:
    known = {"deno", "node", "bun", "quickjs"}
    if not set(_names(value)) <= known:
        raise ValueError(f"allowed: {', '.join(sorted(known))}")
    return {name: {} for name in _names(value)}


_OPTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "cookies": ("cookiefile", _cookie_text),
    "proxy": ("proxy", _proxy),
    "bytes_per_second": ("ratelimit", _positive),
    "sleep_requests_seconds": ("sleep_interval_requests", _positive),
    "sleep_seconds": ("sleep_interval", _positive),
    "max_sleep_seconds": ("max_sleep_interval", _positive),
    "cache": ("cachedir", str),
    "js_runtimes": ("js_runtimes", _runtimes),
    "player_clients": (
        "extractor_args",
        lambda value: {"youtube": {"player_client": _names(value)}},
    ),
}
