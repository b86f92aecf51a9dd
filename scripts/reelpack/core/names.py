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
    name = "".join(_encode(character, first=place == 0) for place, character in enumerate(text))
    if is_too_long(name):
        raise refused(f"name {text!r:.60}... is longer than {NAME_BYTES} bytes")
    return name


def is_too_long(path: str, *, added: int = 0) -> bool:
    """Whether a part of a path `a/b` is longer than the 255 bytes that file systems take.

    Args:
        path: one name, or several with slashes between them.
        added: bytes that are to be added to each part.
    """
    # A character takes up to four bytes, so only long names need counting.
    if 4 * len(path) + added <= NAME_BYTES:
        return False
    sizes = (len(part.encode(errors="surrogatepass")) for part in path.split("/"))
    return any(size + added > NAME_BYTES for size in sizes)


def has_control(text: str) -> bool:
    """Whether a text has control characters, line ends, or bytes that are not UTF-8."""
    return any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in text)


def _encode(character: str, *, first: bool) -> str:
    plain = character.isalnum() or character in "_.-"
    if plain and not (first and character in ".-") and unicodedata.is_normalized("NFC", character):
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode())


def check_url(url: str) -> None:
    """See that an address is one of the web.

    Raises:
        ClipError: refused; not http or https, no host, or characters that no address has.
    """
    if any(ord(each) <= 0x20 or ord(each) == 0x7F for each in url):
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
