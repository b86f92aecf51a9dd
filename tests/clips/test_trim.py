from dataclasses import asdict, replace

import pandas as pd
import pytest

from reelpack.clips.table import Clip, Probe, read_clips, write_probes
from reelpack.clips.trim import build_clip, trim_shard
from reelpack.core.errors import ClipError
from reelpack.core.tables import write_table
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import LedgerRow, read_ledger, write_ledger
from reelpack.lists.manifest import CLIP_COLUMNS
from reelpack.lists.shard_table import ShardRow

PROBE = Probe("a", "/v.mp4", "s" * 64, 9, "h264", 64, 48, 0, 25, 2.0, False)


def row(clip_id="a", start=None, end=None):
    return ShardRow(clip_id, "v.mp4", "/v.mp4", start, end, None, None, "")


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), (0.0, None), (1.999, None), (None, 99.0), (0.5, 0.6)]
)
def test_windows_that_are_kept_as_they_are(start, end):
    assert build_clip(row(start=start, end=end), PROBE) == Clip("a", "/v.mp4", "s" * 64, start, end)


def test_a_clip_keeps_the_number_of_its_record():
    assert build_clip(replace(row(), record=3), PROBE) == Clip(
        "a", "/v.mp4", "s" * 64, None, None, record=3
    )


def test_a_picture_lasts_no_time_and_is_a_clip():
    picture = replace(PROBE, codec="picture", pictures=1, duration_seconds=0.0)
    assert build_clip(row(), picture) == Clip("a", "/v.mp4", "s" * 64, None, None)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-0.5, None, "start -0.5 s is negative"),
        (None, 0.0, "end 0 s is not after start 0 s"),
        (1.0, 1.0, "end 1 s is not after start 1 s"),
        (2.0, None, "start 2 s is behind the end at 2 s"),
        (5.0, 9.0, "start 5 s is behind the end at 2 s"),
    ],
)
def test_windows_without_a_picture(start, end, message):
    with pytest.raises(ClipError, match=message) as caught:
        build_clip(row(start=start, end=end), PROBE)
    assert caught.value.failure == "too_short"


def test_a_video_of_unknown_length_may_start_anywhere():
    unknown = Probe(**{**asdict(PROBE), "duration_seconds": 0.0})
    assert build_clip(row(start=5.0), unknown).start_seconds == 5.0


@pytest.mark.parametrize(
    ("windows", "of_row", "of_probe", "expected"),
    [
        ("inside", None, False, (0.5, 1.5)),
        ("inside", True, True, (0.5, 1.5)),
        ("cut", None, False, (None, None)),
        ("cut", False, False, (None, None)),
        ("cut", True, False, (0.5, 1.5)),
        ("cut", None, True, (0.5, 1.5)),
    ],
)
def test_what_start_and_end_mean(windows, of_row, of_probe, expected):
    asked = replace(row(start=0.5, end=1.5), whole=of_row)
    clip = build_clip(asked, replace(PROBE, whole=of_probe), windows=windows)
    assert (clip.start_seconds, clip.end_seconds) == expected


def test_where_a_clip_was_in_another_video_is_no_window_of_its_own_file():
    assert build_clip(row(start=70.0, end=80.0), PROBE, windows="cut").start_seconds is None


def shard(folder, rows, probes, ledger):
    frame = pd.DataFrame([asdict(r) for r in rows], columns=CLIP_COLUMNS.names)
    write_table(frame, CLIP_COLUMNS, folder / "s")
    write_probes(probes, folder / "p")
    write_ledger(ledger, folder / "e")
    job = Job("r", folder / "clips", folder / "ledger", folder / "journal", (folder / "e",))
    return trim_shard(folder / "s", folder / "p", job)


def test_a_shard(tmp_path):
    rows = [row("z"), row("gone"), row("a", start=9.0), row("m", end=1.0)]
    gone = LedgerRow("gone", "download_shard", "failed", "gone", "404", key="k", retry="0")
    earlier = [LedgerRow(r.clip_id, "download_shard", "ok") for r in rows]
    earlier[1] = gone
    probes = [Probe(**{**asdict(PROBE), "clip_id": name}) for name in ("z", "a", "m")]
    found = shard(tmp_path, rows, probes, earlier)
    assert [(r.clip_id, r.stage, r.failure) for r in found] == [
        ("z", "trim_shard", ""),
        ("gone", "download_shard", "gone"),
        ("a", "trim_shard", "too_short"),
        ("m", "trim_shard", ""),
    ]
    assert found[1] == gone
    assert read_ledger(tmp_path / "ledger") == found
    assert [clip.clip_id for clip in read_clips(tmp_path / "clips")] == ["z", "m"]


def test_an_empty_shard(tmp_path):
    assert shard(tmp_path, [], [], []) == []
    assert read_clips(tmp_path / "clips") == []
