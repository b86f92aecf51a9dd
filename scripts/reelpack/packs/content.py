"""What formats share that take tokens, features and frames alike."""

from __future__ import annotations

from reelpack.core.errors import ClipError, UserError
from reelpack.images.files import FrameSequence, Pictures
from reelpack.packs.base import Array, Entry, PackContext, StoredEntry, clip_notes
from reelpack.packs.frame_folders import picture_settings, stored_frames


def check_content(context: PackContext, *, what: str) -> None:
    """Check a recipe for a format that holds any number of crop sets.

    Raises:
        UserError: there is none, or `image` is no kind of picture.
    """
    if not context.variants:
        raise UserError(f"recipe {context.recipe}: {what} needs at least one crop")
    picture_settings(context)


def stored_content(entry: Entry, context: PackContext, *, what: str) -> StoredEntry:
    """Return arrays as they are, and frames as the pictures that the recipe asks for.

    Raises:
        ClipError: the clip has no frames, or they are too large for such pictures.
    """
    arrays: dict[str, Array | Pictures] = {}
    for name, value in entry.arrays.items():
        if isinstance(value, FrameSequence):
            arrays[name] = stored_frames(value, context, what=what)
        elif len(value):
            arrays[name] = value
        else:
            raise ClipError("pack", "the clip has no frames")
    return StoredEntry(entry.clip_id, entry.label, arrays, clip_notes(entry))
