"""Fetch videos with yt-dlp's Python interface: YouTube, and the many sites that it knows.

yt-dlp needs a JavaScript runtime (deno, or node with the option `js_runtimes`) and the package
yt-dlp-ejs for YouTube's full list of formats. ffmpeg is used to join video and audio and to cut
sections; it is imageio-ffmpeg's program, never one that happens to be on the PATH. No external
downloader and no configuration file is used.
"""

from __future__ import annotations

import io
import math
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import yt_dlp  # type: ignore[import-untyped]
from yt_dlp.networking.exceptions import (  # type: ignore[import-untyped]
    HTTPError,
    TransportError,
)
from yt_dlp.utils import (  # type: ignore[import-untyped]
    GeoRestrictedError,
    YoutubeDLError,
    download_range_func,
    expand_path,
    remove_terminal_sequences,
)

from reelpack.core.errors import ClipError, FailureClass, UserError
from reelpack.core.files import sync
from reelpack.core.names import check_url, refused
from reelpack.sources.base import (
    Fetched,
    Limits,
    beside,
    check_no_page,
    is_disk_error,
    locked,
    shown,
    status_failure,
)

_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_MP4 = frozenset({"mp4", "m4a"})
_PROTOCOLS = frozenset({"http", "https", "http_dash_segments", "m3u8_native"})

# Parts of yt-dlp's messages, most telling first. Those that YouTube itself writes reach us through
# `reason` and `subreason` in yt_dlp/extractor/youtube/_video.py, the others are yt-dlp's own.
FAILURES: tuple[tuple[str, FailureClass], ...] = (
    (r"unsupported url|incomplete youtube id|not a valid url", "missing"),
    (r"not a bot|captcha|unusual traffic", "bot_check"),
    (
        r"rate-limited by YouTube|HTTP Error 429|Too Many Requests|available, try again later",
        "rate_limited",
    ),
    (r"confirm your age|age.restricted|inappropriate for some users", "age"),
    (
        r"(not|n't) (made this video |been made )?available (in|from) your (country|location|region)"
        r"|blocked it in your country|geo.?restrict|not available in your country",
        "geo",
    ),
    (
        r"live event will begin|premieres? (in|will begin)|live event has not started"
        r"|not currently live|processing this video",
        "missing",
    ),
    (
        r"private video|video is private|members.only|available to this channel's members"
        r"|join this channel|music premium|requires payment|purchase|rental|sign in|log ?in"
        r"|registered users|account.{0,20}required|drm protected",
        "private",
    ),
    (
        r"has been terminated|been removed|no longer available|does not exist|has been deleted"
        r"|copyright|live event has ended|recording is not available|violat|video is not available"
        r"|video is unavailable|video unavailable|content isn't available",
        "gone",
    ),
    (r"unable to download video data: HTTP Error 403", "network"),
    (r"requested format is not available|no video formats|only images are available", "missing"),
)
# These tell less than a status that stands beside them.
_VAGUE: tuple[tuple[str, FailureClass], ...] = (
    (r"timed? ?out", "timeout"),
    (
        r"content too short|bytes read, \d+ more expected|failed to resolve|connection|fragment \d+"
        r"|failed to extract any player response|error occurred|something went wrong",
        "network",
    ),
)
_STATUS = re.compile(r"HTTP Error (\d{3})")


def fetch_youtube(
    video: str,
    destination: Path,
    *,
    wanted_side: int | None,
    audio: bool = False,
    section: tuple[float, float] | None = None,
    options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
) -> Fetched:
    """Fetch one video.

    The file grows in a hidden folder beside its destination and gets its name by a rename; its
    container is what the site has, whatever the ending of `destination`. A killed run is resumed.

    Args:
        video: a YouTube id (11 signs), or the http(s) address of a page or file.
        wanted_side: shorter side in pixels that is needed; the smallest stream that has it is
            taken, the largest one where none has it. None for the largest.
        audio: whether sound is needed; video alone is smaller.
        section: fetch the seconds from `start` to before `end` only, see `_section`.
        options: see `ydl_options`.

    Returns:
        Its `resumed_bytes` are those that an earlier run had left.

    Raises:
        ClipError: the class that `classify` reads from yt-dlp's answer.
        UserError: an option that is not known, or its value is of no use.
    """
    limits = limits or Limits()
    address = _address(video)
    if destination.is_file():
        size = destination.stat().st_size
        return Fetched(destination, size, size, 0, None)
    lock = beside(destination, "lock")
    with locked(lock, seconds=limits.total_seconds):
        try:
            if destination.is_file():
                size = destination.stat().st_size
                return Fetched(destination, size, size, 0, None)
            run = _Run(address, destination, limits)
            settings = ydl_options(options or {})
            choose = _chooser(wanted_side, audio=audio, cuttable=section is not None)
            return run.fetch(settings | {"format": choose} | _section(section))
        finally:
            lock.unlink(missing_ok=True)


