"""From folders and lists to manifests: every way a person writes a list, and every mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelpack.errors import UserError
from reelpack.manifest import (
    check_ids,
    fingerprint,
    make_manifest,
    read_folder,
    read_list,
    shard_of,
    signature,
)


def write(path: Path, text: str | bytes = b"video") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(path: Path) -> list[dict]:
    table = read_list(path)
    return [
        {key: None if pd.isna(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


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


@pytest.mark.parametrize("kind", ["plain", "bom", "crlf", "tsv", "parquet"])
def test_all_columns_in_every_form(tmp_path, kind):
    text = {"crlf": FULL.replace("\n", "\r\n"), "bom": "\ufeff" + FULL}.get(kind, FULL)
    if kind == "tsv":
        tabs = 'says ""hi"", twice\non two lines'
        text = "\t".join(["path", "clip_id", "start", "end", "label", "split", "caption"]) + "\n"
        text += f'a b.mp4\tone\t0.5\t2\t3\ttrain\t"{tabs}"\n/data/ü.webm\t\t\t\t\tval\t\n'
    if kind == "parquet":
        table = pd.DataFrame(
            {
                "path": ["a b.mp4", "/data/ü.webm"],
                "clip_id": ["one", None],
                "start": [0.5, None],
                "end": [2.0, None],
                "label": pd.array([3, None], dtype="Int64"),
                "split": ["train", "val"],
                "caption": ['says "hi", twice\non two lines', None],
            }
        )
        table.to_parquet(tmp_path / "list.parquet")
        path = tmp_path / "list.parquet"
    else:
        path = write(tmp_path / ("list.tsv" if kind == "tsv" else "list.csv"), text)
    first, second = rows(path)
    line_end = "\r\n" if kind == "crlf" else "\n"
    assert first == {
        "video": "a b.mp4",
        "start_seconds": 0.5,
        "end_seconds": 2.0,
        "label": 3,
        "caption": f'says "hi", twice{line_end}on two lines',
        "split": "train",
        "clip_id": "one",
        "path": str(tmp_path / "a b.mp4"),
    }
    assert second["path"] == "/data/ü.webm"
    assert second["clip_id"] == "data/ü"
    assert second["split"] == "val"
    missing = ("start_seconds", "end_seconds", "label", "caption")
    assert all(second[key] is None for key in missing)


def test_only_a_path_and_names_that_pandas_could_take_for_missing(tmp_path):
    path = write(tmp_path / "list.csv", "path,caption\nNA.mp4,null\nx/.mp4,\nv1.2/y,None\n")
    assert [(row["clip_id"], row["caption"]) for row in rows(path)] == [
        ("NA", "null"),
        ("x/.mp4", None),
        ("v1.2/y", "None"),
    ]


def test_windows_of_one_video_get_ids_of_their_own(tmp_path):
    path = write(tmp_path / "list.csv", "path,start,end\na.mp4,0,1.5\na.mp4,1.5,\na.mp4,,\n")
    assert [row["clip_id"] for row in rows(path)] == ["a_0_1.5", "a_1.5", "a"]


def test_index_columns_of_a_parquet_list_are_columns(tmp_path):
    table = pd.DataFrame({"path": ["a", "b", "c"], "label": [7, 3, 9]}).set_index("label")
    table.to_parquet(tmp_path / "list.parquet")
    assert [row["label"] for row in rows(tmp_path / "list.parquet")] == [7, 3, 9]


MISTAKES = {
    "no path": ("clip_id\nx\n", "no column 'path'; allowed: path, clip_id, start, end, label"),
    "unknown": ("path,foo\na,b\n", "unknown column 'foo'; allowed: path, clip_id"),
    "twice": ("path,path\na,b\n", "unknown column 'path.1'"),
    "urls": ("url\nhttp://x/y\n", "column 'url': lists of URLs cannot be read yet; give 'path'"),
    "no rows": ("path\n", "no rows in this list"),
    "empty file": ("", "cannot be read: No columns"),
    "latin-1": ("path\né.mp4\n".encode("latin-1"), "cannot be read: 'utf-8' codec can't decode"),
    "open quote": ('path,caption\na.mp4,"open\n', "cannot be read: Error tokenizing data"),
    "comma in all rows": ("path,label\na,b.mp4,3\n", "the rows have more fields than the header"),
    "comma in a row": ("path,label\na.mp4,3\nc,d.mp4,4\n", "Expected 2 fields in line 3, saw 3"),
    "trailing comma": ("path,label\na.mp4,3,\n", "the rows have more fields than the header"),
    "empty path": ("path,label\na.mp4,1\n,2\n", "row 3: empty path"),
    "nul": (b"path\na\0b.mp4\n", "row 2: empty path, or one with a NUL character"),
    "start": ("path,start\na,1\nb,soon\n", "row 3: start 'soon' is no number of seconds"),
    "end": ("path,end\na,inf\n", "row 2: end 'inf' is no number of seconds"),
    "nan": ("path,start\na,nan\n", "row 2: start 'nan' is no number of seconds"),
    "label": ("path,label\na,3\nb,1.5\n", "row 3: label '1.5' is no whole number"),
    "label text": ("path,label\na,cat\n", "row 2: label 'cat' is no whole number"),
    "large label": ("path,label\na,1e300\n", "row 2: label '1e300' is no whole number"),
    "after blank lines": ("path,label\na,3\n\n  \nb,x\n", "row 5: label 'x'"),
    "after a caption of two lines": (
        'path,label,caption\na,3,"x\ny\nz"\nb,x,\n',
        "row 5: label 'x'",
    ),
    "crlf": ("path,label\r\na,3\r\n\r\nb,x\r\n", "row 4: label 'x'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_list_is_one_line(tmp_path, name):
    text, line = MISTAKES[name]
    path = write(tmp_path / "list.csv", text)
    with pytest.raises(UserError) as caught:
        read_list(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mistakes_in_a_parquet_list_count_rows_from_one(tmp_path):
    pd.DataFrame({"path": ["a", None]}).to_parquet(tmp_path / "list.parquet")
    with pytest.raises(UserError, match="row 2: empty path"):
        read_list(tmp_path / "list.parquet")
    write(tmp_path / "bad.parquet", "not parquet")
    with pytest.raises(UserError, match=r"bad\.parquet: cannot be read: "):
        read_list(tmp_path / "bad.parquet")


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


# ---- folders -------------------------------------------------------------------------------------


def test_a_folder(tmp_path):
    for name in ("b.mp4", "a/x y.MOV", "a/ü.webm", "a/deep/z.avi", ".hidden.mp4", "a/notes.txt"):
        write(tmp_path / name)
    write(tmp_path / ".git" / "v.mp4")
    table = read_folder(tmp_path)
    assert list(table["clip_id"]) == ["a/deep/z", "a/x y", "a/ü", "b"]
    assert list(table["video"]) == ["a/deep/z.avi", "a/x y.MOV", "a/ü.webm", "b.mp4"]
    assert list(table["path"]) == [str(tmp_path / video) for video in table["video"]]
    assert [None if pd.isna(split) else split for split in table["split"]] == ["a", "a", "a", None]


def test_names_that_differ_only_in_their_ending_keep_it(tmp_path):
    for name in ("a.mp4", "a.avi", "d/a.mp4", "b.mp4"):
        write(tmp_path / name)
    assert list(read_folder(tmp_path)["clip_id"]) == ["a.avi", "a.mp4", "b", "d/a"]


def test_ids_of_a_folder_that_clash_say_rename(tmp_path):
    for name in ("a.mp4", "a.avi", "a.mp4.mkv"):
        write(tmp_path / name)
    with pytest.raises(UserError, match=r"'a\.mp4' stands for 2 rows .*; rename the files"):
        build(tmp_path, tmp_path / "out")


def test_an_empty_folder_lists_the_endings(tmp_path):
    write(tmp_path / "notes.txt")
    with pytest.raises(UserError, match=r"no videos in this folder \(endings: \.3gp .*\.mp4"):
        read_folder(tmp_path)


def test_links_are_followed_and_loops_are_not(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    write(root / "a" / "x.mp4")
    write(other / "y.mp4")
    for link, target in (
        (root / "a" / "up", root),
        (root / "a" / "here", root / "a"),
        (root / "b", other),
        (other / "back", root),
        (root / "self", root / "self"),
        (root / "z.mp4", other / "y.mp4"),
        (root / "gone.mp4", tmp_path / "nothing"),
    ):
        link.symlink_to(target)
    videos = list(read_folder(root)["video"])
    assert videos == ["a/x.mp4", "b/y.mp4", "gone.mp4", "z.mp4"]
    assert signature(root) == signature(root)


def test_a_name_that_is_no_utf_8_is_one_line(tmp_path):
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))).write_bytes(b"x")
    with pytest.raises(UserError, match=r"file name b'caf\\xe9\.mp4' is not UTF-8 text; rename"):
        read_folder(tmp_path)
    assert signature(tmp_path)


def test_splits_are_first_folders(tmp_path):
    for name in ("train/a.mp4", "train/d/b.mp4", "val/a.mp4", "c.mp4"):
        write(tmp_path / "v" / name)
    clips, _ = build(tmp_path / "v", tmp_path / "out", split="train")
    assert [clip["clip_id"] for clip in clips] == ["train/a", "train/d/b"]
    with pytest.raises(
        UserError, match=r"no clip of split 'test'; splits found: \['train', 'val'\]"
    ):
        build(tmp_path / "v", tmp_path / "out", split="test")


# ---- manifests -----------------------------------------------------------------------------------


def test_a_manifest_is_in_list_order_and_its_tables_hold_everything(tmp_path):
    path = write(tmp_path / "list.csv", FULL)
    clips, _ = build(path, tmp_path / "out", shards=3)
    assert [clip["clip_id"] for clip in clips] == ["one", "data/ü"]
    assert [clip["label"] for clip in clips] == [3, None]
    for clip in clips:
        assert clip["shard"] == shard_of({"one": "a b.mp4"}.get(clip["clip_id"], "/data/ü.webm"), 3)
    tables = [pq.read_table(tmp_path / "out" / f"{n:05d}.parquet").to_pylist() for n in range(3)]
    one = next(row for rows in tables for row in rows if row["clip_id"] == "one")
    assert (one["start_seconds"], one["end_seconds"], one["fingerprint"]) == (0.5, 2.0, "")


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
        assert [shard_of(video, n) for n in (1, 7, 1000)] == [digest % n for n in (1, 7, 1000)]


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
    assert changed == [shard_of(new, shards)]


def test_two_runs_give_equal_bytes(tmp_path):
    path = write(tmp_path / "list.csv", FULL)
    assert build(path, tmp_path / "one")[1] == build(path, tmp_path / "two")[1]
    one, two = (tmp_path / name / "m.parquet" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_touched_file_keeps_its_fingerprint_and_a_replaced_one_does_not(tmp_path):
    file = write(tmp_path / "v" / "a.mp4", bytes(300_000))
    mark, state = fingerprint(str(file)), signature(tmp_path / "v")
    os.utime(file, (1, 1))
    assert fingerprint(str(file)) == mark
    assert signature(tmp_path / "v") != state
    for place in (0, 150_000, 299_999):
        changed = bytearray(300_000)
        changed[place] = 1
        assert fingerprint(str(write(file, bytes(changed)))) != mark
    assert fingerprint(str(write(file, bytes(300_001)))) != mark
    assert fingerprint(str(tmp_path / "none")) == ""
    assert fingerprint(str(write(tmp_path / "empty"))) != ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "caption,path\nx,b.mp4\ny,a.mp4\n"),
        ("list.csv", '\ufeffpath,caption\r\n"a.mp4","x, ""y""\nz"\r\n\r\nb.mp4,\r\n'),
        ("list.tsv", "label\tpath\n1\ta.mp4\n"),
        ("list.CSV", " path ,label\na.mp4,1\n"),
    ],
)
def test_the_signature_of_a_list_follows_its_videos(tmp_path, name, text):
    path = write(tmp_path / name, text)
    first = signature(path)
    write(tmp_path / "a.mp4")
    second = signature(path)
    write(tmp_path / "a.mp4", b"longer video")
    assert len({first, second, signature(path)}) == 3


def test_a_signature_of_a_bad_list_is_its_mistake(tmp_path):
    with pytest.raises(UserError, match="no column 'path'"):
        signature(write(tmp_path / "list.csv", "clip_id\na\n"))
    assert signature(write(tmp_path / "nul.csv", b"path\na\0b\n"))


def test_nothing_there(tmp_path):
    with pytest.raises(UserError, match=r"nope: no such folder or list of videos"):
        build(tmp_path / "nope", tmp_path)
    with pytest.raises(UserError, match=r"list\.txt: a list must end in one of: \.csv, \.tsv"):
        build(write(tmp_path / "list.txt", "path\na\n"), tmp_path)


def test_the_module_does_not_load_torch_or_av():
    code = "import sys, reelpack.manifest; print({'torch', 'av'} & set(sys.modules))"
    scripts = Path(__file__).parents[1] / "scripts"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
