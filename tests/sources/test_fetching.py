"""A shard's files from its sources, in order; every clip ends with a file or a reason."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from reelpack.core.errors import ClipError
from reelpack.jobs.stage import Task
from reelpack.lists.shard_table import ShardRow
from reelpack.sources import youtube
from reelpack.sources.archives import ArchiveIndex
from reelpack.sources.base import Fetched
from reelpack.sources.fetching import FetchPlan, fetch_clips, is_page
from tests.sources.server import page, serve, status

OPTIONS = {"attempts": 1, "backoff_seconds": 0, "refusals": 2}
GOOD, BAD = b"good", b"bad"


@dataclass
class Shard:
    folder: Path

    def row(self, name, **keys):
        path = str(self.folder / "videos" / name)
        return ShardRow(name, name, path, None, None, None, None, "", **keys)

    def fetch(self, rows, *sources, archives=None, windows="inside"):
        plan = FetchPlan(
            [{"number": n, **source} for n, source in enumerate(sources)],
            archives=archives or {},
            windows=windows,
            options=OPTIONS,
        )
        tasks = [Task(row, row.clip_id, self.folder / row.clip_id, None) for row in rows]
        outcomes = list(fetch_clips(tasks, plan, check=check))
        assert sorted(task.key for task, _ in outcomes) == sorted(row.clip_id for row in rows)
        return {task.key: "ok" if error is None else error.failure for task, error in outcomes}


def check(tasks):
    for task in tasks:
        content = Path(task.item.path).read_bytes()
        yield task, None if content == GOOD else ClipError("corrupt", f"{task.key} is bad")


@pytest.fixture
def shard(tmp_path):
    return Shard(tmp_path)


def test_each_source_gets_what_the_one_before_lacks(shard, site):
    for name in ("a", "b"):
        site.add(f"/one/{name}", serve(GOOD if name == "a" else BAD))
    site.add("/one/html", page())
    for name in ("b", "c", "html"):
        site.add(f"/two/{name}", serve(GOOD))
    rows = [shard.row(name) for name in ("a", "b", "c", "d", "html")]
    sources = [{"http": f"{site.address}/{folder}/{{video}}"} for folder in ("one", "two")]
    found = shard.fetch(rows, *sources)
    assert found == {"a": "ok", "b": "ok", "c": "ok", "d": "gone", "html": "ok"}
    assert site.count("/two/a") == 0
    assert not (shard.folder / "videos/d").exists()


def test_a_bad_file_is_not_a_file(shard, site):
    site.add("/x", serve(BAD))
    assert shard.fetch([shard.row("x")], {"http": f"{site.address}/{{video}}"}) == {"x": "corrupt"}
    assert not (shard.folder / "videos/x").exists()


def test_files_that_are_here_are_checked_and_not_fetched(shard, site):
    (shard.folder / "videos").mkdir()
    (shard.folder / "videos/good").write_bytes(GOOD)
    (shard.folder / "videos/bad").write_bytes(BAD)
    site.add("/bad", serve(GOOD))
    rows = [shard.row("good"), shard.row("bad")]
    assert set(shard.fetch(rows, {"http": f"{site.address}/{{video}}"}).values()) == {"ok"}
    assert site.count("/good") == 0


def test_a_file_of_several_clips_is_fetched_once(shard, site):
    url = site.add("/long.mp4", serve(GOOD))
    rows = [
        ShardRow(
            f"clip{n}", "long", str(shard.folder / "videos/long"), n, n + 1, None, None, "", url=url
        )
        for n in range(3)
    ]
    assert set(shard.fetch(rows, {"http": True}).values()) == {"ok"}
    assert site.count("/long.mp4") == 1


def test_a_reason_that_may_pass_counts_most(shard, site):
    site.add("/busy/x", status(503))
    sources = [{"http": f"{site.address}/{folder}/{{video}}"} for folder in ("busy", "gone")]
    assert shard.fetch([shard.row("x")], *sources) == {"x": "network"}
    assert shard.fetch([shard.row("x")], *reversed(sources)) == {"x": "network"}


def test_mirrors_names_and_addresses(shard, site):
    site.add("/air%20drumming/v_000003.mp4", serve(GOOD))
    row = ShardRow(
        *("c", "c.mp4", str(shard.folder / "videos/c.mp4"), 3.0, 13.0, 1, None, ""),
        label_name="air drumming",
        source_id="v",
    )
    pattern = "/{label_name}/{source_id}_{start:06d}.mp4"
    urls = [f"{site.address}/other{pattern}", f"{site.address}{pattern}"]
    assert shard.fetch([row], {"http": urls}) == {"c": "ok"}


def test_archives_give_links(shard, tmp_path):
    (tmp_path / "1/files").mkdir(parents=True)
    (tmp_path / "1/files/x.mp4").write_bytes(GOOD)
    index = tmp_path / "1/0.json"
    index.write_text('{"members": {"x.mp4": "files/x.mp4"}, "failed": {"u": "gone: u"}}')
    archives = {0: ArchiveIndex(tmp_path / "1", [index])}
    rows = [shard.row("Class/x.mp4"), shard.row("Class/y.mp4")]
    found = shard.fetch(rows, {"archive": "u", "naming": "{name}"}, archives=archives)
    assert found == {"Class/x.mp4": "ok", "Class/y.mp4": "missing"}
    assert (shard.folder / "videos/Class/x.mp4").stat().st_nlink == 2


def test_no_source_at_all(shard):
    assert shard.fetch([shard.row("x")]) == {"x": "missing"}


def test_youtube_rests_after_refusals(shard, monkeypatch):
    asked = []

    def fetch(video, destination, needed, *, options, limits):
        asked.append((video, needed.wanted_side, needed.section))
        if video.startswith("ok"):
            destination.write_bytes(GOOD)
            return Fetched(destination, 4, 0, 1, None)
        raise ClipError("bot_check", "not a bot?")

    monkeypatch.setattr(youtube, "fetch_youtube", fetch)
    names = ["ok1", "bot1", "ok2", "bot2", "bot3", "ok3", "ok4"]
    rows = [shard.row(f"{name}.mp4", source_id=name) for name in names]
    found = shard.fetch(rows, {"youtube": {"wanted_side": 128}})
    assert [found[f"{name}.mp4"] for name in names] == ["ok", "bot_check", "ok"] + ["bot_check"] * 4
    assert asked == [(name, 128, None) for name in names[:5]]


@pytest.mark.parametrize(("windows", "section"), [("cut", (3.0, 13.0)), ("inside", None)])
def test_youtube_is_asked_for_the_part_that_is_cut(shard, monkeypatch, windows, section):
    asked = []

    def fetch(video, destination, needed, **_):
        asked.append((video, needed.section))
        raise ClipError("gone", "gone")

    monkeypatch.setattr(youtube, "fetch_youtube", fetch)
    row = ShardRow("c", "c", str(shard.folder / "c"), 3.0, 13.0, None, None, "", source_id="v")
    assert shard.fetch([row], {"youtube": {}}, windows=windows) == {"c": "gone"}
    assert asked == [("v", section)]


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://www.youtube.com/watch?v=x", True),
        ("https://youtu.be/x", True),
        ("https://notyoutube.com/x.mp4", False),
        ("http://host/youtube.com.mp4", False),
        ("", False),
    ],
)
def test_pages_of_youtube(url, is_one):
    assert is_page(url) is is_one


def test_own_lists_fetch_addresses_alone(shard):
    plan = FetchPlan([{"number": 0, "http": True}, {"number": 1, "youtube": {}}])
    assert plan.serves(shard.row("x", url="http://host/x"))
    assert not plan.serves(shard.row("x"))
    assert FetchPlan([{"number": 0, "archive": "x"}]).serves(shard.row("x"))


def test_what_failures_stand_under(shard, tmp_path):
    index = tmp_path / "0.json"
    index.write_text('{"members": {"a": "a"}, "failed": {}}')
    one = FetchPlan([{"number": 0, "archive": "u"}], archives={0: ArchiveIndex(tmp_path, [index])})
    same = FetchPlan(one.sources, archives=one.archives, options={"workers": 3})
    assert one.digest() == same.digest()
    index.write_text('{"members": {"a": "a", "b": "b"}, "failed": {}}')
    more = FetchPlan(one.sources, archives={0: ArchiveIndex(tmp_path, [index])})
    assert one.digest() != more.digest()
    assert one.digest() != FetchPlan([]).digest()
