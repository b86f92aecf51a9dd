"""Packs and frame trees in detectron2's catalogue, under the names of github rakhimovv/lvt.

detectron2 comes from conda-forge or from source; nothing else here needs it. The published code has a
catalogue of its own of the same kind, which holds the published names already: give its two classes as
`catalogues`, and `replace=True`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from reelpack.core.errors import UserError
from reelpack.packs.lvt_codes import LvtVideos

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp"})
Entries = list[dict[str, Any]]

# What names of lists of videos end in; under other names lie lists of pictures.
VIDEOS_SUFFIX = "_seq"
# Name: folder below the root.
PUBLISHED: Mapping[str, str] = {
    f"{name}_{split}{suffix}": f"{folder}/{split}"
    for name, folder in (("bair", "bair"), ("kinetics", "kinetics600"))
    for split in ("train", "test")
    for suffix in ("", VIDEOS_SUFFIX)
}


class Catalogues(NamedTuple):
    """`DatasetCatalog` and `MetadataCatalog`, of detectron2 or of the published code."""

    datasets: Any
    metadata: Any


def list_frame_videos(root: Path, *, classes: Mapping[str, int] | None = None) -> Entries:
    """List the videos of a frame tree: every folder that holds pictures alone.

    Args:
        root: the tree, or a pack of frames.
        classes: number of each class folder, for trees that have them above the videos.

    Returns:
        `video_root`, `image_names` in the order of their numbers, `video_idx` (the rank of the
        folder's path, which is the video's number in a pack of the tree's codes) and, with
        `classes`, `class`.

    Raises:
        UserError: no such folder, or a class folder without a number.
    """
    entries: Entries = []
    for folder, names in _find_picture_folders(root):
        entry = {"video_root": str(folder), "image_names": names, "video_idx": len(entries)}
        entries.append(entry | _number_class(folder.parent.name, classes))
    return entries


def list_frame_images(root: Path, *, classes: Mapping[str, int] | None = None) -> Entries:
    """List the pictures of a frame tree: `image_path` and, with `classes`, `class`."""
    return [
        {"image_path": str(folder / name)} | _number_class(folder.parent.name, classes)
        for folder, names in _find_picture_folders(root)
        for name in names
    ]


def list_pack_videos(pack: Path, *, classes: Mapping[str, int] | None = None) -> Entries:
    """List the videos of an `lvt_codes` pack.

    Args:
        pack: the pack's folder.
        classes: number of each class folder, for packs that have them.

    Returns:
        The same keys as the published code's two kinds of lists of codes: `video_path`,
        `latent_paths`; `video_root`, `latent_names`; `video_idx`; and, with `classes`, `class`.

    Raises:
        UserError: no such pack, or a class folder without a number.
    """
    try:
        videos = LvtVideos(pack)
    except (OSError, ValueError) as error:
        raise UserError(f"{pack}: not a pack of codes: {error}") from error
    entries: Entries = []
    for number in range(len(videos)):
        video = videos.video(number)
        folder = pack / video.folder
        names = [f"{frame}.npy" for frame in range(video.frames)]
        entry = {
            "video_path": str(folder),
            "latent_paths": [str(folder / name) for name in names],
            "video_root": str(folder),
            "latent_names": names,
            "video_idx": number,
        }
        entries.append(entry | _number_class(folder.parent.name, classes))
    return entries


def register(
    name: str,
    entries: Callable[[], Entries],
    *,
    root: Path,
    catalogues: Catalogues | None = None,
    replace: bool = False,
) -> None:
    """Put a list under a name; it is made when it is asked for.

    Args:
        name: what configurations call it.
        entries: gives the list.
        root: folder of the data, kept as metadata.
        catalogues: where to, by default detectron2's.
        replace: take what has the name out first.

    Raises:
        UserError: detectron2 cannot be imported, or the name is taken.
    """
    catalogues = catalogues or _import_detectron2()
    if replace:
        _forget(name, catalogues)
    try:
        catalogues.datasets.register(name, entries)
        catalogues.metadata.get(name).set(root=str(root))
    except AssertionError as error:
        raise UserError(f"{name}: {error}") from error


def register_published(
    root: Path,
    *,
    classes: Mapping[str, int] | None = None,
    catalogues: Catalogues | None = None,
    replace: bool = False,
) -> list[str]:
    """Put the frame trees that are there under their published names.

    Args:
        root: holds `bair/{train,test}` and `kinetics600/{train,test}`, or some of them.
        classes: number of each class folder of Kinetics.
        catalogues: where to, by default detectron2's.
        replace: take what has the names out first.

    Returns:
        The names.

    Raises:
        UserError: none is there, detectron2 cannot be imported, or a name is taken.
    """
    done = [name for name, place in PUBLISHED.items() if (root / place).is_dir()]
    if not done:
        raise UserError(f"{root}: has none of {', '.join(sorted(set(PUBLISHED.values())))}")
    for name in done:
        known = classes if name.startswith("kinetics") else None
        tree = root / PUBLISHED[name]
        entries = _defer(_choose_lister(name), tree, known)
        register(name, entries, root=tree.parent, catalogues=catalogues, replace=replace)
    return done


def register_frames(
    name: str,
    tree: Path,
    *,
    classes: Mapping[str, int] | None = None,
    catalogues: Catalogues | None = None,
    replace: bool = False,
) -> None:
    """Put a frame tree, or a pack of frames, under a name.

    Args:
        name: such as `bair_train`, for its pictures, or `bair_train_seq`, for its videos.
        tree: the folder.
        classes: number of each class folder, for trees that have them above the videos.
        catalogues: where to, by default detectron2's.
        replace: take what has the name out first.

    Raises:
        UserError: detectron2 cannot be imported, or the name is taken.
    """
    entries = _defer(_choose_lister(name), tree, classes)
    register(name, entries, root=tree, catalogues=catalogues, replace=replace)


def register_pack(
    name: str,
    pack: Path,
    *,
    classes: Mapping[str, int] | None = None,
    catalogues: Catalogues | None = None,
    replace: bool = False,
) -> None:
    """Put an `lvt_codes` pack under a name, such as `prdvqvae_train` or `kdvqvae_test`.

    Args:
        name: what configurations call it.
        pack: the folder.
        classes: number of each class folder, for packs that have them.
        catalogues: where to, by default detectron2's.
        replace: take what has the name out first.

    Raises:
        UserError: detectron2 cannot be imported, or the name is taken.
    """
    entries = _defer(list_pack_videos, pack, classes)
    register(name, entries, root=pack, catalogues=catalogues, replace=replace)


def _choose_lister(name: str) -> Callable[..., Entries]:
    return list_frame_videos if name.endswith(VIDEOS_SUFFIX) else list_frame_images


def _defer(
    lister: Callable[..., Entries], folder: Path, classes: Mapping[str, int] | None
) -> Callable[[], Entries]:
    return lambda: lister(folder, classes=classes)


def _import_detectron2() -> Catalogues:
    try:
        data = import_module("detectron2.data")
    except ImportError as error:
        raise UserError(f"detectron2 cannot be imported: {error}") from error
    return Catalogues(data.DatasetCatalog, data.MetadataCatalog)


def _forget(name: str, catalogues: Catalogues) -> None:
    # detectron2's catalogues are mappings; the published code's are classes around one.
    for catalogue, table in zip(catalogues, ("_REGISTERED", "_NAME_TO_META"), strict=True):
        getattr(catalogue, table, catalogue).pop(name, None)


def _find_picture_folders(root: Path) -> list[tuple[Path, list[str]]]:
    """List the folders with pictures alone, sorted by path, with the pictures' names."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder of frames")
    found = []
    for place, folders, files in os.walk(root):
        names = [name for name in files if not name.startswith(".")]
        if names and not folders and all(Path(n).suffix.lower() in PICTURES for n in names):
            found.append((Path(place), sorted(names, key=_natural)))
    # As packs sort clips: `a-b/c` before `a/c`, where a walk in order of names has it behind.
    return sorted(found, key=lambda video: os.fsencode(video[0]))


def _number_class(folder: str, classes: Mapping[str, int] | None) -> dict[str, int]:
    if classes is None:
        return {}
    if folder not in classes:
        raise UserError(f"class folder {folder!r} has no number")
    return {"class": classes[folder]}


def _natural(name: str) -> list[tuple[int, str]]:
    """Order numbers in a name by their value."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
