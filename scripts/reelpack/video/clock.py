"""Time stamps as the ffmpeg program gives them: to packets as they are read, to frames as they come."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

import av

Packet: TypeAlias = "av.Packet[Any]"

# Where clocks may jump, a jump this long is one; elsewhere, a stamp this far off is wrong.
_JUMP_SECONDS = 10
_BACK_SECONDS = Fraction(1, 10)
_WRONG_SECONDS = 30 * 3600


class StampMender:
    """Mends the stamps of packets in the order in which they are read.

    Joined transport streams restart their clocks: from a jump on, stamps are moved so that they go
    on; a first packet that comes long after the start of the file is moved there. In formats whose
    clocks do not jump, a stamp that is off by more than 30 hours is dropped.
    Source: ffmpeg program, fftools/ffmpeg_demux.c (ts_discontinuity_detect, ist_dts_update), which
    counts in microseconds.

    Args:
        jumps_allowed: the format's clock may jump.
        average_rate: frames per second, None where it is not known.
        origin_pts: the tick at which the file starts.

    Attributes:
        mended: how many packets were.
    """

    def __init__(
        self,
        time_base: Fraction,
        *,
        jumps_allowed: bool,
        average_rate: Fraction | None,
        origin_pts: int,
    ) -> None:
        self.mended = 0
        self._jumps_allowed = jumps_allowed
        self._microseconds = 1_000_000 * time_base
        self._usual = int(1 / (average_rate * time_base)) if average_rate else 0
        self._far = int((_JUMP_SECONDS if jumps_allowed else _WRONG_SECONDS) / time_base)
        self._back = int(_BACK_SECONDS / time_base)
        self._origin_pts = origin_pts
        self._offset_us = 0
        self._dts: int | None = None
        self._duration = 0

    def mend(self, packet: Packet) -> None:
        """Mend one packet's stamps in place."""
        if self._offset_us:
            self._move(packet, self._ticks(self._offset_us))
        if packet.dts is not None:
            if self._jumps_allowed:
                self._follow_jump(packet, packet.dts)
            elif self._dts is not None:
                self._drop_wrong(packet, packet.dts, self._dts + self._duration)
        if packet.dts is not None:
            self._dts = packet.dts
        elif self._dts is not None:
            self._dts += self._duration
        elif packet.pts is not None:
            self._dts = packet.pts
        self._duration = packet.duration or self._usual

    def _follow_jump(self, packet: Packet, dts: int) -> None:
        if self._dts is None:
            expected, jumps = self._origin_pts, abs(dts - self._origin_pts) > self._far
            expected_us = self._us(expected)
        else:
            expected = self._dts + self._duration
            jumps = abs(dts - expected) > self._far or dts + self._back < self._dts
            expected_us = self._us(self._dts) + self._us(self._duration)
        if jumps:
            delta_us = self._us(dts) - expected_us
            self._offset_us -= delta_us
            self._move(packet, -self._ticks(delta_us))

    def _move(self, packet: Packet, ticks: int) -> None:
        if packet.dts is not None:
            packet.dts += ticks
        if packet.pts is not None:
            packet.pts += ticks
        self.mended += 1

    def _drop_wrong(self, packet: Packet, dts: int, expected: int) -> None:
        if abs(dts - expected) > self._far:
            packet.dts = None
            self.mended += 1
        if packet.pts is not None and abs(packet.pts - expected) > self._far:
            packet.pts = None
            self.mended += 1

    def _us(self, ticks: int) -> int:
        return round_half_away(ticks * self._microseconds)

    def _ticks(self, microseconds: int) -> int:
        return round_half_away(microseconds / self._microseconds)


def round_half_away(value: Fraction) -> int:
    """Nearest whole number, halves away from zero: libavutil's AV_ROUND_NEAR_INF."""
    twice, unit = 2 * abs(value.numerator), value.denominator
    nearest = (twice + unit) // (2 * unit)
    return nearest if value >= 0 else -nearest


class FrameClock:
    """Stamps of decoded frames as the ffmpeg program gives them to its filters.

    libavcodec's best effort: presentation stamps, or decode stamps once those have gone back less
    often (`guess_correct_pts`). Where both are missing, stamps continue by durations; those of the
    first frames count from the start of the file.

    How long a frame stays follows the program's `video_duration_estimate`.

    Args:
        average_rate: frames per second, None where it is not known.
        origin_pts: the tick at which the file starts.
        timeless: the format has no stamps at all.
    """

    def __init__(
        self,
        time_base: Fraction,
        *,
        average_rate: Fraction | None,
        origin_pts: int,
        timeless: bool,
    ) -> None:
        ticks = 1 / (average_rate * time_base) if average_rate else Fraction(0)
        self._usual_duration = round_half_away(ticks)
        self._timeless = timeless
        self._origin_pts = origin_pts
        self._last: int | None = None
        self._duration = 0
        self._last_pts = self._last_dts = -(1 << 63)
        self._faulty_pts = self._faulty_dts = 0

    def read(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Stamp and duration in ticks of the stream's time base."""
        stamp = self._best_effort(frame.pts, frame.dts)
        if stamp is None:
            stamp = self._origin_pts if self._last is None else self._last + self._duration
        since = -1 if self._last is None else stamp - self._last
        self._duration = self._estimate(frame.duration or 0, since)
        self._last = stamp
        return stamp, self._duration

    def _estimate(self, duration: int, since: int) -> int:
        # libavformat makes up a duration of 1 where it knows none.
        made_up = self._timeless or (duration == 1 and since > 2)
        if duration > 0 and not made_up:
            return duration
        if self._timeless and self._usual_duration > 0:
            return self._usual_duration
        for estimate in (since, duration, self._usual_duration):
            if estimate > 0:
                return estimate
        return max(self._duration, 1)

    def _best_effort(self, pts: int | None, dts: int | None) -> int | None:
        if dts is not None:
            self._faulty_dts += dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        if pts is not None and (self._faulty_pts <= self._faulty_dts or dts is None):
            return pts
        return dts
