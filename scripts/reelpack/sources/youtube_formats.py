"""Which of a site's streams to fetch: the smallest that serve."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MP4 = frozenset({"mp4", "m4a"})
_PROTOCOLS = frozenset({"http", "https", "http_dash_segments", "m3u8_native"})


@dataclass(frozen=True)
class Needed:
    """What is needed of a video.

    Attributes:
        wanted_side: shorter side in pixels; the smallest stream that has it is taken, the largest
            one where none has it. None for the largest.
        audio: whether sound is needed; video alone is smaller.
        section: fetch the seconds from `start` to before `end` only; None for all.
    """

    wanted_side: int | None
    audio: bool = False
    section: tuple[float, float] | None = None


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


def format_selector(needed: Needed) -> Callable[[Any], Iterator[dict[str, Any]]]:
    """Wrap `choose_format` as yt-dlp wants a format selector to be.

    Of a part only mp4 will do: its edit list hides the frames before the start, which a copy
    from the keyframe on brings along, where other containers would show them.
    """

    is_part = needed.section is not None

    def select(context: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        formats = [each for each in context["formats"] if not is_part or each.get("ext") in _MP4]
        chosen = choose_format(formats, wanted_side=needed.wanted_side, audio=needed.audio)
        if len(chosen) == 2:
            video, sound = chosen
            yield {
                "format_id": f"{video['format_id']}+{sound['format_id']}",
                "ext": "mp4" if is_part else "mkv",
                "protocol": f"{video['protocol']}+{sound['protocol']}",
                "requested_formats": [dict(video), dict(sound)],
            }
        elif chosen:
            yield dict(chosen[0])

    return select
