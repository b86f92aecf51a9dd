"""Folders of PNG files for rakhimovv/lvt, one folder per clip: `frames/[{class}/]{clip}/{n}.png`.

So `convert_kinetics` of the Latent Video Transformer leaves them. The clip's folder is the last part of
its id and the class's folder the part before it; an id of one part lies in the folder of its class name,
if it has one. The reader takes every folder that holds only image files for a video. `clips.jsonl` says
which folder is which clip.

Settings read: `first_number`, by default 1 (the seed's Kinetics; its BAIR counts from 0).
"""

from __future__ import annotations

from reelpack.core.errors import ClipError
from reelpack.packs.frame_folders import FrameFolders
from reelpack.packs.names import is_file_name


class PngFolders(FrameFolders):
    """Folders by the last parts of the clip id."""

    digits = 1

    def name_folder(self, clip_id: str, label_name: str | None) -> str:
        """Return a clip's folder below `frames/`.

        Raises:
            ClipError: the class's name would be needed, and cannot be a folder's.
        """
        parts = clip_id.rsplit("/", 2)[-2:]
        if len(parts) == 1 and label_name is not None:
            if not is_file_name(label_name):
                raise ClipError("pack", f"class name {label_name[:80]!r} cannot be a folder's name")
            parts.insert(0, label_name)
        return "/".join(parts)


FORMAT = PngFolders()
