"""fetch_annotations: bring the published lists of a dataset.

Flows in: the card's `annotations.files`. Flows out: the files in resources/annotations/{dataset}/ and
a listing of them, by which make_manifest sees that one changed. Files that a person put there are used
as they are, and nothing is fetched in their place.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from reelpack.core.errors import ClipError, UserError
from reelpack.core.files import clear_leftovers, sha256_file, write_bytes
from reelpack.core.names import safe_name
from reelpack.core.results import canonical, digest
from reelpack.lists.fingerprints import fingerprint
from reelpack.sources.archive import extract
from reelpack.sources.base import Limits
from reelpack.sources.http import fetch_http
from reelpack.sources.session import Session

_HIDDEN = ".fetched"


def fetch_annotations(
    files: Sequence[Mapping[str, Any]],
    *,
    folder: Path,
    listing: Path,
    limits: Limits,
    access: str = "",
) -> list[str]:
    """Bring a dataset's annotation files and list them.

    Args:
        files: the card's `annotations.files`.
        folder: resources/annotations/{dataset}.
        listing: JSON file to write: file name below the folder to its fingerprint.
        limits: how long and how often to try.
        access: what the card says of how to get at the data.

    Returns:
        The names of the files.

    Raises:
        UserError: a file that a person has to bring is missing, or one cannot be fetched.
    """
    clear_leftovers(listing)
    folder.mkdir(parents=True, exist_ok=True)
    with closing(Session(limits)) as session:
        own = _find_own(folder)
        names = [
            name
            for file in files
            for name in _bring(file, folder, own, session=session, access=access)
        ]
    found = {name: fingerprint(str(folder / name)) for name in sorted(set(names))}
    write_bytes(listing, f"{canonical(found)}\n".encode())
    return list(found)


def _find_own(folder: Path) -> set[str]:
    """Return the files in the folder that no earlier run unpacked there."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix() for path in paths}
    notes = [json.loads(note.read_bytes()) for note in (folder / _HIDDEN).glob("*.json")]
    return {name for name in names if not name.startswith(".")} - {
        n for note in notes for n in note
    }


def _bring(
    file: Mapping[str, Any], folder: Path, own: set[str], *, session: Session, access: str
) -> list[str]:
    """Return the names of one entry's files once they are there."""
    if "path" in file:
        found = _find_listed(file, folder, access)
        return _unpack_own(folder / found[0], file, folder) if found and "member" in file else found
    urls = [file["url"]] if isinstance(file["url"], str) else list(file["url"])
    if "member" not in file:
        name = _file_name(urls[0])
        if name not in own or "sha256" in file:
            target = folder / name
            _fetch(urls, target, by_hand=target, sha256=file.get("sha256"), session=session)
        return [name]
    return _fetch_and_unpack(file, urls, folder, own, session=session)


def _find_listed(file: Mapping[str, Any], folder: Path, access: str) -> list[str]:
    names = [file["path"]] if isinstance(file["path"], str) else list(file["path"])
    found = [name for name in names if (folder / name).is_file()]
    if found or file.get("optional"):
        return found[:1]
    raise UserError(
        f"{folder}: put {' or '.join(names)} there; it cannot be downloaded"
        + (f". {access}" if access else "")
    )


def _unpack_own(archive: Path, file: Mapping[str, Any], folder: Path) -> list[str]:
    """Return the wanted members of an archive that lies there and stays, unpacked."""
    note = folder / _HIDDEN / f"{digest(dict(file), fingerprint(str(archive)))}.json"
    if names := _read_note(note, folder):
        return names
    names = _move_members(archive, folder, file, is_fetched=False)
    write_bytes(note, canonical(names).encode())
    return names


def _read_note(note: Path, folder: Path) -> list[str]:
    """Return the members that were unpacked before, if all are still there."""
    names: list[str] = json.loads(note.read_bytes()) if note.exists() else []
    return names if all((folder / name).is_file() for name in names) else []


def _file_name(url: str) -> str:
    try:
        return safe_name(PurePosixPath(unquote(urlsplit(url).path)).name)
    except ClipError as error:
        raise UserError(f"annotations: {url}: {error.message}") from None


def _fetch(
    urls: Sequence[str], target: Path, *, by_hand: Path, sha256: str | None, session: Session
) -> None:
    try:
        done = fetch_http(urls, target, sha256=sha256, limits=session.limits, session=session)
    except ClipError as error:
        raise UserError(
            f"{error.message} ({error.failure}); or put the file there by hand: {by_hand}"
        ) from None
    print(f"fetch_annotations: {target.name}: {done.bytes} bytes", flush=True)


def _fetch_and_unpack(
    file: Mapping[str, Any], urls: Sequence[str], folder: Path, own: set[str], *, session: Session
) -> list[str]:
    """Return the wanted members of an archive, unpacked; those that lie there by hand come first."""
    last = PurePosixPath(file["member"]).name
    brought = sorted(name for name in own if fnmatch.fnmatch(PurePosixPath(name).name, last))
    note = folder / _HIDDEN / f"{digest(dict(file))}.json"
    if names := _read_note(note, folder):
        return names
    if brought and not note.exists():
        print(f"fetch_annotations: {', '.join(brought[:5])}: already there", flush=True)
        return brought
    by_hand = folder / _file_name(urls[0])
    if by_hand.is_file():
        _check_sum(by_hand, file.get("sha256"))
        return _unpack_own(by_hand, file, folder)
    archive = folder / _HIDDEN / by_hand.name
    archive.parent.mkdir(exist_ok=True)
    _fetch(urls, archive, by_hand=by_hand, sha256=file.get("sha256"), session=session)
    names = _move_members(archive, folder, file, is_fetched=True)
    write_bytes(note, canonical(names).encode())
    archive.unlink()
    return names


def _check_sum(archive: Path, sha256: str | None) -> None:
    if sha256 is not None and (found := sha256_file(archive)) != sha256:
        raise UserError(f"{archive}: its SHA-256 is {found}, and must be {sha256}")


def _move_members(
    archive: Path, folder: Path, file: Mapping[str, Any], *, is_fetched: bool
) -> list[str]:
    """Unpack the wanted members; a fetched archive that is damaged goes, to be fetched again."""
    pattern = file["member"]
    raw = folder / _HIDDEN / "members"
    try:
        members = extract(archive, raw, wanted=lambda name: fnmatch.fnmatchcase(name, pattern))
    except ClipError as error:
        if is_fetched:
            archive.unlink()
        raise UserError(f"{archive}: {error.message}") from None
    if not members:
        raise UserError(f"{archive}: no member like {pattern!r}")
    names = {strip_folders(member.name, file.get("strip")): member.path for member in members}
    if len(names) != len(members):
        raise UserError(f"{archive}: members like {pattern!r} share names; the card needs strip")
    for name, path in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.replace(folder / name)
    return sorted(names)


def strip_folders(name: str, folders: int | None) -> str:
    """Return a member's name less its first folders, all of them where no number is given."""
    parts = PurePosixPath(name).parts
    return "/".join(parts[-1:] if folders is None else parts[min(folders, len(parts) - 1) :])
