"""What formats share that make a `StoredEntry` of a clip, and what they read from one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from reelpack.core.errors import ClipError, UserError
from reelpack.images.files import LARGEST_SIDES, FrameSequence, Pictures, convert_frames, keep_files
from reelpack.packs.base import PackFormat
from reelpack.packs.entries import Array, Entry, PackContext, StoredEntry

NO_FRAMES = "the clip has no frames"


class ContentFormat(PackFormat):
    """A format that takes tokens, features and frames alike, of any number of crop sets."""

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return arrays as they are, and frames as the image files that the recipe asks for.

        Raises:
            ClipError: the clip has no frames, or they are too large for such files.
        """
        arrays: dict[str, Array | Pictures] = {}
        for name, value in entry.arrays.items():
            if isinstance(value, FrameSequence):
                arrays[name] = encode_frames(value, self, context)
            elif len(value):
                arrays[name] = value
            else:
                raise ClipError("pack", NO_FRAMES)
        return StoredEntry(entry.clip_id, entry.label, arrays, make_notes(entry))


def encode_frames(frames: FrameSequence, pack_format: PackFormat, context: PackContext) -> Pictures:
    """Return a clip's frames as the image files that a recipe asks for.

    Raises:
        ClipError: there are none, or they are too large for such files.
    """
    if not len(frames):
        raise ClipError("pack", NO_FRAMES)
    image, quality = pack_format.get_image(context)
    with Image.open(io.BytesIO(frames.file(0))) as first:
        width, height = first.size
    if max(width, height) > LARGEST_SIDES[image]:
        raise ClipError(
            "pack", f"{pack_format.name}: {width}x{height} is more than {image} can hold"
        )
    return convert_frames(frames, image=image, quality=quality, pool=context.pool)


def store_files(entry: Entry, pack_format: PackFormat, **notes: Any) -> StoredEntry:
    """Return a clip's frames, or its sound, as the files that the shards keep.

    Args:
        entry: the clip.
        pack_format: one that takes nothing else.
        notes: what it keeps of a clip beside `make_notes`.

    Raises:
        UserError: the clip has arrays.
    """
    files = {
        name: keep_files(frames) for name, frames in require_frames(entry, pack_format).items()
    }
    return StoredEntry(entry.clip_id, entry.label, files, {**make_notes(entry), **notes})


def make_notes(entry: Entry) -> dict[str, Any]:
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


def require_arrays(entry: Entry, pack_format: PackFormat) -> dict[str, Array]:
    """Return an entry's arrays for a format that takes no frames.

    Raises:
        UserError: they are frames.
    """
    arrays = {name: value for name, value in entry.arrays.items() if isinstance(value, np.ndarray)}
    if len(arrays) != len(entry.arrays):
        raise UserError(f"{pack_format.name} takes arrays, not frames; give the recipe an encoder")
    return arrays


def require_frames(entry: Entry, pack_format: PackFormat) -> dict[str, FrameSequence]:
    """Return an entry's frames for a format that takes nothing else.

    Raises:
        UserError: they are arrays.
    """
    frames = {
        name: value for name, value in entry.arrays.items() if isinstance(value, FrameSequence)
    }
    if len(frames) != len(entry.arrays):
        raise UserError(
            f"{pack_format.name} takes frames, not arrays; leave out the recipe's encoder"
        )
    return frames


def cast_tokens(entry: Entry, pack_format: PackFormat) -> dict[str, Array]:
    """Return an entry's tokens of one codebook as int16[T, h, w].

    Raises:
        UserError: they have several codebooks, another shape, or do not fit int16.
    """
    arrays = {}
    for name, tokens in require_arrays(entry, pack_format).items():
        what = f"{pack_format.name}: tokens of clip {entry.clip_id}"
        flat = tokens[:, 0] if tokens.ndim == 4 and tokens.shape[1] == 1 else tokens
        if flat.ndim != 3:
            raise UserError(
                f"{what} have shape {list(tokens.shape)}, allowed are [T, h, w] and [T, 1, h, w],"
                " one codebook"
            )
        arrays[name] = cast_integers(flat, np.int16, what=what)
    return arrays


def cast_integers(array: Array, dtype: type[np.signedinteger[Any]], *, what: str) -> Array:
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


def get_array(entry: StoredEntry, variant: str) -> Array:
    """Return an array of a format that stores nothing but arrays."""
    value = entry.arrays[variant]
    assert isinstance(value, np.ndarray)
    return value


def get_files(entry: StoredEntry, variant: str) -> Pictures:
    """Return the files of a format that stores nothing but files."""
    value = entry.arrays[variant]
    assert isinstance(value, Pictures)
    return value
