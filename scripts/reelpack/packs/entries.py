"""What flows into packs and out of them: an `Entry` per finished clip, and a `PackEntry` per crop set
that is read back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        shorter_side: frames are scaled until their shorter side has this many pixels; None
            otherwise.
        square: frames are scaled to a square of this side, whatever their shape; None otherwise.
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
        pool: processes that encode image files; None to do that here. The bytes are the same.
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
        arrays: variant name to array, in the stored dtype and shape, or to image files. A writer
            goes through the files in order, once, before it asks for the next entry.
        notes: what else the format keeps of the clip (JSON values), such as captions and time stamps.
    """

    clip_id: str
    label: int | None
    arrays: Mapping[str, Array | Pictures]
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PackEntry:
    """One array, or the image files, of one clip read back from a pack; `notes` as in `StoredEntry`.

    Files can be read until the next entry is asked for.
    """

    variant: str
    clip_id: str
    label: int | None
    array: Array | Pictures
    notes: Mapping[str, Any] = field(default_factory=dict)

    def sha256(self) -> str:
        """Return the digest that `entries.parquet` holds for it.

        Raises:
            OSError, ValueError, EOFError: files that are read only now cannot be read.
        """
        return digest_value(self.array, label=self.label, notes=self.notes)


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


def digest_value(
    value: Array | Pictures, *, label: int | None, notes: Mapping[str, Any] | None = None
) -> str:
    """Return the SHA-256, in hexadecimal, over kind, shape, label, notes and bytes in C order."""
    about = canonical(notes) + "\n" if notes else ""
    if isinstance(value, Pictures):
        head = f"pictures {len(value)} {label}\n{about}{value.sha256()}"
        return hashlib.sha256(head.encode()).hexdigest()
    head = f"{value.dtype.str} {list(value.shape)} {label}\n{about}"
    return hashlib.sha256(head.encode() + np.ascontiguousarray(value).tobytes()).hexdigest()
