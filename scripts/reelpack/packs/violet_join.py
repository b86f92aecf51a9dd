"""One folder out of several VIOLET packs: a trainer wants the splits' files of one name in one file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from reelpack.core.errors import UserError
from reelpack.core.files import link_or_copy, reading, replace_file
from reelpack.packs.pickle_stream import DictWriter, read_arrays, read_texts

_PATTERNS = ("img_*.tsv", "img_*.lineidx", "img_*.pkl", "vq_*.pkl", "txt_*.json")


def join_violet(packs: Sequence[Path], target: Path) -> list[str]:
    """Write the files of all packs into `target`, files of one name joined into one.

    Dictionaries follow one another in the order of `packs`; memory holds their keys. Files already in
    `target` under these names are replaced, others stay.

    Returns:
        The names written, sorted.

    Raises:
        UserError: a folder holds none of VIOLET's files, or two packs hold the same videos or lines.
        DamagedError: a file cannot be read.
    """
    found: dict[str, list[Path]] = {}
    for pack in packs:
        files = [path for pattern in _PATTERNS for path in sorted(pack.glob(pattern))]
        if not files:
            raise UserError(
                f"{pack}: not a violet_frames or violet_vq pack; it has no {_PATTERNS[0]} or .pkl"
            )
        for path in files:
            found.setdefault(path.name, []).append(path)
    target.mkdir(parents=True, exist_ok=True)
    for name, paths in found.items():
        with replace_file(target / name) as temporary:
            if name.endswith(".pkl"):
                _join_dictionaries(paths, temporary)
            elif name.endswith(".json"):
                _join_texts(paths, temporary)
            elif len(paths) > 1:
                places = " and ".join(str(path) for path in paths)
                raise UserError(f"{places}: two packs of one split; give one of them")
            else:
                link_or_copy(paths[0], temporary)
    return sorted(found)


def _join_dictionaries(paths: Iterable[Path], target: Path) -> None:
    seen: set[str] = set()
    with target.open("wb") as stream:
        writer = DictWriter(stream)
        for path in paths:
            with reading(path), path.open("rb") as source:
                if path.name.startswith("vq_"):
                    for key, tokens in read_arrays(source):
                        _check_new(key, seen, path)
                        writer.add_array(key, tokens)
                else:
                    for key, texts in read_texts(source):
                        _check_new(key, seen, path)
                        writer.add_texts(key, texts)
        writer.close()


def _check_new(key: str, seen: set[str], path: Path) -> None:
    if key in seen:
        raise UserError(f"{path}: video {key} is in another of these packs too")
    seen.add(key)


def _join_texts(paths: Sequence[Path], target: Path) -> None:
    joined: dict[str, object] = {}
    for path in paths:
        with reading(path):
            (split,) = (content := json.loads(path.read_bytes()))
        if split in joined:
            raise UserError(f"{path}: split {split} is in another of these packs too")
        joined[split] = content[split]
    target.write_text(json.dumps(joined), encoding="utf-8")
