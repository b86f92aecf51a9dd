"""From folders and lists to manifests: ids, shards, splits."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelpack.core.errors import UserError
from reelpack.lists.manifest import check_ids, choose_shard, make_manifest
from reelpack.lists.own import read_list
from tests.support.helpers import ROOT, write


def build(videos: Path, out: Path, *, shards: int = 2, split: str = ""):
    tables = [out / f"{number:05d}.parquet" for number in range(shards)]
    make_manifest(
        videos, split=split, by_split=bool(split), manifest=out / "m.parquet", tables=tables
    )
    return pq.read_table(out / "m.parquet").to_pylist(), [t.read_bytes() for t in tables]


FULL = """path,clip_id,start,end,label,split,caption
a b.mp4,one,0.5,2,3,train,"says ""hi"", twice
on two lines"
/data/ü.webm,,,,,val,
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("path\na.mp4\nb.mp4\na.avi\n", "clip id 'a' stands for 2 rows ("),
        ("path,clip_id\na,x\nb,x\nc,x\nd,y\ne,y\n", "(3 rows too many in all); give a column clip"),
        ("path\n../a.mp4\n", "clip id '../a' is not allowed"),
        ("path\n./a.mp4\n", "parts; give a column clip_id"),
        ('path,clip_id\na,"x\ny"\n', r"clip id 'x\ny' is not allowed: no control characters"),
        ("path,clip_id\na,/x\n", "clip id '/x' is not allowed"),
    ],
)
def test_ids_that_clash_or_cannot_be_names(tmp_path, text, line):
    path = write(tmp_path / "list.csv", text)
    with pytest.raises(UserError) as caught:
        check_ids(read_list(path), path)
    assert line in str(caught.value)


def test_ids_of_a_folder_that_clash_say_rename(tmp_path):
    for name in ("a.mp4", "a.avi", "a.mp4.mkv"):
        write(tmp_path / name)
    with pytest.raises(UserError, match=r"'a\.mp4' stands for 2 rows .*; rename the files"):
        build(tmp_path, tmp_path / "out")


def test_splits_are_first_folders(tmp_path):
    for name in ("train/a.mp4", "train/d/b.mp4", "val/a.mp4", "c.mp4"):
        write(tmp_path / "v" / name)
    clips, _ = build(tmp_path / "v", tmp_path / "out", split="train")
    assert [clip["clip_id"] for clip in clips] == ["train/a", "train/d/b"]
    with pytest.raises(
        UserError, match=r"no clip of split 'test'; splits found: \['train', 'val'\]"
    ):
        build(tmp_path / "v", tmp_path / "out", split="test")


def test_a_manifest_is_in_list_order_and_its_tables_hold_everything(tmp_path):
    path = write(tmp_path / "list.csv", FULL)
    clips, _ = build(path, tmp_path / "out", shards=3)
    assert [clip["clip_id"] for clip in clips] == ["one", "data/ü"]
    assert [clip["label"] for clip in clips] == [3, None]
    for clip in clips:
        assert clip["shard"] == choose_shard(
            {"one": "a b.mp4"}.get(clip["clip_id"], "/data/ü.webm"), 3
        )
    tables = [pq.read_table(tmp_path / "out" / f"{n:05d}.parquet").to_pylist() for n in range(3)]
    one = next(row for rows in tables for row in rows if row["clip_id"] == "one")
    assert (one["start_seconds"], one["end_seconds"], one["fingerprint"]) == (0.5, 2.0, "")


def test_addresses_and_captions_reach_the_tables(tmp_path):
    url = "https://x.org/v/b.mp4"
    text = f'path,url,start,captions\nlist.csv,,,\n,{url},1,"[""x"", ""y""]"\n,{url},2,\n'
    path = write(tmp_path / "list.csv", text)
    tables = [tmp_path / "out" / f"{number}.parquet" for number in range(2)]
    make_manifest(
        path,
        split="",
        by_split=False,
        manifest=tmp_path / "out" / "m.parquet",
        tables=tables,
        fetched=Path("resources/videos/x"),
    )
    own, first, second = pq.read_table(tmp_path / "out" / "m.parquet").to_pylist()
    assert (own["clip_id"], own["captions"]) == ("list", [])
    assert (first["caption"], first["captions"]) == ("x", ["x", "y"])
    assert first["video"] == second["video"]
    assert first["shard"] == second["shard"] == choose_shard(first["video"], 2)
    stored = [row for table in tables for row in pq.read_table(table).to_pylist()]
    by_id = {row["clip_id"]: row for row in stored}
    assert by_id["list"]["fingerprint"] != ""
    far = by_id[second["clip_id"]]
    assert (far["url"], far["fingerprint"], far["start_seconds"]) == (url, "", 2.0)
    assert far["path"] == f"resources/videos/x/{far['video']}"


def test_all_clips_of_a_video_share_a_shard(tmp_path):
    text = "path,start\n" + "".join(f"v{n}.mp4,{s}\n" for s in range(4) for n in range(30))
    clips, _ = build(write(tmp_path / "list.csv", text), tmp_path / "out", shards=7)
    shards = {}
    for clip in clips:
        shards.setdefault(clip["clip_id"].split("_")[0], set()).add(clip["shard"])
    assert all(len(found) == 1 for found in shards.values())
    assert len(set.union(*shards.values())) > 1


def test_shard_numbers_are_fixed_for_ever():
    # The first eight bytes of `printf NAME | sha256sum`.
    for video, digest in (("a.mp4", 0xE6D48EABD560BC60), ("d/ü b.webm", 0xADBF666F49BC9FEF)):
        assert [choose_shard(video, n) for n in (1, 7, 1000)] == [digest % n for n in (1, 7, 1000)]


NAMES = st.lists(
    st.text("abcdefghij", min_size=1, max_size=4), min_size=1, max_size=12, unique=True
)


@settings(max_examples=25, deadline=None)
@given(NAMES, st.integers(1, 5), st.data())
def test_a_new_clip_changes_the_bytes_of_its_own_shard_alone(tmp_path_factory, names, shards, data):
    folder = tmp_path_factory.mktemp("lists")
    new = data.draw(st.text("klm", min_size=1, max_size=3))
    place = data.draw(st.integers(0, len(names)))
    grown = [*names[:place], new, *names[place:]]
    text = "path,caption\n{}"
    lists = [
        write(folder / f"{key}.csv", text.format("".join(f"{n},about {n}\n" for n in found)))
        for key, found in (("old", names), ("new", grown))
    ]
    before, after = (build(path, folder / "out", shards=shards)[1] for path in lists)
    changed = [n for n in range(shards) if before[n] != after[n]]
    assert changed == [choose_shard(new, shards)]


def test_two_runs_give_equal_bytes(tmp_path):
    path = write(tmp_path / "list.csv", FULL)
    assert build(path, tmp_path / "one")[1] == build(path, tmp_path / "two")[1]
    one, two = (tmp_path / name / "m.parquet" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_nothing_there(tmp_path):
    with pytest.raises(UserError, match=r"nope: no such folder or list of videos"):
        build(tmp_path / "nope", tmp_path)
    with pytest.raises(UserError, match=r"list\.txt: a list must end in one of: \.csv, \.tsv"):
        build(write(tmp_path / "list.txt", "path\na\n"), tmp_path)


def test_the_module_does_not_load_torch_or_av():
    code = "import sys, reelpack.lists.manifest; print({'torch', 'av'} & set(sys.modules))"
    scripts = ROOT / "scripts"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
