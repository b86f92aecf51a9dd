"""Videos as codes, to learn from: out of `lvt_codes` packs or codes shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reelpack.core.errors import UserError
from reelpack.encode.codes import CodesShard
from reelpack.packs.lvt_codes import LvtVideos

Codes = npt.NDArray[Any]


class CodeVideos(Protocol):
    """Videos in a fixed order.

    Attributes:
        frames: how many frames each has.
    """

    @property
    def frames(self) -> Sequence[int]:
        """How many frames each has."""
        ...

    def __getitem__(self, index: int, /) -> Codes:
        """Return one video's codes, integers [T, codebooks, h, w]."""
        ...


class PackVideos:
    """The videos of an `lvt_codes` pack, in the order of its `videos.csv`.

    Args:
        folder: the pack.

    Raises:
        UserError: `videos.csv` is missing or is not such a list.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._videos = LvtVideos(folder)
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: not a pack of codes: {error}") from error
        self._folder = folder
        self.frames = [self._videos.video(n).frames for n in range(len(self._videos))]

    def __getitem__(self, index: int) -> Codes:
        """Return one video's codes, int64[T, codebooks, h, w].

        Raises:
            UserError: a file of the pack is missing or damaged.
        """
        try:
            return self._videos[index][1]
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{self._folder}: video {index}: {error}") from error


class ShardVideos:
    """The clips of codes shards, one shard after another.

    Args:
        shards: the shards' files.
        crop_set: which crop set's codes, counted from 0.

    Raises:
        DamagedError: a shard cannot be read.
    """

    def __init__(self, shards: Sequence[Path], *, crop_set: int = 0) -> None:
        self._crop_set = crop_set
        self._shards = [CodesShard(path) for path in shards]
        self._clips = [(shard, n) for shard in self._shards for n in range(len(shard))]
        self.frames = [len(self[index]) for index in range(len(self._clips))]

    def __getitem__(self, index: int) -> Codes:
        """Return one clip's codes, integers [T, codebooks, h, w]."""
        shard, number = self._clips[index]
        return shard.clip(number)[self._crop_set]


def open_videos(places: Sequence[Path]) -> CodeVideos:
    """Open one `lvt_codes` pack, or codes shards in the order given.

    Raises:
        UserError: a folder beside other places, or one that is not a pack.
        DamagedError: a shard cannot be read.
    """
    if len(places) == 1 and places[0].is_dir():
        return PackVideos(places[0])
    if folders := [place for place in places if place.is_dir()]:
        raise UserError(f"{folders[0]}: a folder; give one pack, or codes shards")
    return ShardVideos(places)


class VideoCuts:
    """Cuts of one length out of the videos that are long enough.

    Args:
        videos: the videos.
        frames: length of a cut.
        codebooks: codes per position that the model takes.
        codes: entries of each codebook.

    Attributes:
        kept: indices of the videos that are long enough.
        too_short: how many are not.

    Raises:
        UserError: no video is long enough.
    """

    def __init__(self, videos: CodeVideos, *, frames: int, codebooks: int, codes: int) -> None:
        self._videos, self._frames = videos, frames
        self._codebooks, self._codes = codebooks, codes
        self.kept = [i for i, length in enumerate(videos.frames) if length >= frames]
        self.too_short = len(videos.frames) - len(self.kept)
        if not self.kept:
            raise UserError(f"none of {self.too_short} videos has {frames} frames")

    def __len__(self) -> int:
        return len(self.kept)

    def starts(self, index: int) -> int:
        """Return at how many frames a cut of one video may start."""
        return self._videos.frames[self.kept[index]] - self._frames + 1

    def cut(self, index: int, *, start: int = 0) -> Tensor:
        """Return int64[codebooks, frames, h, w].

        Raises:
            UserError: codes of another shape or out of range.
        """
        codes = self._videos[self.kept[index]][start : start + self._frames]
        if codes.ndim == 3:
            codes = codes[:, np.newaxis]
        if codes.ndim != 4 or codes.shape[1] != self._codebooks or codes.dtype.kind not in "iu":
            raise UserError(
                f"video {self.kept[index]}: codes are {codes.dtype}{list(codes.shape)}, expected"
                f" integers [T, {self._codebooks}, h, w]"
            )
        if codes.min() < 0 or codes.max() >= self._codes:
            raise UserError(
                f"video {self.kept[index]}: codes reach from {codes.min()} to {codes.max()},"
                f" allowed are 0 to {self._codes - 1}"
            )
        return torch.from_numpy(codes.astype(np.int64)).transpose(0, 1).contiguous()

    def batches(self, size: int) -> Iterator[Tensor]:
        """Give the first cut of every video, as int64[B, codebooks, frames, h, w]."""
        for first in range(0, len(self), size):
            some = range(first, min(first + size, len(self)))
            yield stack_cuts([self.cut(index) for index in some])


def stack_cuts(cuts: Sequence[Tensor]) -> Tensor:
    """Return int64[B, codebooks, T, h, w] from cuts of one shape.

    Raises:
        UserError: they differ in size.
    """
    if len({cut.shape for cut in cuts}) > 1:
        raise UserError("videos have codes of several sizes; all must have one")
    return torch.stack(list(cuts))
