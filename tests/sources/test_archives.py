"""Archives of clips: fetched once, unpacked, and indexed by the names of their source."""

import json

import pandas as pd
import pytest

from reelpack.core.errors import ClipError, UserError
from reelpack.core.tables import write_table
from reelpack.lists.manifest import CLIP_COLUMNS
from reelpack.sources.archives import ArchiveIndex, fetch_archives
from reelpack.sources.base import Limits
from tests.sources.server import serve, status
from tests.sources.test_annotations import zipped

LIMITS = Limits(attempts=1, backoff_seconds=0)
ONE, TWO = zipped(top__a="1", top__sub__b="2", other="3"), zipped(top__c="4")


@pytest.fixture
def unpack(tmp_path):
    def table(*fingerprints):
        frame = pd.DataFrame({"fingerprint": fingerprints}).reindex(columns=CLIP_COLUMNS.names)
        write_table(frame, CLIP_COLUMNS, tmp_path / "shard")

    def run(source, *, part=(0, 1), is_last=True):
        return fetch_archives(
            {"source": source, "parts": part[1], "is_last": is_last},
            part=part[0],
            tables=[tmp_path / "shard"],
            folder=tmp_path / "archives",
            index=tmp_path / f"{part[0]}.json",
            limits=LIMITS,
        )

    table("")
    run.table = table
    run.folder = tmp_path / "archives"
    return run


def test_members_are_indexed_and_fetched_once(site, unpack, tmp_path):
    source = {"archive": site.add("/one.zip", serve(ONE)), "members": "top/*", "strip": 1}
    assert sorted(unpack(source)["members"]) == ["a", "sub/b"]
    index = ArchiveIndex(unpack.folder, [tmp_path / "0.json"])
    assert index.find("sub/b").read_text() == "2"
    with pytest.raises(ClipError, match="no other"):
        index.find("other")
    assert unpack(source)["members"]
    assert site.count("/one.zip") == 1
    assert not list(unpack.folder.rglob("*.zip"))
    index.find("a").unlink()
    unpack(source)
    assert site.count("/one.zip") == 2


def test_without_strip_members_go_by_their_last_part(site, unpack):
    source = {"archive": site.add("/one.zip", serve(ONE))}
    assert sorted(unpack(source)["members"]) == ["a", "b", "other"]


def test_nothing_is_fetched_when_every_clip_has_its_file(site, unpack):
    unpack.table("abc", "def")
    source = {"archive": site.add("/one.zip", serve(ONE))}
    assert unpack(source) == {"members": {}, "failed": {}}
    assert site.seen == []


def test_a_published_list_is_shared_among_parts(site, unpack):
    urls = [site.add("/one.zip", serve(ONE)), site.add("/two.zip", serve(TWO))]
    source = {"archive_list": site.add("/list.txt", serve("\r\n".join(["# all", *urls]).encode()))}
    parts = [sorted(unpack(source, part=(number, 2))["members"]) for number in range(2)]
    assert parts == [["a", "b", "other"], ["c"]]


def test_an_archive_of_the_users_stays(unpack, tmp_path):
    own = tmp_path / "own.zip"
    own.write_bytes(ONE)
    assert unpack({"archive": str(own)})["members"]
    assert own.exists()
    with pytest.raises(UserError, match=r"nowhere\.zip: no such archive"):
        unpack({"archive": [str(own), "nowhere.zip"]})


def test_a_bad_archive_is_told_where_other_sources_follow(site, unpack, tmp_path):
    urls = [site.add("/gone.zip", status(404)), site.add("/two.zip", serve(TWO))]
    found = unpack({"archive": urls}, is_last=False)
    assert list(found["members"]) == ["c"]
    (message,) = found["failed"].values()
    assert message.startswith("gone: ")
    index = ArchiveIndex(unpack.folder, [tmp_path / "0.json"])
    with pytest.raises(ClipError, match=r"no x \(gone: .*404"):
        index.find("x")


@pytest.mark.parametrize(
    ("answer", "is_last", "message"),
    [
        (status(404), True, "404"),
        (status(503), False, "503"),
        (serve(b"nonsense"), True, "x.zip"),
        (serve(TWO[:60]), True, "x.zip"),
    ],
)
def test_an_archive_that_no_source_can_replace_ends_the_job(
    site, unpack, tmp_path, answer, is_last, message
):
    source = {"archive": site.add("/x.zip", answer)}
    with pytest.raises(UserError, match=message) as caught:
        unpack(source, is_last=is_last)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "0.json").exists()
    site.add("/x.zip", serve(TWO))
    assert list(unpack(source)["members"]) == ["c"]


def test_the_index_is_the_same_each_time(site, unpack, tmp_path):
    source = {"archive": site.add("/one.zip", serve(ONE))}
    unpack(source)
    first = (tmp_path / "0.json").read_bytes()
    unpack(source)
    assert (tmp_path / "0.json").read_bytes() == first
    assert json.loads(first)["failed"] == {}
