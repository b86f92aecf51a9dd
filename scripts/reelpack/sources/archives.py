"""fetch_archives: fetch a dataset's archives and unpack the members that are clips.

Flows in: one source of archives of a card, and the manifests of the splits that it serves. Flows out: the
members in resources/archives/{dataset}/{source}/files/ and an index, JSON of the name that a member has in
the source (see `strip_folders`) to its path there. Nothing is fetched when every clip has its file already.
An archive is removed once it is unpacked, and what is unpacked is never fetched again.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq

from reelpack.core.errors import TRANSIENT_CLASSES, ClipError, UserError
from reelpack.core.files import clear_leftovers, reading, write_bytes
from reelpack.core.results import canonical, digest
from reelpack.sources.annotations import strip_folders
from reelpack.sources.archive import extract
from reelpack.sources.base import Limits
from reelpack.sources.http import fetch_http
from reelpack.sources.session import Session

FAILED = "failed"
MEMBERS = "members"


def fetch_archives(
    params: Mapping[str, Any],
    *,
    part: int,
    tables: Sequence[Path],
    folder: Path,
    index: Path,
    limits: Limits,
) -> dict[str, Any]:
    """Fetch and unpack one part of a source's archives.

    Args:
        params: fetch_archives' result, see `datasets.Dataset.archives_result`.
        part: number of this part, from 0.
        tables: shard tables of the splits that the source serves.
        folder: where archives and members go.
        index: JSON file to write: `members`, name to path below `folder`, and `failed`, address to
            what was wrong with that archive.
        limits: how long and how often to try.

    Returns:
        What was written to `index`.

    Raises:
        UserError: an archive cannot be fetched now (a later run may), or at all and no other source
            could bring the clips.
    """
    clear_leftovers(index)
    found: dict[str, Any] = {MEMBERS: {}, FAILED: {}}
    if _is_any_missing(tables):
        folder.mkdir(parents=True, exist_ok=True)
        with closing(Session(limits)) as session:
            places = _list_places(params["source"], session=session, folder=folder)
            for place in places[part :: params["parts"]]:
                try:
                    found[MEMBERS] |= _unpack(
                        place, params["source"], folder=folder, session=session
                    )
                except ClipError as error:
                    if params["is_last"] or error.failure in TRANSIENT_CLASSES:
                        raise UserError(f"{error.message} ({error.failure})") from None
                    print(f"fetch_archives: {error.message}", flush=True)
                    found[FAILED][place] = f"{error.failure}: {error.message}"
    write_bytes(index, f"{canonical(found)}\n".encode())
    return found


def _is_any_missing(tables: Sequence[Path]) -> bool:
    """Whether any clip has no file of the user's."""
    for path in tables:
        with reading(path):
            rows = pq.read_table(path, columns=["fingerprint"])["fingerprint"].to_pylist()
        if not all(rows):
            return True
    return False


def _list_places(source: Mapping[str, Any], *, session: Session, folder: Path) -> list[str]:
    """Return addresses or paths of the archives."""
    if "archive" in source:
        named = source["archive"]
        return [named] if isinstance(named, str) else list(named)
    address = source["archive_list"]
    listing = folder / f"{digest(address)}.txt"
    try:
        fetch_http([address], listing, limits=session.limits, session=session)
    except ClipError as error:
        raise UserError(f"{error.message} ({error.failure})") from None
    lines = (line.strip() for line in listing.read_text(encoding="utf-8-sig").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _unpack(
    place: str, source: Mapping[str, Any], *, folder: Path, session: Session
) -> dict[str, str]:
    """Return the members of one archive, name in the source to path below `folder`."""
    settings = {key: source.get(key) for key in ("members", "strip", "nested")}
    note = folder / f"{digest(place, settings)}.json"
    if note.exists():
        known: dict[str, str] = json.loads(note.read_bytes())
        if all((folder / path).is_file() for path in known.values()):
            return known
    archive = _fetch(place, folder=folder, session=session)
    pattern = source.get("members", "*")
    target = folder / "files" / digest(place)[:8]
    try:
        found = extract(
            archive,
            target,
            wanted=lambda name: fnmatch.fnmatchcase(name, pattern),
            nested=source.get("nested", False),
        )
    except ClipError as error:
        if archive != Path(place):
            archive.unlink()
        raise ClipError(error.failure, f"{place}: {error.message}") from error
    if not found:
        raise ClipError("missing", f"{place}: no member like {pattern!r}")
    members = {
        strip_folders(member.name, source.get("strip")): member.path.relative_to(folder).as_posix()
        for member in found
    }
    if len(members) != len(found):
        raise UserError(f"{place}: members like {pattern!r} share names; the card needs strip")
    write_bytes(note, canonical(members).encode())
    if archive != Path(place):
        archive.unlink()
    print(f"fetch_archives: {place}: {len(found)} files", flush=True)
    return members


def _fetch(place: str, *, folder: Path, session: Session) -> Path:
    """Return the archive's file; one that lies on this machine is used where it is."""
    if not place.startswith(("http://", "https://")):
        if not Path(place).is_file():
            raise ClipError("missing", f"{place}: no such archive")
        return Path(place)
    suffixes = "".join(Path(urlsplit(place).path).suffixes[-2:])
    target = folder / f"{digest(place)}{suffixes}"
    fetch_http([place], target, limits=session.limits, session=session)
    return target


class ArchiveIndex:
    """The members of a source's archives by the name that they have in the source.

    Attributes:
        failed: address of an archive to what was wrong with it.
        digest: stands for all of it.
    """

    def __init__(self, folder: Path, indexes: Sequence[Path]) -> None:
        self.folder = folder
        self._members: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        for path in indexes:
            with reading(path):
                found = json.loads(path.read_bytes())
            self._members |= found[MEMBERS]
            self.failed |= found[FAILED]
        self.digest = digest(sorted(self._members), self.failed)

    def find(self, name: str) -> Path:
        """Return the file of a member.

        Raises:
            ClipError: missing; with what failed, if an archive that may hold it did.
        """
        if name in self._members:
            return self.folder / self._members[name]
        reasons = "; ".join(self.failed.values())
        raise ClipError("missing", f"archives: no {name}" + (f" ({reasons})" if reasons else ""))
