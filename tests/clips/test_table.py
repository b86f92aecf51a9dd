import hashlib
import json
from dataclasses import replace

import pyarrow.parquet as pq

from reelpack.clips.table import Clip, read_clips, write_clips

CLIP = Clip("ü/a b", "/v/a b.mp4", "0" * 64, None, 2.5)


def test_round_trip_keeps_order_and_open_ends(tmp_path):
    clips = [CLIP, replace(CLIP, clip_id="b", start_seconds=0.1, end_seconds=None, record=7)]
    write_clips(clips, tmp_path / "c")
    assert read_clips(tmp_path / "c") == clips
    write_clips([], tmp_path / "c")
    assert read_clips(tmp_path / "c") == []


def test_the_key_follows_content_window_and_result_but_not_the_place():
    keys = {
        CLIP.key("r"),
        CLIP.key("s"),
        replace(CLIP, clip_id="b").key("r"),
        replace(CLIP, sha256="1" * 64).key("r"),
        replace(CLIP, start_seconds=0.0).key("r"),
        replace(CLIP, end_seconds=None).key("r"),
        replace(CLIP, record=1).key("r"),
        replace(CLIP, record=2).key("r"),
    }
    assert len(keys) == 8
    assert replace(CLIP, path="/moved.mp4").key("r") == CLIP.key("r")


def test_the_key_of_a_clip_of_its_own_file_never_changes():
    parts = ["r", "ü/a b", "0" * 64, None, 2.5]
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    assert CLIP.key("r") == hashlib.sha256(text.encode()).hexdigest()[:32]


def test_a_table_from_before_records_can_be_read(tmp_path):
    write_clips([CLIP], tmp_path / "c")
    table = pq.read_table(tmp_path / "c").drop_columns(["record"])
    pq.write_table(table, tmp_path / "c")
    assert read_clips(tmp_path / "c") == [CLIP]
