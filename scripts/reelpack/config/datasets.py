"""Datasets as configured: a card, own videos, or a card whose videos the user has.

Flows in: one entry of config.yaml's `datasets` and the card it names. Flows out: what make_manifest,
the downloads and trims of that dataset depend on. Only the one card is read; never a manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reelpack.config.dataset_cards import check_card, check_source
from reelpack.config.schema import check, load_yaml
from reelpack.config.stages import describe_result
from reelpack.config.suffixes import LIST_SUFFIXES
from reelpack.core.errors import UserError
from reelpack.core.state import file_state

# Own lists may hold addresses of files, and of pages that yt-dlp knows.
LIST_SOURCES: list[Mapping[str, Any]] = [{"http": True}, {"youtube": {}}]
ANNOTATIONS = Path("resources/annotations")
# Archives named by a published list are fetched by as many jobs, whatever their number is.
LIST_PARTS = 8
_ARCHIVES = frozenset({"archive", "archive_list"})


@dataclass(frozen=True)
class Archives:
    """One source of archives of a dataset; each of its parts is a job.

    Attributes:
        number: place among the card's sources.
        source: the card's mapping.
        is_last: no source stands behind it, so that a failing archive stops the run.
    """

    number: int
    source: Mapping[str, Any]
    is_last: bool

    @property
    def parts(self) -> int:
        """Number of jobs."""
        if "archive_list" in self.source:
            return LIST_PARTS
        return len(self.urls)

    @property
    def urls(self) -> list[str]:
        """Addresses or paths of the archives, empty for a published list."""
        named = self.source.get("archive", [])
        return [named] if isinstance(named, str) else list(named)


@dataclass(frozen=True)
class Dataset:
    """One dataset as configured.

    Attributes:
        videos: folder or list file, as written in card or config; for a dataset with annotations
            the folder that its clips' names lie below.
        shards: number of shards of each split that is built.
        by_split: whether rows are told apart by split (a list's column, a folder's first level).
        is_own: the config names the videos.
        trim: how clips get at their windows: virtual (no file is cut), exact or keyframe.
        transformers: video transformers that learn from its codes, by name.
        in_all: whether the target `all` builds it.
    """

    name: str
    videos: str
    shards: Mapping[str, int]
    by_split: bool
    recipes: tuple[str, ...]
    made_by: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    is_own: bool = False
    trim: str = "virtual"
    transformers: tuple[str, ...] = ()
    in_all: bool = True

    @property
    def is_list(self) -> bool:
        """Whether the clips are read from a list file."""
        return Path(self.videos).suffix.lower() in LIST_SUFFIXES

    @property
    def is_annotated(self) -> bool:
        """Whether the clips are those of published annotations."""
        return "annotations" in self.card and not self.is_list

    @property
    def windows(self) -> str:
        """What start and end mean: `inside` the clip's file, or `cut` from a longer video."""
        return str(self.card.get("windows", "inside")) if self.is_annotated else "inside"

    @cached_property
    def sources(self) -> list[Mapping[str, Any]]:
        """Where files come from, in the order of trial."""
        if self.is_list and not self.made_by:
            # Such a list names every file; only those with an address are ours to bring, or to remove.
            named = self.card.get("sources", [])
            return [s for s in named if s.get("http") is True or "youtube" in s] or LIST_SOURCES
        if not self.is_annotated:
            return []
        if self.is_own:
            return [{"folder": self.videos}]
        return list(self.card.get("sources", []))

    def sources_of(self, split: str) -> list[Mapping[str, Any]]:
        """Return the sources that serve a split."""
        return [each for each in self.sources if _serves(each, split)]

    def archives(self, split: str | None = None) -> list[Archives]:
        """Return the sources of archives, of a split or all."""
        last = len(self.sources) - 1
        return [
            Archives(number, source, number == last)
            for number, source in enumerate(self.sources)
            if _ARCHIVES & set(source) and (split is None or _serves(source, split))
        ]

    def fetched_sources(self, split: str) -> list[dict[str, Any]]:
        """Return the sources that download_shard tries; archives by their number among all."""
        found = []
        for number, source in enumerate(self.sources):
            if "folder" in source or not _serves(source, split):
                continue
            found.append({"number": number, **{k: v for k, v in source.items() if k != "splits"}})
        return found

    def archives_result(self, archives: Archives) -> dict[str, Any]:
        """Return fetch_archives' result for one source."""
        source = {k: v for k, v in archives.source.items() if k not in ("splits", "naming")}
        settings = {"source": source, "parts": archives.parts, "is_last": archives.is_last}
        return describe_result("fetch_archives", settings)

    def annotations_result(self) -> dict[str, Any]:
        """Return fetch_annotations' result, with the state of the files that a person brings."""
        files = self.card["annotations"]["files"]
        brought = [] if self.made_by else _brought(self.name, files)
        return describe_result("fetch_annotations", {"files": files, "brought": brought})

    def made_files(self) -> list[str]:
        """Return the annotation files that a rule of the workflow makes."""
        files = self.card["annotations"]["files"] if self.made_by and self.is_annotated else []
        return [str(ANNOTATIONS / self.name / file["path"]) for file in files if "path" in file]

    def manifest_result(self, split: str, *, signature: str) -> dict[str, Any]:
        """Return make_manifest's result.

        Args:
            split: of this dataset.
            signature: the state of own videos, "" where nobody watches them.

        Raises:
            UserError: as `check_videos` does.
        """
        self.check_videos()
        settings: dict[str, Any] = {
            "videos": self.videos,
            "split": split,
            "by_split": self.by_split,
            "shards": self.shards[split],
            "signature": signature,
        }
        if self.is_annotated:
            annotations = self.card["annotations"]
            settings |= {
                "annotations": {k: v for k, v in annotations.items() if k != "files"},
                "select": self.card["splits"][split].get("select", [split]),
                "folders": [each for each in self.sources_of(split) if "folder" in each],
                "windows": self.windows,
                "is_fetched": bool(self.fetched_sources(split)),
            }
        return describe_result("make_manifest", settings)

    def trim_result(self) -> dict[str, Any]:
        """Return trim_shard's result; the usual ways are not part of it."""
        ways = (("trim", self.trim, "virtual"), ("windows", self.windows, "inside"))
        return describe_result("trim_shard", {key: way for key, way, usual in ways if way != usual})

    def check_videos(self) -> None:
        """See that own videos are there.

        Raises:
            UserError: there is no such folder or list, or a file of another ending.
        """
        if self.made_by or (self.is_annotated and not self.is_own):
            return
        where = f"config: datasets.{self.name}.videos: {self.videos}"
        if not (Path(self.videos).is_dir() or Path(self.videos).is_file()):
            raise UserError(f"{where}: no such folder or list of videos")
        if Path(self.videos).is_file() and not self.is_list:
            raise UserError(f"{where}: a list must end in one of: {', '.join(LIST_SUFFIXES)}")


