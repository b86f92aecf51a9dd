from dataclasses import replace

from reelpack.clips import Clip, read_clips, write_clips

CLIP = Clip("ü/a b", "/v/a b.mp4", "0" * 64, None, 2.5)


def test_round_trip_keeps_order_and_open_ends(tmp_path):
    clips = [CLIP, replace(CLIP, clip_id="b", start_seconds=0.1, end_seconds=None)]
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
    }
    assert len(keys) == 6
    assert replace(CLIP, path="/moved.mp4").key("r") == CLIP.key("r")
