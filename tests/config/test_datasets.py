"""Datasets as configured: what a card, own videos and own sources mean."""

from dataclasses import replace

import pytest

from reelpack.config.datasets import LIST_PARTS, LIST_SOURCES
from reelpack.config.settings import Settings
from reelpack.core.errors import UserError
from reelpack.lists.fingerprints import watched_signature
from reelpack.lists.shard_table import ShardRow
from reelpack.sources.fetching import FetchPlan
from tests.support.helpers import ROOT


def datasets(**entries):
    given = {name: {"recipes": ["vimpac_128"], **keys} for name, keys in entries.items()}
    return Settings({"datasets": given}, ROOT)


def test_every_card_can_be_planned():
    names = {path.stem: {} for path in (ROOT / "datasets").glob("*.yaml")}
    settings = datasets(**names)
    for name, data in settings.datasets.items():
        data.check_videos()
        for split in data.shards:
            assert settings.datasets[name].manifest_result(split, signature="")["split"] == split
            settings.sources(name, split)
            for archives in data.archives(split):
                assert archives.parts >= 1
                assert data.archives_result(archives)["parts"] == archives.parts


def test_sources_of_a_card():
    data = datasets(kinetics600={}).datasets["kinetics600"]
    kinds = [
        next(iter(set(source) & {"archive_list", "youtube"}))
        for source in data.fetched_sources("val")
    ]
    assert kinds == ["archive_list", "youtube"]
    assert [each.number for each in data.archives("val")] == [2]
    assert [each.parts for each in data.archives()] == [LIST_PARTS] * 3
    assert data.windows == "cut"
    assert not any(each.is_last for each in data.archives())


def test_videos_that_the_user_has_replace_all_sources(tmp_path):
    settings = datasets(ucf101={"videos": str(tmp_path)})
    data = settings.datasets["ucf101"]
    assert data.is_annotated
    assert (data.archives(), settings.sources("ucf101", "train_val")) == ([], [])
    result = settings.datasets["ucf101"].manifest_result("train_val", signature="")
    assert result["folders"] == [{"folder": str(tmp_path)}]
    assert not result["is_fetched"]
    before = watched_signature(settings, "ucf101")
    (tmp_path / "x.avi").write_bytes(b"x")
    assert watched_signature(settings, "ucf101") != before


def test_an_own_list_replaces_the_annotations(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("path,split\na.mp4,train_val\n")
    data = datasets(ucf101={"videos": str(path)}).datasets["ucf101"]
    assert not data.is_annotated
    assert data.is_list
    assert data.by_split


def test_a_folder_that_is_not_there_is_told():
    data = datasets(ucf101={"videos": "/nowhere"}).datasets["ucf101"]
    with pytest.raises(UserError, match=r"datasets\.ucf101\.videos: /nowhere: no such folder"):
        data.check_videos()


def test_own_sources():
    source = {"archive": "/data/UCF101.rar", "members": "*.avi"}
    settings = datasets(ucf101={"sources": [source]})
    assert settings.sources("ucf101", "train_val") == [{"number": 0, **source}]
    (archives,) = settings.datasets["ucf101"].archives()
    assert archives.is_last


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"ucf101": {"sources": [{"http": True, "archive": "x"}]}},
            r"ucf101\.sources\.0: exactly one of",
        ),
        ({"ucf101": {"sources": [{"ftp": 1}]}}, r"sources\.0: unknown key 'ftp'"),
        (
            {"ucf101": {"sources": [{"http": "ftp://x"}]}},
            r"sources\.0\.http: 'ftp://x' does not match '\^https",
        ),
        (
            {"ucf101": {"sources": [{"http": True}], "videos": "/x"}},
            r"sources: videos names the one source already",
        ),
        ({"demo": {"sources": [{"http": True}]}}, r"demo\.sources: only with a card that has"),
        ({"mine": {"sources": [{"http": True}]}}, r"mine: no card .* needs 'videos'"),
        (
            {"mine": {"videos": "/x", "sources": [{"http": True}]}},
            r"mine\.sources: only with a card that has annotations",
        ),
    ],
)
def test_mistakes_are_one_line(entry, message):
    with pytest.raises(UserError, match=message) as caught:
        datasets(**entry)
    assert "\n" not in str(caught.value)


def test_own_lists_may_hold_addresses(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("path\na.mp4\n")
    settings = datasets(mine={"videos": str(path)})
    http, youtube = settings.sources("mine", "all")
    assert http == {"number": 0, **LIST_SOURCES[0]}
    assert youtube == {"number": 1, "youtube": {"wanted_side": 128}}
    assert datasets(mine={"videos": str(tmp_path)}).sources("mine", "all") == []
    sound = datasets(mine={"videos": str(path), "recipes": ["favd_32"]})
    (_, youtube) = sound.sources("mine", "all")
    assert youtube == {"number": 1, "youtube": {"wanted_side": None, "audio": True}}


def test_files_that_an_own_list_names_come_from_no_archive(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("path,split\na.mp4,train_val\n")
    settings = datasets(ucf101={"videos": str(path)}, kinetics400={"videos": str(path)})
    assert settings.datasets["ucf101"].archives() == []
    assert settings.datasets["kinetics400"].archives() == []
    for name in ("ucf101", "kinetics400"):
        split = next(iter(settings.datasets[name].shards))
        plan = FetchPlan(settings.sources(name, split))
        row = ShardRow("a", "a.mp4", str(tmp_path / "a.mp4"), None, None, None, None, "")
        assert not plan.serves(row)
        assert plan.serves(replace(row, url="http://x/a.mp4"))


def test_files_that_a_person_brings_are_watched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = datasets(sthv2={}).datasets["sthv2"]
    before = data.annotations_result()
    folder = tmp_path / "resources/annotations/sthv2"
    folder.mkdir(parents=True)
    (folder / "labels.json").write_text("{}")
    assert data.annotations_result() != before
