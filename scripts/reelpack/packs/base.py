"""What every pack format offers, and what flows in and out of it.

In: one `Entry` per finished clip, in list order. Out: a folder of files that a published trainer
opens, and the way back, `read`, by which a pack is verified. A format lives in one module, writer
and reader together; what planning must know of it stands in `reelpack.formats`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelpack.core.errors import UserError
from reelpack.core.results import canonical
from reelpack.images.files import FrameSequence, Pictures

Array = NDArray[Any]
# The variant under which an entry carries its sound: one mp3 file.
AUDIO = "audio"


@dataclass(frozen=True)
class Variant:
    """One crop of a recipe.

    Attributes:
        name: slug, unique in the recipe, such as `128top_hflip`.
        shorter_side: the picture is scaled until its shorter side has this many pixels; None
            otherwise.
        square: the picture is scaled to a square of this side, whatever its shape; None otherwise.
        size: side of the square cut out after scaling; None when nothing is cut.
        position: where it is cut: top, center or bottom.
        hflip: mirrored left to right.
    """

    name: str
    shorter_side: int | None = None
    square: int | None = None
    size: int | None = None
    position: str = "center"
    hflip: bool = False


@dataclass(frozen=True)
class PackContext:
    """What a pack is made of, for names and notes inside the pack.

    Attributes:
        dataset: the dataset's name.
        split: the split's name.
        recipe: the recipe's name.
        fps: frames per second as the recipe says it (`2`, `2/3`), or None for other samplings.
        variants: the crops; every entry carries one array for each.
        settings: everything that defines the result, as JSON values. Read by formats: `encoder` (a
            name or the recipe's mapping with a `name`), and what the format's own docstring lists.
        pool: processes that encode pictures; None to do that here. The bytes are the same.
    """

    dataset: str
    split: str
    recipe: str
    fps: str | None
    variants: tuple[Variant, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    pool: Executor | None = None

    @property
    def encoder(self) -> str:
        """The encoder's name, or an empty string for recipes without one."""
        encoder = self.settings.get("encoder") or ""
        return str(encoder.get("name", "") if isinstance(encoder, Mapping) else encoder)


@dataclass(frozen=True)
class Entry:
    """One finished clip.

    Attributes:
        clip_id: unique in the split.
        order: position in the split's list, from 0.
        label: class number, or None.
        caption: a text, or None.
        arrays: variant name to array (tokens or features, first axis time), or to the clip's frames
            in recipes without an encoder.
        label_name: the class's name as published, or None.
        captions: all texts; the first of them is `caption`.
        video: the clip's video as its list names it, or "".
    """

    clip_id: str
    order: int
    label: int | None
    caption: str | None
    arrays: Mapping[str, Array | FrameSequence]
    label_name: str | None = None
    captions: tuple[str, ...] = ()
    video: str = ""


@dataclass(frozen=True)
class StoredEntry:
    """An entry in just the form in which the format keeps it: what its reader gives back.

    Attributes:
        clip_id: as in the entry.
        label: as the format keeps it (VIMPAC writes -1 for none), or None where it keeps none.
        arrays: variant name to array, in the stored dtype and shape, or to picture files. A writer
            goes through the pictures in order, once, before it asks for the next entry.
        notes: what else the format keeps of the clip (JSON values), such as captions and time stamps.
    """

    clip_id: str
    label: int | None
    arrays: Mapping[str, Array | Pictures]
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PackEntry:
    """One array, or the pictures, of one clip read back from a pack; `notes` as in `StoredEntry`.

    Pictures can be read until the next entry is asked for.
    """

    variant: str
    clip_id: str
    label: int | None
    array: Array | Pictures
    notes: Mapping[str, Any] = field(default_factory=dict)

    def sha256(self) -> str:
        """Return the digest that `entries.parquet` holds for it.

        Raises:
            OSError, ValueError, EOFError: pictures that are read only now cannot be read.
        """
        return value_sha256(self.array, label=self.label, notes=self.notes)


@dataclass(frozen=True)
class PackDamage:
    """A part of a pack that cannot be read.

    Attributes:
        message: one line for people.
        variant: the variant it belongs to; None when that is not known or when all are touched.
        clip_id: the clip; None when every clip of the variant is lost.
    """

    message: str
    variant: str | None = None
    clip_id: str | None = None


class PackFormat(ABC):
    """A pack format. `version` is raised by hand when the bytes it writes change."""

    name: str
    version: int

    @abstractmethod
    def check(self, context: PackContext) -> None:
        """Raise `UserError` when a recipe cannot be packed in this format at all."""

    @abstractmethod
    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the entry as the format keeps it.

        Raises:
            ClipError: class `pack`, when the format cannot hold this one clip.
            UserError: when it can hold no clip of such a recipe.
        """

    @abstractmethod
    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write the pack's files into an empty folder.

        Entries are streamed: memory holds one of them, and no more than their ids of the others.

        Args:
            folder: exists and is empty.
            entries: in list order, ids all different.
            context: what the pack is made of.
            failed_ids: gives the ids of the clips that the pack lacks, in list order; to be called
                once `entries` has run out.
        """

    @abstractmethod
    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read every entry of every variant back.

        Args:
            folder: the pack.
            damaged: files, relative to the pack, known to be damaged: what depends on them is
                reported as `PackDamage` and not opened.
        """

    def place(self, entry: Entry, context: PackContext) -> str | None:
        """Return the name, `folder/name`, that must be this clip's alone; None where ids suffice.

        A clip whose name is taken becomes a failure row.
        """
        del entry, context
        return None

    def aliases(self, context: PackContext) -> dict[str, str]:
        """Return further names to be linked: link name to target, both relative to the pack."""
        del context
        return {}


def value_sha256(
    value: Array | Pictures, *, label: int | None, notes: Mapping[str, Any] | None = None
) -> str:
    """Return the SHA-256, in hexadecimal, over kind, shape, label, notes and bytes in C order."""
    about = canonical(notes) + "\n" if notes else ""
    if isinstance(value, Pictures):
        head = f"pictures {len(value)} {label}\n{about}{value.sha256()}"
        return hashlib.sha256(head.encode()).hexdigest()
    head = f"{value.dtype.str} {list(value.shape)} {label}\n{about}"
    return hashlib.sha256(head.encode() + np.ascontiguousarray(value).tobytes()).hexdigest()


def clip_notes(entry: Entry) -> dict[str, Any]:
    """Return what formats with room for it keep of a clip beside arrays: class name, captions, and
    of frames the time stamps.
    """
    stamps = {
        name: list(value.pts_seconds)
        for name, value in entry.arrays.items()
        if isinstance(value, FrameSequence)
    }
    captions = list(entry.captions or ([] if entry.caption is None else [entry.caption]))
    notes = {"label_name": entry.label_name, "captions": captions}
    return {**notes, "pts_seconds": stamps} if stamps else notes


def only_arrays(values: Mapping[str, Array | FrameSequence], *, what: str) -> dict[str, Array]:
    """Return an entry's arrays for a format that takes no frames.

    Raises:
        UserError: they are frames.
    """
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    if len(arrays) != len(values):
        raise UserError(f"{what} takes arrays, not frames; give the recipe an encoder")
    return arrays


def only_frames(
    values: Mapping[str, Array | FrameSequence], *, what: str
) -> dict[str, FrameSequence]:
    """Return an entry's frames for a format that takes nothing else.

    Raises:
        UserError: they are arrays.
    """
    frames = {name: value for name, value in values.items() if isinstance(value, FrameSequence)}
    if len(frames) != len(values):
        raise UserError(f"{what} takes frames, not arrays; leave out the recipe's encoder")
    return frames


def stored_array(entry: StoredEntry, variant: str) -> Array:
    """Return an array of a format that stores nothing but arrays."""
    value = entry.arrays[variant]
    assert isinstance(value, np.ndarray)
    return value


def stored_pictures(entry: StoredEntry, variant: str) -> Pictures:
    """Return the pictures of a format that stores nothing but pictures."""
    value = entry.arrays[variant]
    assert isinstance(value, Pictures)
    return value


def integers(array: Array, dtype: type[np.signedinteger[Any]], *, what: str) -> Array:
    """Return tokens in a smaller or larger integer type, never wrapped.

    Raises:
        UserError: the array holds no integers, or values beyond the type.
    """
    if array.dtype.kind not in "iu":
        raise UserError(f"{what}: holds {array.dtype}, allowed are integers")
    bounds = np.iinfo(dtype)
    if array.size and (array.min() < bounds.min or array.max() > bounds.max):
        raise UserError(f"{what}: holds values beyond {bounds.min} to {bounds.max}")
    return np.ascontiguousarray(array, dtype=dtype)


def one_codebook(tokens: Array, *, what: str) -> Array:
    """Return tokens as [T, h, w], whether or not they have an axis for their one codebook.

    Raises:
        UserError: they have several codebooks, or another shape.
    """
    if tokens.ndim == 4 and tokens.shape[1] == 1:
        tokens = tokens[:, 0]
    if tokens.ndim != 3:
        raise UserError(
            f"{what} have shape {list(tokens.shape)}, allowed are [T, h, w] and [T, 1, h, w],"
            " one codebook"
        )
    return tokens


def only_variant(context: PackContext, *, what: str) -> Variant:
    """Return the recipe's one crop.

    Raises:
        UserError: the recipe has none or several.
    """
    if len(context.variants) != 1:
        names = ", ".join(variant.name for variant in context.variants) or "none"
        raise UserError(f"recipe {context.recipe}: {what} holds one crop per recipe, not: {names}")
    return context.variants[0]