def _address(video: str) -> str:
    if _VIDEO_ID.fullmatch(video):
        return f"https://www.youtube.com/watch?v={video}"
    if "://" not in video:
        raise refused(f"{video!r:.120} is neither a YouTube id (11 signs) nor an http(s) address")
    check_url(video)
    return video


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


def _section(section: tuple[float, float] | None) -> dict[str, Any]:
    """Return yt-dlp's options for fetching a part.

    ffmpeg copies the packets from the keyframe before the start; in an mp4 an edit list hides what
    lies before, so that a player, and PyAV, show the pictures of the window from second 0 on. What
    is saved is the part outside; what is lost is resuming, and the file is no longer the one that
    was published: a clip's times within it count from the start of the section.
    """
    if section is None:
        return {}
    start, end = section
    if not 0 <= start < end:
        raise refused(f"section {start:g} to {end:g}: seconds must be from 0 on and in order")
    return {"download_ranges": download_range_func(None, [(start, end)])}


def choose_format(
    formats: Iterable[Mapping[str, Any]], *, wanted_side: int | None, audio: bool
) -> list[Mapping[str, Any]]:
    """Choose the smallest streams that serve; the same list gives the same choice in any order.

    Args:
        formats: yt-dlp's format dictionaries.
        wanted_side: shorter side in pixels; None for the largest.

    Returns:
        One stream, or a video stream and an audio stream to be joined; empty when none has video.
    """
    usable = [each for each in formats if each.get("protocol") in _PROTOCOLS]
    videos = [each for each in usable if each.get("vcodec") != "none"]
    if not audio:
        return _best(videos, wanted_side)
    sounds = sorted((each for each in usable if _is_sound(each)), key=_weight)
    whole = [each for each in videos if each.get("acodec") != "none"]
    single, silent = _best(whole, wanted_side), _best(videos, wanted_side)
    if not sounds or (single and _side(single[0]) == _side(silent[0])):
        return single
    return [*silent, sounds[0]] if silent and silent[0].get("acodec") == "none" else single


def _best(videos: list[Mapping[str, Any]], wanted_side: int | None) -> list[Mapping[str, Any]]:
    if wanted_side is not None and (enough := [v for v in videos if _side(v) >= wanted_side]):
        return [min(enough, key=lambda video: (_side(video), *_weight(video)))]
    return [min(videos, key=lambda video: (-_side(video), *_weight(video)))] if videos else []


def _is_sound(stream: Mapping[str, Any]) -> bool:
    return stream.get("vcodec") == "none" and stream.get("acodec") != "none"


def _side(stream: Mapping[str, Any]) -> int:
    """Return the shorter side in pixels, 0 when unknown."""
    sides = [stream[key] for key in ("width", "height") if stream.get(key)]
    return int(min(sides)) if sides else 0


def _weight(stream: Mapping[str, Any]) -> tuple[int, float, str]:
    """Order streams of one size: plain files before fragments, then by bytes, then by name."""
    is_fragmented = stream.get("protocol") not in {"http", "https"}
    size = stream.get("filesize") or stream.get("filesize_approx") or stream.get("tbr")
    return int(is_fragmented), float(size or math.inf), str(stream.get("format_id"))


