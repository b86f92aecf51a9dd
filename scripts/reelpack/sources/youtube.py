"""Fetch videos with yt-dlp's Python interface: YouTube, and the many sites that it knows.

yt-dlp needs a JavaScript runtime (deno, or node with the option `js_runtimes`) and the package
yt-dlp-ejs for YouTube's full list of formats. ffmpeg is used to join video and audio and to cut
sections; it is imageio-ffmpeg's program, never one that happens to be on the PATH. No external
downloader and no configuration file is used.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import yt_dlp  # type: ignore[import-untyped]
from yt_dlp.utils import download_range_func, expand_path  # type: ignore[import-untyped]

from reelpack.core.errors import ClipError, UserError
from reelpack.core.files import sync
from reelpack.core.names import check_url, refused
from reelpack.sources.base import Fetched, Limits, beside, check_no_page, hide_secrets, locked
from reelpack.sources.youtube_errors import classifying
from reelpack.sources.youtube_formats import Needed, format_selector
from reelpack.sources.youtube_options import ydl_options

_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}")


def fetch_youtube(
    video: str,
    destination: Path,
    needed: Needed,
    *,
    options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
) -> Fetched:
    """Fetch one video.

    The file grows in a hidden folder beside its destination and gets its name by a rename; its
    container is what the site has, whatever the ending of `destination`. A killed run is resumed.

    Args:
        video: a YouTube id (11 characters), or the http(s) address of a page or file.
        needed: its shorter side, sound and section.
        options: see `ydl_options`.

    Returns:
        Its `resumed_bytes` are those that an earlier run had left.

    Raises:
        ClipError: the class that `youtube_errors.classify` reads from yt-dlp's answer.
        UserError: an option that is not known, or its value is of no use.
    """
    limits = limits or Limits()
    address = _address(video)
    if fetched := _here(destination):
        return fetched
    lock = beside(destination, "lock")
    with locked(lock, seconds=limits.total_seconds):
        try:
            if fetched := _here(destination):
                return fetched
            settings = ydl_options(options or {})
            chosen = {"format": format_selector(needed)} | _section(needed.section)
            return _Run(address, destination, limits).fetch(settings | chosen)
        finally:
            lock.unlink(missing_ok=True)


def _here(destination: Path) -> Fetched | None:
    if not destination.is_file():
        return None
    size = destination.stat().st_size
    return Fetched(destination, size, size, 0, None)


def _address(video: str) -> str:
    if _VIDEO_ID.fullmatch(video):
        return f"https://www.youtube.com/watch?v={video}"
    if "://" not in video:
        raise refused(
            f"{video!r:.120} is neither a YouTube id (11 characters) nor an http(s) address"
        )
    check_url(video)
    return video


def _section(section: tuple[float, float] | None) -> dict[str, Any]:
    """Return yt-dlp's options for fetching a part.

    ffmpeg copies the packets from the keyframe before the start; in an mp4 an edit list hides what
    lies before, so that a player, and PyAV, show the frames of the window from second 0 on. What
    is saved is the part outside; what is lost is resuming, and the file is no longer the one that
    was published: a clip's times within it count from the start of the section.
    """
    if section is None:
        return {}
    start, end = section
    if not 0 <= start < end:
        raise refused(f"section {start:g} to {end:g}: seconds must be from 0 on and in order")
    return {"download_ranges": download_range_func(None, [(start, end)])}


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
        with (
            classifying(hide_secrets(self.address)),
            yt_dlp.YoutubeDL(self._fixed() | options) as ydl,
        ):
            info = ydl.extract_info(self.address, download=True)
        path = self._result(info)
        check_no_page(path, named=self.destination, address=hide_secrets(self.address))
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
            raise ClipError("timeout", f"{hide_secrets(self.address)}: not done in time")

    def _check(self, size: int) -> None:
        if size > self.limits.max_bytes:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise refused(f"{hide_secrets(self.address)}: more than {self.limits.max_bytes} bytes")

    def _result(self, info: Mapping[str, Any] | None) -> Path:
        entries = (info or {}).get("entries")
        found = next(iter(entries), None) if entries is not None else info
        downloads = (found or {}).get("requested_downloads") or [{}]
        path = Path(downloads[0].get("filepath") or self.folder / "nothing")
        if not path.is_file() or path.stat().st_size == 0:
            raise ClipError("missing", f"{hide_secrets(self.address)}: yt-dlp brought no file")
        return path


def _no_live(info: Mapping[str, Any], *, incomplete: bool = False) -> str | None:  # noqa: ARG001
    """Stop before a live stream, which has no end."""
    if info.get("is_live") or info.get("live_status") in {"is_live", "is_upcoming"}:
        raise ClipError("missing", "a live event that has not ended")
    return None
