"""Weights of published models: fetched, and checked before they get their final name.

A file's checksum is kept beside it (see `core.checksums`): conversion opens only a file that still
has it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reelpack.config.weights_registry import WeightsEntry
from reelpack.core.checksums import checksum_file, keep_checksum, read_checksum
from reelpack.core.errors import ClipError, UserError
from reelpack.core.files import clear_leftovers, replace_file, sha256_file
from reelpack.core.results import digest
from reelpack.sources.base import Limits
from reelpack.sources.http import fetch_http


def fetch_weights(entry: WeightsEntry, destination: Path, *, limits: Limits | None = None) -> str:
    """Bring a weights file to `destination`, whole and with the right checksum, or not at all.

    A file that is there and has the right checksum is kept. Where the registry has no checksum, the
    one recorded beside the file at its first fetch must hold ever after. A download that was cut
    short is resumed, by a later run too.

    Args:
        entry: row of the registry; its `path` is taken instead of its `url` (http, https or file).
        destination: the file's final name.
        limits: how long and how often to try.

    Returns:
        The file's SHA-256, 64 hexadecimal digits.

    Raises:
        UserError: wrong checksum, missing local file, or the server does not give the file.
    """
    clear_leftovers(destination)
    expected = entry.sha256 or read_checksum(destination)
    if destination.is_file() and expected and sha256_file(destination) == expected:
        keep_checksum(destination, expected)
        return expected
    source = entry.path or _local_path(entry.url)
    if source is None:
        return _download(entry, destination, expected=expected, limits=limits)
    if not source.is_file():
        raise UserError(f"{source}: no such file of weights")
    with replace_file(destination) as temporary:
        shutil.copyfile(source, temporary)
        found = sha256_file(temporary)
        if expected and found != expected:
            advice = _advise(entry, destination)
            raise UserError(f"{source}: sha256 is {found}, not {expected}; {advice}")
        # Kept first: a kill between the two renames leaves a sum without a file, never a file that
        # was not checked.
        keep_checksum(destination, found)
    return found


def _local_path(url: str) -> Path | None:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme in ("http", "https"):
        return None
    raise UserError(f"{url}: unknown kind of address; allowed: http, https, file")


def _download(
    entry: WeightsEntry, destination: Path, *, expected: str, limits: Limits | None
) -> str:
    # Under a name of its address: whole, but not yet known to be the file that is wanted.
    fetched = destination.with_name(f".{digest(entry.url)}.fetched")
    try:
        fetch_http([entry.url], fetched, sha256=expected or None, limits=limits)
    except ClipError as error:
        is_other_file = expected and error.failure == "corrupt"
        mirror = "config.yaml may name a mirror or a local file under weights:"
        advice = _advise(entry, destination) if is_other_file else mirror
        raise UserError(f"{entry.url}: cannot be fetched ({error.message}); {advice}") from error
    found = expected or sha256_file(fetched)
    keep_checksum(destination, found)
    fetched.replace(destination)
    return found


def _advise(entry: WeightsEntry, destination: Path) -> str:
    """Return what to do about weights with another checksum than the expected one."""
    if entry.sha256:
        return f"the expected sum of weights {entry.name} is the registry's"
    kept = checksum_file(destination)
    return f"the expected sum is that of the first fetch (delete {kept} to take the new file)"
