"""File names and addresses from foreign text."""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

from reelpack.core.errors import ClipError

NAME_BYTES = 255


def safe_name(text: str) -> str:
    """Turn an id from a list into one file name; different ids give different names.

    Letters, digits, `_`, `.` and `-` stay as they are, except a leading `.` or `-`. All other
    characters (spaces, `$`, `%`, quotes, a leading dash, letters that are not in Unicode's
    composed form ...) become `%XX` of their UTF-8 bytes. No honest id has a path separator, a
    control character or more than 255 bytes, so these are refused.

    Raises:
        ClipError: refused.
    """
    if not text or text in {".", ".."}:
        raise refused(f"name {text!r} names no file")
    if has_control(text) or "/" in text or "\\" in text:
        raise refused(f"name {text!r:.120} has a path separator or a control character")
    name = "".join(_encoded(sign, first=place == 0) for place, sign in enumerate(text))
    if len(name.encode()) > NAME_BYTES:
        raise refused(f"name {text!r:.60}... is longer than {NAME_BYTES} bytes")
    return name


def has_control(text: str) -> bool:
    """Whether a text has control characters, line ends, or bytes that are no UTF-8."""
    return any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in text)


def _encoded(sign: str, *, first: bool) -> str:
    plain = sign.isalnum() or sign in "_.-"
    if plain and not (first and sign in ".-") and unicodedata.is_normalized("NFC", sign):
        return sign
    return "".join(f"%{byte:02X}" for byte in sign.encode())


def check_url(url: str) -> None:
    """See that an address is one of the web.

    Raises:
        ClipError: refused; not http or https, no host, or signs that no address has.
    """
    if any(ord(sign) <= 0x20 or ord(sign) == 0x7F for sign in url):
        raise refused(f"address {url!r:.120} has a blank or a control character")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise refused(f"address {url!r:.120}: {error}") from error
    if parts.scheme.lower() not in {"http", "https"}:
        raise refused(f"address {url!r:.120}: scheme is not http or https")
    if not host:
        raise refused(f"address {url!r:.120} has no host")


def refused(message: str) -> ClipError:
    """Return the error for input that is not acted upon because it is unsafe or beyond a limit."""
    return ClipError("refused", message)
