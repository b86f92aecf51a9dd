"""Reader of packs that are folders of pictures."""

from __future__ import annotations

import json
from array import array
from pathlib import Path

from torch.utils.data import Dataset

from reelpack.packs.frame_folders import clip_of
from reelpack.packs.listing import LISTING
from reelpack.packs.readers.base import Sample, content


class FoldersPack(Dataset[Sample]):
    """The clips of a `png_folders` or `frame_folders` pack, in list order."""

    def __init__(self, folder: Path) -> None:
        """Find the lines of `clips.jsonl`; memory holds eight bytes for each."""
        self._folder = folder
        self._lines = array("q")
        place = 0
        with (folder / LISTING).open("rb") as file:
            for line in file:
                self._lines.append(place)
                place += len(line)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Sample:
        with (self._folder / LISTING).open("rb") as file:
            file.seek(self._lines[index])
            clip = clip_of(json.loads(file.readline()))
        captions = clip.notes["captions"]
        frames = content(clip.pictures(self._folder))
        return Sample(
            clip.clip_id, {clip.variant: frames}, clip.label, captions[0] if captions else None
        )
