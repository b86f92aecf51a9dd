"""Endings of file names: what is a video, an image or a list."""

from __future__ import annotations

LIST_SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl")


VIDEO_SUFFIXES = frozenset(
    (
        *(".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4p", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpeg", ".mpg", ".mpv", ".mts", ".ogg", ".ogv", ".qt", ".swf", ".ts", ".vob", ".webm"),
        ".wmv",
    )
)


# Clips of one frame, which lists and cards may name; image files in a folder are not clips.
PICTURE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp"))
