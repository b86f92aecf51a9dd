"""What every pack format offers.

A format is one module of this folder, found by its name, which holds its writer and its reader as the
one instance `FORMAT`; what planning must know of it is its row in `config.pack_rules`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from reelpack.config.pack_rules import FORMAT_RULES, FormatRules
from reelpack.core.errors import UserError
from reelpack.images.files import SUFFIXES, ImageKind
from reelpack.packs.access import Clips, PackPart
from reelpack.packs.entries import (
    AUDIO,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    StoredEntry,
)


class PackFormat(ABC):
    """A pack format.

    Attributes:
        index: the file without which nothing else can be read, relative to the pack; None where no file
            is needed by all others.
    """

    index: ClassVar[str | None] = None

    @property
    def name(self) -> str:
        """The format's name, which is its module's."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def rules(self) -> FormatRules:
        """What planning knows of it."""
        return FORMAT_RULES[self.name]

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when a recipe cannot be packed in this format at all."""
        if not self.rules.several:
            self.get_crop(context)
        elif not context.variants:
            raise UserError(f"recipe {context.recipe}: {self.name} needs at least one crop")
        self.get_image(context)

    @abstractmethod
    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the entry as the format keeps it.

        Raises:
            ClipError: class `pack`, when the format cannot hold this one clip.
            UserError: when it can hold no clip of such a recipe.
        """

    @abstractmethod
    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write the pack's files into an empty folder.

        Entries are streamed: memory holds one of them, and no more than their ids of the others.

        Args:
            folder: exists and is empty.
            entries: in list order, ids all different.
            context: what the pack is made of.
        """

    def write_failed(self, folder: Path, context: PackContext, failed_ids: Sequence[str]) -> None:
        """Write what the format keeps of clips that the pack lacks: of most formats, nothing.

        Args:
            folder: the pack, which `write` has written.
            context: what the pack is made of.
            failed_ids: the clips, in list order.
        """
        del folder, context, failed_ids

    @abstractmethod
    def list_parts(self, folder: Path) -> Iterable[PackPart]:
        """Yield the parts of a pack, which hold every crop set of every clip."""

    @abstractmethod
    def open(self, folder: Path) -> Clips | Iterable[Iterable[PackEntry]]:
        """Return the clips of a pack by number, or what streams them."""

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read every entry of every variant back.

        Args:
            folder: the pack.
            damaged: files, relative to the pack, known to be damaged: what depends on them is
                reported as `PackDamage` and not opened.
        """

        def read_parts() -> Iterator[PackEntry | PackDamage]:
            for part in self.list_parts(folder):
                yield from part.read_undamaged(damaged)

        index = [] if self.index is None else [self.index]
        yield from PackPart(self.index or folder.name, index, read_parts).read_undamaged(damaged)

    def name_clip(self, entry: Entry, context: PackContext) -> str | None:
        """Return the name, `folder/name`, that must be this clip's alone; None where ids suffice.

        A clip whose name is taken becomes a failure row.
        """
        del entry, context
        return None

    def list_links(self, context: PackContext) -> dict[str, str]:
        """Return further names to be linked: link name to target, both relative to the pack."""
        del context
        return {}

    def get_setting(self, context: PackContext, key: str) -> Any:
        """Return what a recipe says under a key of `pack`, or the format's default."""
        return context.settings.get(key, self.rules.keys[key].default)

    def get_crop(self, context: PackContext) -> str:
        """Return the name of the recipe's one crop set, beside which there may be sound.

        Raises:
            UserError: the recipe has none or several.
        """
        names = [variant.name for variant in context.variants]
        if self.rules.audio:
            names = [name for name in names if name != AUDIO]
        if len(names) != 1:
            found = ", ".join(names) or "none"
            raise UserError(
                f"recipe {context.recipe}: {self.name} holds one crop per recipe, not: {found}"
            )
        return names[0]

    def get_image(self, context: PackContext) -> tuple[ImageKind, int]:
        """Return the kind of image file, and its quality, in which a recipe asks for frames.

        Raises:
            UserError: there is no such kind.
        """
        if "image" not in self.rules.keys:
            return "png", 0
        image = self.get_setting(context, "image")
        if image not in SUFFIXES:
            allowed = ", ".join(SUFFIXES)
            raise UserError(
                f"recipe {context.recipe}: image {image!r} does not exist; allowed: {allowed}"
            )
        return image, int(self.get_setting(context, "quality"))