def _chooser(
    wanted_side: int | None, *, audio: bool, cuttable: bool
) -> Callable[[Any], Iterator[dict[str, Any]]]:
    """Wrap `choose_format` as yt-dlp wants a format selector to be.

    Of a part only mp4 will do: its edit list hides the pictures before the start, which a copy
    from the keyframe on brings along, where other containers would show them.
    """

    def select(context: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        formats = [each for each in context["formats"] if not cuttable or each.get("ext") in _MP4]
        chosen = choose_format(formats, wanted_side=wanted_side, audio=audio)
        if len(chosen) == 2:
            video, sound = chosen
            yield {
                "format_id": f"{video['format_id']}+{sound['format_id']}",
                "ext": "mp4" if cuttable else "mkv",
                "protocol": f"{video['protocol']}+{sound['protocol']}",
                "requested_formats": [dict(video), dict(sound)],
            }
        elif chosen:
            yield dict(chosen[0])

    return select


class _Log:
    """Takes yt-dlp's lines instead of the terminal, and counts what they tell."""

    def __init__(self) -> None:
        self.retries = 0
        self.resumed = 0

    def debug(self, line: str) -> None:
        self.retries += "Retrying (" in line
        if match := re.search(r"Resuming download at byte (\d+)", line):
            self.resumed = int(match[1])

    info = warning = error = debug


class _Run:
    """One video's download in its own hidden folder."""

    def __init__(self, address: str, destination: Path, limits: Limits) -> None:
        self.address = address
        self.destination = destination
        self.limits = limits
        self.folder = beside(destination, "video")
        self.log = _Log()
        self.deadline = time.monotonic() + limits.total_seconds

    def fetch(self, options: dict[str, Any]) -> Fetched:
        if expand_path(str(self.folder)) != str(self.folder):
            raise UserError(f"{self.folder.parent}: yt-dlp cannot write where a name has $ or ~")
        self.folder.mkdir(exist_ok=True)
        with _classified(shown(self.address)), yt_dlp.YoutubeDL(self._fixed() | options) as ydl:
            info = ydl.extract_info(self.address, download=True)
        path = self._result(info)
        check_no_page(path, named=self.destination, address=shown(self.address))
        size = path.stat().st_size
        self._check(size)
        sync(path)
        path.replace(self.destination)
        shutil.rmtree(self.folder)
        return Fetched(self.destination, size, self.log.resumed, 1 + self.log.retries, None)

    def _fixed(self) -> dict[str, Any]:
        """Return what is the same for every video."""
        tries = self.limits.attempts - 1
        return {
            "paths": {"home": str(self.folder)},
            # The format is in the name: the bytes of one stream must not go on with another's.
            "outtmpl": {"default": "%(format_id)s.%(ext)s"},
            "restrictfilenames": True,
            "logger": self.log,
            "quiet": True,
            "noprogress": True,
            "color": "never",
            "cachedir": False,
            "noplaylist": True,
            "playlist_items": "1",
            "updatetime": False,
            "overwrites": False,
            "check_formats": None,
            "retries": tries,
            "fragment_retries": tries,
            "extractor_retries": tries,
            "retry_sleep_functions": dict.fromkeys(
                ("http", "fragment", "extractor"), self._backoff
            ),
            "skip_unavailable_fragments": False,
            "socket_timeout": self.limits.read_seconds,
            "progress_hooks": [self._watch],
            "external_downloader": {"default": "native"},
            "hls_prefer_native": True,
            "ffmpeg_location": imageio_ffmpeg.get_ffmpeg_exe(),
            "match_filter": _no_live,
        }

    def _backoff(self, n: int) -> float:
        return min(self.limits.max_backoff_seconds, self.limits.backoff_seconds * 2.0**n)

    def _watch(self, progress: Mapping[str, Any]) -> None:
        self._check(int(progress.get("downloaded_bytes") or 0))
        self._check(int(progress.get("total_bytes") or 0))
        if time.monotonic() > self.deadline:
            raise ClipError("timeout", f"{shown(self.address)}: not done in time")

    def _check(self, size: int) -> None:
        if size > self.limits.max_bytes:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise refused(f"{shown(self.address)}: more than {self.limits.max_bytes} bytes")

    def _result(self, info: Mapping[str, Any] | None) -> Path:
        entries = (info or {}).get("entries")
        found = next(iter(entries), None) if entries is not None else info
        downloads = (found or {}).get("requested_downloads") or [{}]
        path = Path(downloads[0].get("filepath") or self.folder / "nothing")
        if not path.is_file() or path.stat().st_size == 0:
            raise ClipError("missing", f"{shown(self.address)}: yt-dlp brought no file")
        return path


def _no_live(info: Mapping[str, Any], *, incomplete: bool = False) -> str | None:  # noqa: ARG001
    """Stop before a live stream, which has no end."""
    if info.get("is_live") or info.get("live_status") in {"is_live", "is_upcoming"}:
        raise ClipError("missing", "a live event that has not ended")
    return None


@contextmanager
def _classified(place: str) -> Iterator[None]:
    """Turn yt-dlp's errors into ledger classes; errors of this machine's disk pass through."""
    try:
        yield
    except YoutubeDLError as error:
        causes = list(_causes(error))
        for cause in causes:
            if is_disk_error(cause):
                raise cause from error
        message = re.sub(r"^ERROR: ", "", remove_terminal_sequences(str(error)))
        raise ClipError(classify(message, causes), f"{place}: {message}"[:400]) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that led to it."""
    todo: list[Any] = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            inner = (getattr(cause, "exc_info", None) or (None, None))[1]
            todo += [cause.__context__, cause.__cause__, getattr(cause, "cause", None), inner]


def classify(message: str, causes: Iterable[BaseException] = ()) -> FailureClass:
    """Return the ledger class of a yt-dlp error, `missing` when nothing is known of it.

    Args:
        message: yt-dlp's line.
        causes: the exceptions that led to it.
    """
    causes = list(causes)
    if any(isinstance(cause, GeoRestrictedError) for cause in causes):
        return "geo"
    message = message.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    statuses = [cause.status for cause in causes if isinstance(cause, HTTPError)]
    statuses += [int(number) for number in _STATUS.findall(message)]
    told = _matching(FAILURES, message)
    if told is None and statuses:
        return status_failure(statuses[0])
    is_network = any(isinstance(cause, TransportError) for cause in causes)
    return told or _matching(_VAGUE, message) or ("network" if is_network else "missing")


def _matching(table: tuple[tuple[str, FailureClass], ...], message: str) -> FailureClass | None:
    found = (failure for pattern, failure in table if re.search(pattern, message, re.IGNORECASE))
    return next(found, None)