def _serves(source: Mapping[str, Any], split: str) -> bool:
    return split in source.get("splits", [split])


def _brought(name: str, files: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Return name, size and time of the annotation files that a person has to bring and has brought."""
    names = [named for file in files for named in _as_list(file.get("path", []))]
    paths = [ANNOTATIONS / name / each for each in names]
    return [[path.name, *file_state(path)] for path in paths if path.is_file()]


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def make_own_dataset(name: str, asked: Mapping[str, Any], *, base: Path) -> Dataset:
    """Return a dataset without a card.

    Raises:
        UserError: no videos, or splits named twice.
    """
    where = f"config: datasets.{name}"
    if "videos" not in asked:
        known = ", ".join(sorted(path.stem for path in (base / "datasets").glob("*.yaml")))
        raise UserError(
            f"{where}: no card datasets/{name}.yaml, so it needs 'videos', a folder or a list;"
            f" cards: {known}"
        )
    if "splits" in asked:
        raise UserError(f"{where}.splits: only with a card; name the splits in 'shards'")
    if "sources" in asked:
        raise UserError(f"{where}.sources: only with a card that has annotations")
    by_split = isinstance(asked["shards"], dict)
    shards = asked["shards"] if by_split else {"all": asked["shards"]}
    return Dataset(
        name,
        asked["videos"],
        shards,
        by_split,
        tuple(asked["recipes"]),
        is_own=True,
        trim=asked.get("trim", "virtual"),
        transformers=tuple(asked["transformers"]),
        in_all=asked["in_all"],
    )


def read_card_dataset(
    name: str, asked: Mapping[str, Any], *, path: Path, given: Mapping[str, Any]
) -> Dataset:
    """Return a dataset with a card.

    Args:
        name: the dataset's name.
        asked: its entry in the config, defaults filled in.
        path: the card.
        given: its entry as the user wrote it.

    Raises:
        UserError: one line that names the key, what it may be, and where.
    """
    where = f"config: datasets.{name}"
    if "shards" in given:
        raise UserError(f"{where}.shards: only without a card; datasets/{name}.yaml has them")
    card = check("dataset", load_yaml(path), where=f"datasets/{name}.yaml")
    check_card(card, where=f"datasets/{name}.yaml")
    splits = asked.get("splits", card.get("default_splits", list(card["splits"])))
    for split in splits:
        if split not in card["splits"]:
            raise UserError(
                f"{where}.splits: no split {split!r}; one of: {', '.join(card['splits'])}"
            )
    if "sources" in asked:
        card = {**card, "sources": _own_sources(asked, card, where=f"{where}.sources")}
    shards = {split: card["splits"][split]["shards"] for split in splits}
    is_own = "videos" in asked
    return Dataset(
        name,
        asked["videos"] if is_own else card["videos"],
        shards,
        by_split=list(card["splits"]) != ["all"],
        recipes=tuple(asked["recipes"]),
        made_by=None if is_own else card.get("made_by"),
        card=card,
        is_own=is_own,
        trim=asked.get("trim", card.get("trim", "virtual")),
        transformers=tuple(asked["transformers"]),
        in_all=asked["in_all"],
    )


def _own_sources(
    asked: Mapping[str, Any], card: Mapping[str, Any], *, where: str
) -> list[Mapping[str, Any]]:
    if "annotations" not in card:
        raise UserError(f"{where}: only with a card that has annotations")
    if "videos" in asked:
        raise UserError(f"{where}: videos names the one source already; give only one of them")
    for number, source in enumerate(asked["sources"]):
        check_source(source, card["splits"], where=f"{where}.{number}")
    return list(asked["sources"])
