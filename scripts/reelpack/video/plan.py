"""From wanted frames to the packets that the decoder must see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reelpack.video.index import VideoIndex


@dataclass(frozen=True)
class Segment:
    """One uninterrupted run of the decoder, which is emptied and reset after it.

    Args:
        packets: `int64[f]`, positions in decode order of the packets to feed.
        expected: stamps of the frames that come out, rising.
        wanted: the stamps among them that were asked for.
    """

    packets: npt.NDArray[np.int64]
    expected: tuple[int, ...]
    wanted: frozenset[int]


@dataclass(frozen=True)
class Plan:
    """Segments in order of time."""

    segments: tuple[Segment, ...]


def plan(index: VideoIndex, wanted: npt.NDArray[np.int64], *, skip: bool = True) -> Plan:
    """Plan the decoding of frames `wanted`, indices into `index.pts`.

    Decoding starts at the last entry before a wanted frame when that leaves packets out,
    unreferenced packets that are not wanted are dropped, and nothing is fed behind the packet of
    the last wanted frame. With `skip` False every packet is fed: the reference.
    """
    stamps = np.unique(index.pts[wanted])
    if not skip:
        everything = np.arange(len(index.packet_pts), dtype=np.int64)
        return Plan((_segment(index, everything, stamps),))
    positions = index.find_packets(stamps)
    runs: list[tuple[int, int]] = []
    for position, stamp in zip(positions.tolist(), stamps.tolist(), strict=True):
        start = _entry_for(index, position, stamp)
        if runs and start <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], max(runs[-1][1], position))
        else:
            runs.append((start, position))
    segments = []
    for start, stop in runs:
        inside = stamps[np.isin(stamps, index.packet_pts[start : stop + 1])]
        segments.append(_segment(index, _needed(index, start, stop, inside), inside))
    return Plan(tuple(segments))


def packet_span(index: VideoIndex, begin: int, stop: int) -> tuple[int, int]:
    """First and last packet, in decode order, without which shown frames begin..stop-1 cannot be decoded.

    Args:
        index: of a clip that is plannable.
        begin, stop: half-open range of indices into `index.pts`.
    """
    stamps = index.pts[begin:stop]
    positions = index.find_packets(stamps)
    starts = (
        _entry_for(index, position, stamp)
        for position, stamp in zip(positions.tolist(), stamps.tolist(), strict=True)
    )
    return min(starts), int(positions.max())


def _entry_for(index: VideoIndex, position: int, stamp: int) -> int:
    """The last entry from which a frame can be decoded; 0 when there is none."""
    entries = index.usable_entries
    place = int(np.searchsorted(entries, position, side="right")) - 1
    while place >= 0 and index.packet_pts[entries[place]] > stamp:
        place -= 1
    return int(entries[place]) if place >= 0 else 0


def _needed(
    index: VideoIndex, start: int, stop: int, wanted: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Packets of a run without the unreferenced unwanted and the leading ones of its entry."""
    run = slice(start, stop + 1)
    stamps = index.packet_pts[run]
    keep = ~index.droppable[run] | np.isin(stamps, wanted)
    if start > 0:
        # Frames shown before the entry may refer to what was skipped.
        keep &= stamps >= stamps[0]
    return start + np.flatnonzero(keep)


def _segment(
    index: VideoIndex, packets: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]
) -> Segment:
    expected = np.sort(index.packet_pts[packets[index.packet_shown[packets]]])
    return Segment(
        packets=packets,
        expected=tuple(expected.tolist()),
        wanted=frozenset(wanted.tolist()),
    )
