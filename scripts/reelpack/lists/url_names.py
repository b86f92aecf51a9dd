"""The file names of videos that a list gives addresses of."""

from __future__ import annotations

import hashlib
import os
import re
from urllib.parse import unquote, urlsplit

from reelpack.config.suffixes import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from reelpack.core.errors import ClipError
from reelpack.core.names import is_too_long, safe_name

# Addresses that need no closer look: a host, perhaps a port, and characters that every address may have.
PLAIN_URL = r"(?i:https?)://[A-Za-z0-9.-]*[A-Za-z0-9](?::[0-9]{1,4})?(?:[/?#][!-~]*)?"
_PLAIN_NAME = re.compile(r"[^/]+//[^?#]*/([A-Za-z0-9_][A-Za-z0-9_.-]*)(?:[?#].*)?")
_DIGITS = 16


def name_video(url: str) -> str:
    """Return the file name of an address: `{stem}-{digest}{ending}`, from the last part of its path.

    The digest is of the whole address. So the name follows from the address alone, whatever else a
    list holds, and two addresses never share one: a file that lies there is never another video.
    Where the last part cannot be a file name, the digest stands alone; what follows `#` says nothing
    about the file.

    Args:
        url: an address that `names.check_url` passes.
    """
    address = url.partition("#")[0]
    digest = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    plain = _PLAIN_NAME.fullmatch(address)
    last = plain[1] if plain else unquote(urlsplit(address).path.rpartition("/")[2])
    stem, ending = os.path.splitext(last)  # noqa: PTH122 - a million times
    if not plain or is_too_long(last, added=1 + _DIGITS):
        stem, ending = _safe(stem, ending)
    return f"{stem}-{digest}{ending}" if stem else f"{digest}{ending}"


def _safe(stem: str, ending: str) -> tuple[str, str]:
    """Return both parts of a name as a file's, both empty where they cannot be, but for a known ending."""
    known = ending if ending.lower() in VIDEO_SUFFIXES | PICTURE_SUFFIXES else ""
    try:
        name = safe_name(stem + ending)
    except ClipError:
        return "", known
    if is_too_long(name, added=1 + _DIGITS):
        return "", known
    stem, ending = os.path.splitext(name)  # noqa: PTH122
    return stem, ending
