"""Lists: every way a person writes one, and every mistake."""

import json
from pathlib import Path

import pandas as pd
import pytest

from reelpack.core.errors import UserError
from reelpack.lists.own import read_list, read_paths
from reelpack.lists.url_names import name_video
from tests.support.helpers import write


def rows(path: Path, fetched: Path | None = None) -> list[dict]:
    table = read_list(path, fetched=fetched)
    return [
        {
            key: None if not isinstance(value, list) and pd.isna(value) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]


FULL = """path,clip_id,start,end,label,label_name,split,caption
a b.mp4,one,0.5,2,3,kite,train,"says ""hi"", twice
on two lines"
/data/ü.webm,,,,,,val,
"""


@pytest.mark.parametrize("kind", ["plain", "bom", "crlf", "tsv", "parquet", "jsonl"])
def test_all_columns_in_every_form(tmp_path, kind):
    text = {"crlf": FULL.replace("\n", "\r\n"), "bom": "\ufeff" + FULL}.get(kind, FULL)
    if kind == "tsv":
        tabs = 'says ""hi"", twice\non two lines'
        text = FULL.splitlines()[0].replace(",", "\t") + "\n"
        text += f'a b.mp4\tone\t0.5\t2\t3\tkite\ttrain\t"{tabs}"\n'
        text += "/data/ü.webm" + 6 * "\t" + "val\t\n"
    if kind in ("parquet", "jsonl"):
        table = pd.DataFrame(
            {
                "path": ["a b.mp4", "/data/ü.webm"],
                "clip_id": ["one", None],
                "start": [0.5, None],
                "end": [2.0, None],
                "label": pd.array([3, None], dtype="Int64"),
                "label_name": pd.Categorical(["kite", None]),
                "split": ["train", "val"],
                "caption": ['says "hi", twice\non two lines', None],
            }
        )
        path = tmp_path / f"list.{kind}"
        if kind == "parquet":
            table.to_parquet(path)
        else:
            table.to_json(path, orient="records", lines=True)
    else:
        path = write(tmp_path / ("list.tsv" if kind == "tsv" else "list.csv"), text)
    first, second = rows(path)
    line_end = "\r\n" if kind == "crlf" else "\n"
    assert first == {
        "video": "a b.mp4",
        "start_seconds": 0.5,
        "end_seconds": 2.0,
        "label": 3,
        "label_name": "kite",
        "url": None,
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
    "no path": ("clip_id\nx\n", "no column 'path' or 'url'; allowed: path, url, clip_id"),
    "unknown": ("path,foo\na,b\n", "unknown column 'foo'; allowed: path, url, clip_id"),
    "twice": ("path,path\na,b\n", "unknown column 'path.1'"),
    "both": ("path,url\n,http://x/y\na,http://x/z\n", "row 3: has a path and a url; allowed: one"),
    "neither": ("path,url,label\n,http://x/y,\n,,3\n", "row 3: empty path"),
    "file url": ("url\nfile:///etc/passwd\n", "row 2: address 'file:///etc/passwd': scheme is not"),
    "ftp": ("url\nhttp://x/y\nftp://x/y\n", "row 3: address 'ftp://x/y': scheme is not http or"),
    "no scheme": ("url\nx.org/y.mp4\n", "row 2: address 'x.org/y.mp4': scheme is not http or"),
    "script": ("url\njavascript:alert(1)\n", "row 2: address 'javascript:alert(1)': scheme is not"),
    "no host": ("url\nhttp:///y.mp4\n", "row 2: address 'http:///y.mp4' has no host"),
    "blank": ("url\nhttp://x/a b\n", "row 2: address 'http://x/a b' has a blank or a control"),
    "line end": ('url\n"http://x/a\nb"\n', r"row 2: address 'http://x/a\nb' has a blank or a"),
    "port": ("url\nhttp://x:99999/y\n", "row 2: address 'http://x:99999/y': Port out of range"),
    "captions": (
        "path,captions\na,just one\n",
        "row 2: captions 'just one' is not a list of texts",
    ),
    "numbers": ('path,captions\na,"[1, 2]"\n', "row 2: captions [1, 2] is not a list of texts"),
    "twice with blanks": ("path, path\na,b\n", "column 'path' stands there twice"),
    "inexact label": ("path,label\na,9007199254740993\n", "row 2: label '9007199254740993' is not"),
    "no rows": ("path\n", "no rows in this list"),
    "empty file": ("", "cannot be read: No columns"),
    "latin-1": ("path\né.mp4\n".encode("latin-1"), "cannot be read: 'utf-8' codec can't decode"),
    "open quote": ('path,caption\na.mp4,"open\n', "cannot be read: Error tokenizing data"),
    "comma in all rows": ("path,label\na,b.mp4,3\n", "the rows have more fields than the header"),
    "comma in a row": ("path,label\na.mp4,3\nc,d.mp4,4\n", "Expected 2 fields in line 3, saw 3"),
    "trailing comma": ("path,label\na.mp4,3,\n", "the rows have more fields than the header"),
    "empty path": ("path,label\na.mp4,1\n,2\n", "row 3: empty path"),
    "nul": (b"path\na\0b.mp4\n", "row 2: empty path, or one with a NUL character"),
    "start": ("path,start\na,1\nb,soon\n", "row 3: start 'soon' is not a number of seconds"),
    "end": ("path,end\na,inf\n", "row 2: end 'inf' is not a number of seconds"),
    "nan": ("path,start\na,nan\n", "row 2: start 'nan' is not a number of seconds"),
    "label": ("path,label\na,3\nb,1.5\n", "row 3: label '1.5' is not a whole number"),
    "label text": ("path,label\na,cat\n", "row 2: label 'cat' is not a whole number"),
    "large label": ("path,label\na,1e300\n", "row 2: label '1e300' is not a whole number"),
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
        read_list(path, fetched=tmp_path)
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


# ---- jsonl ---------------------------------------------------------------------------------------


def test_json_values_of_every_fit_kind(tmp_path):
    lines = [
        {"path": "a.mp4", "clip_id": 17, "start": 2, "end": 3.25, "label": "4"},
        {"path": "b.mp4", "start": 2, "end": 3.0, "captions": ["ü", "two"], "caption": None},
        {"path": "c.mp4", "label": None, "caption": "2020-01-01", "captions": []},
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    for form in (text, "\ufeff" + text.replace("\n", "\r\n\r\n")):
        one, two, three = rows(write(tmp_path / "list.jsonl", form))
        assert (one["clip_id"], one["start_seconds"], one["label"]) == ("17", 2.0, 4)
        assert (two["clip_id"], two["caption"], two["captions"]) == ("b_2_3", "ü", ["ü", "two"])
        assert (three["clip_id"], three["captions"]) == ("c", ["2020-01-01"])


def test_ids_of_json_windows_do_not_depend_on_the_other_rows(tmp_path):
    plain = [{"path": "a", "start": 0, "end": 10}, {"path": "a", "start": 2.5, "end": 10.0}]
    odd = [*plain, {"path": "b", "clip_id": 5}]
    ids = []
    for lines in (plain, plain[:1], odd):
        text = "\n".join(json.dumps(line) for line in lines)
        ids.append([row["clip_id"] for row in rows(write(tmp_path / "list.jsonl", text))])
    assert ids == [["a_0_10", "a_2.5_10"], ["a_0_10"], ["a_0_10", "a_2.5_10", "5"]]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "no rows in this list"),
        ("\n\n", "no rows in this list"),
        ('{"clip_id": "a"}', "no column 'path' or 'url'; allowed: path, url"),
        ('{"path": "a", "foo": {"x": 1}}', "unknown column 'foo'; allowed: path, url"),
        ('{"path": "a"}\n\n{"path": "b"', "row 3: not a JSON object: Expecting ',' delimiter"),
        ('{"path": "a"}\n[1, 2]', "row 2: not a JSON object: [1, 2]"),
        ('{"path": "a"}\n"b"', 'row 2: not a JSON object: "b"'),
        ('{"path": ["a"]}', "row 1: path ['a'] is not a text"),
        ('{"path": true}', "row 1: path True is not a text"),
        ('{"path": "\\ud800"}', r"row 1: path '\ud800' is not a text"),
        ('{"path": "a", "start": [1]}', "row 1: start [1] is not a number"),
        ('{"path": "a"}\n{"path": "b", "label": true}', "row 2: label True is not a number"),
        ('{"path": "a"}\n\n{"path": "b", "label": 1.5}', "row 3: label 1.5 is not a whole number"),
        ('{"path": "a", "start": NaN}', "row 1: not a JSON object: NaN is not a JSON number"),
        ('{"path": "a", "start": "soon"}', "row 1: start 'soon' is not a number of seconds"),
        ('{"path": "a", "captions": "x"}', "row 1: captions 'x' is not a list of texts"),
        ('{"path": "a", "captions": [1]}', "row 1: captions [1] is not a list of texts"),
        ('{"path": "a", "x": ' + "[" * 100_000, "row 1: not a JSON object: "),
        (b'{"path": "\xe9"}', "cannot be read: 'utf-8' codec can't decode"),
    ],
)
def test_a_mistake_in_a_jsonl_list_is_one_line(tmp_path, text, line):
    path = write(tmp_path / "list.jsonl", text)
    with pytest.raises(UserError) as caught:
        read_list(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_captions_of_parquet_and_csv(tmp_path):
    pd.DataFrame({"path": ["a", "b", "c"], "captions": [["x", "y"], None, []]}).to_parquet(
        tmp_path / "list.parquet"
    )
    found = rows(tmp_path / "list.parquet")
    assert [(row["caption"], row["captions"]) for row in found] == [
        ("x", ["x", "y"]),
        (None, []),
        (None, []),
    ]
    text = 'path,caption,captions\na,own,"[""x"", ""y""]"\nb,own,\nc,,\n'
    found = rows(write(tmp_path / "list.csv", text))
    assert [(row["caption"], row["captions"]) for row in found] == [
        ("own", ["x", "y"]),
        ("own", ["own"]),
        (None, []),
    ]


# ---- addresses -----------------------------------------------------------------------------------


def test_addresses_beside_paths(tmp_path):
    url = "https://x.org/v/b.mp4?key=1"
    text = f"path,url,start,end\na.mp4,,,\n,{url},0,1\n,{url},1,2\n"
    own, first, second = rows_fetched(write(tmp_path / "list.csv", text))
    assert (own["path"], own["url"], own["clip_id"]) == (str(tmp_path / "a.mp4"), None, "a")
    name = name_video(url)
    stem = name.removesuffix(".mp4")
    assert [row["clip_id"] for row in (first, second)] == [f"{stem}_0_1", f"{stem}_1_2"]
    for row in (first, second):
        assert (row["video"], row["url"], row["path"]) == (name, url, f"resources/videos/x/{name}")


def rows_fetched(path):
    return rows(path, fetched=Path("resources/videos/x"))


def test_without_a_place_to_fetch_to_addresses_are_refused(tmp_path):
    path = write(tmp_path / "list.csv", "url\nhttp://x/y.mp4\n")
    with pytest.raises(UserError, match="column 'url': nothing is fetched here; give 'path'"):
        read_list(path)


def test_own_paths_may_lead_anywhere_and_keep_the_ids_given(tmp_path):
    text = "path,clip_id\n../../elsewhere/a.mp4,one\n/etc/x.mp4,$(reboot)\n"
    one, two = rows(write(tmp_path / "list.csv", text))
    assert one["path"] == f"{tmp_path}/../../elsewhere/a.mp4"
    assert (two["path"], two["clip_id"]) == ("/etc/x.mp4", "$(reboot)")


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "jsonl"])
def test_the_paths_of_a_list_alone(tmp_path, kind):
    table = pd.DataFrame(
        {"url": [None, "http://x/y", None], "path": ["a b.mp4", None, "/c,d.mp4"], "label": 1}
    )
    path = tmp_path / f"list.{kind}"
    if kind == "parquet":
        table.to_parquet(path)
    elif kind == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    assert read_paths(path) == ["a b.mp4", "/c,d.mp4"]
    only = table[["url"]].fillna("http://x/z")
    if kind == "jsonl":
        only.to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        only.to_parquet(path)
    else:
        only.to_csv(path, index=False)
    assert read_paths(path) == []


def test_lists_of_heros_extractor(tmp_path):
    path = write(
        tmp_path / "slowfast_info.csv",
        "video_path,feature_path\n"
        "/video/a.mp4, /output/slowfast_features/a.npz\n"
        "tv/b.c.webm,/output/slowfast_features/b.c.npz\n"
        "/video/a.mp4, /output/slowfast_features/a.npz\n",
    )
    found = [(row["video"], row["clip_id"], row["path"]) for row in rows(path)]
    assert found == [
        ("/video/a.mp4", "a", "/video/a.mp4"),
        ("tv/b.c.webm", "b.c", str(tmp_path / "tv/b.c.webm")),
    ]
    assert read_paths(path) == ["/video/a.mp4", "tv/b.c.webm"]
    other = write(tmp_path / "other.csv", "video_path,feature_path,label\na.mp4,a.npz,1\n")
    with pytest.raises(UserError, match="unknown column 'video_path'"):
        read_list(other)
