"""Manifests of published annotations, and the folders in which a person has the videos."""

import pyarrow.parquet as pq
import pytest

from reelpack.core.errors import UserError
from reelpack.lists.published import make_annotated_manifest

ROWS = (("air drumming", "aaa", 3, 13), ("zumba", "bbb", 0, 10), ("zumba", "ccc", 5, 15))


@pytest.fixture
def manifest(tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    lines = ["label,youtube_id,time_start,time_end,split"]
    lines += [f"{label},{name},{start},{end},train" for label, name, start, end in ROWS]
    (lists / "train.csv").write_text("\n".join(lines))

    def run(*folders, is_fetched=True, windows="cut"):
        params = {
            "split": "train",
            "select": ["train"],
            "videos": str(tmp_path / "videos"),
            "annotations": {
                "adapter": "kinetics",
                "options": {"naming": "{label}/{youtube_id}_{start}_{duration}.mp4"},
            },
            "folders": list(folders),
            "windows": windows,
            "is_fetched": is_fetched,
        }
        tables = [tmp_path / f"{number}.parquet" for number in range(2)]
        count = make_annotated_manifest(
            params, folder=lists, manifest=tmp_path / "manifest.parquet", tables=tables
        )
        assert count == len(ROWS)
        rows = [row for table in tables for row in pq.read_table(table).to_pylist()]
        return {row["source_id"]: row for row in rows}

    return run


def write(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_rows_hold_what_downloads_need(manifest, tmp_path):
    rows = manifest()
    row = rows["aaa"]
    assert row["clip_id"] == "air drumming/aaa_3_10"
    assert row["path"] == str(tmp_path / "videos/air drumming/aaa_3_10.mp4")
    assert (row["start_seconds"], row["end_seconds"]) == (3, 13)
    assert (row["label"], row["label_name"], row["fingerprint"]) == (0, "air drumming", "")
    assert row["url"] == "https://www.youtube.com/watch?v=aaa"
    manifest = pq.read_table(tmp_path / "manifest.parquet").to_pylist()
    assert [row["label_name"] for row in manifest] == ["air drumming", "zumba", "zumba"]
    assert manifest[0]["video"] == "air drumming/aaa_3_10.mp4"


def test_videos_that_were_fetched_change_nothing(manifest, tmp_path):
    before = manifest()
    write(tmp_path / "videos/air drumming/aaa_3_10.mp4")
    assert manifest() == before
    assert manifest(is_fetched=False)["aaa"]["fingerprint"] != ""


def test_folders_are_tried_in_order(manifest, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    write(one / "air drumming/aaa_3_10.mp4")
    write(two / "air drumming/aaa_3_10.mp4", b"other")
    write(two / "bbb_000000_000010.mkv")
    naming = "{source_id}_{start:06d}_{end:06d}.mp4"
    rows = manifest(
        {"folder": str(one)}, {"folder": str(two), "naming": naming}, {"folder": "/nowhere"}
    )
    assert rows["aaa"]["path"] == str(one / "air drumming/aaa_3_10.mp4")
    assert rows["bbb"]["path"] == str(two / "bbb_000000_000010.mkv")
    assert rows["bbb"]["fingerprint"] != ""
    assert rows["ccc"]["fingerprint"] == ""
    assert [rows[name]["whole"] for name in ("aaa", "bbb", "ccc")] == [False] * 3


@pytest.mark.parametrize(("windows", "is_whole"), [("cut", True), ("inside", None)])
def test_longer_videos_serve_clips_that_are_cut(manifest, tmp_path, windows, is_whole):
    write(tmp_path / "own/bbb.mp4")
    row = manifest({"folder": str(tmp_path / "own")}, windows=windows)["bbb"]
    if is_whole:
        assert (row["path"], row["whole"]) == (str(tmp_path / "own/bbb.mp4"), True)
    else:
        assert (row["fingerprint"], row["whole"]) == ("", False)


def test_a_missing_list_is_named(manifest, tmp_path):
    (tmp_path / "lists/train.csv").unlink()
    with pytest.raises(UserError, match=r"lists: adapter kinetics needs train\.csv"):
        manifest()
