"""Published lists: fetched once, unpacked, or taken from where a person put them."""

import io
import json
import zipfile
from hashlib import sha256

import pytest

from reelpack.core.errors import UserError
from reelpack.sources.annotations import fetch_annotations, strip_folders
from reelpack.sources.base import Limits
from tests.sources.archives import tarred
from tests.sources.server import serve, status

LIMITS = Limits(attempts=1, backoff_seconds=0)


@pytest.fixture
def bring(tmp_path):
    folder, listing = tmp_path / "lists", tmp_path / "lists.json"

    def run(*files, access=""):
        names = fetch_annotations(
            files, folder=folder, listing=listing, limits=LIMITS, access=access
        )
        assert list(json.loads(listing.read_bytes())) == names
        return names

    run.folder = folder
    run.listing = listing
    return run


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/"), text)
    return stream.getvalue()


def test_a_file_is_fetched_once(site, bring):
    url = site.add("/a%20b.json", serve(b"{}"))
    assert bring({"url": url}) == ["a%20b.json"]
    assert bring({"url": url}) == ["a%20b.json"]
    assert site.count("/a%20b.json") == 1


def test_mirrors_are_tried_in_order(site, bring):
    bad, good = site.add("/gone/x.csv", status(404)), site.add("/x.csv", serve(b"a,b\n"))
    assert bring({"url": [bad, good]}) == ["x.csv"]


def test_members_are_unpacked_and_the_archive_goes(site, bring):
    content = zipped(folder__train1="a", folder__sub__test1="b", other="c")
    file = {"url": site.add("/lists.zip", serve(content)), "member": "*1"}
    assert bring(file) == ["test1", "train1"]
    assert (bring.folder / "train1").read_text() == "a"
    assert bring(file) == ["test1", "train1"]
    assert site.count("/lists.zip") == 1
    assert not list(bring.folder.rglob("*.zip"))
    (bring.folder / "train1").unlink()
    assert bring(file) == ["test1", "train1"]
    assert site.count("/lists.zip") == 2


def test_folders_are_kept_as_far_as_the_card_says(site, bring):
    url = site.add("/x.zip", serve(zipped(top__train__a="1", top__test__a="2")))
    assert bring({"url": url, "member": "*/a", "strip": 1}) == ["test/a", "train/a"]


def test_two_archives_of_one_pattern_do_not_stand_for_each_other(site, bring):
    files = [
        {"url": site.add(f"/{name}.zip", serve(zipped(**{name: name}))), "member": "*"}
        for name in ("one", "two")
    ]
    assert bring(*files) == ["one", "two"]


def test_what_a_person_unpacked_there_is_taken(site, bring):
    url = site.add("/lists.zip", status(404))
    bring.folder.mkdir()
    (bring.folder / "mine.csv").write_text("x")
    assert bring({"url": url, "member": "lists/*.csv"}) == ["mine.csv"]
    assert site.count("/lists.zip") == 0


def test_what_a_person_has_to_bring_is_named(bring):
    file = {"path": ["a.tsv", "b.tsv"]}
    with pytest.raises(UserError, match=r"put a.tsv or b.tsv there; .* Ask the owner"):
        bring(file, access="Ask the owner.")
    (bring.folder / "b.tsv").write_text("x")
    assert bring(file, {"path": "c", "optional": True}) == ["b.tsv"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (status(404), r"answered 404 .*or put the file there by hand: .*lists/x\.zip"),
        (serve(b"no archive"), r"x\.zip: .*"),
        (serve(zipped(a="1")), r"no member like '\*\.csv'"),
        (serve(zipped(**{"a__x.csv": "1", "b__x.csv": "2"})), r"share names; the card needs strip"),
    ],
)
def test_what_cannot_be_had_is_one_line(site, bring, answer, message):
    url = site.add("/x.zip", answer)
    with pytest.raises(UserError, match=message) as caught:
        bring({"url": url, "member": "*.csv"})
    assert "\n" not in str(caught.value)
    assert not bring.listing.exists()


def test_nothing_is_unpacked_outside_of_the_folder(site, bring, tmp_path):
    url = site.add("/x.tar", serve(tarred({"../../evil.csv": b"x"})))
    with pytest.raises(UserError, match="evil"):
        bring({"url": url, "member": "*.csv"})
    assert not list(tmp_path.rglob("evil*"))


def test_a_wrong_checksum_is_told(site, bring):
    url = site.add("/x.json", serve(b"{}"))
    with pytest.raises(UserError, match="sha256"):
        bring({"url": url, "sha256": "0" * 64})


@pytest.mark.parametrize(
    ("folders", "name"), [(None, "c"), (0, "a/b/c"), (1, "b/c"), (2, "c"), (9, "c")]
)
def test_stripped(folders, name):
    assert strip_folders("a/b/c", folders) == name


def test_an_archive_that_was_brought_is_unpacked_and_stays(bring):
    file = {"path": "lists.zip", "member": "lists/*.csv", "strip": 1}
    with pytest.raises(UserError, match=r"put lists.zip there"):
        bring(file)
    archive = bring.folder / "lists.zip"
    archive.write_bytes(zipped(lists__a__x="1", readme="2"))
    with pytest.raises(UserError, match="no member like"):
        bring(file)
    archive.write_bytes(tarred({"lists/a/x.csv": b"1", "lists/y.csv": b"2", "z.csv": b"3"}))
    assert bring(file) == ["a/x.csv", "y.csv"]
    assert archive.exists()
    assert not (bring.folder / "z.csv").exists()
    (bring.folder / "y.csv").write_bytes(b"touched")
    assert bring(file) == ["a/x.csv", "y.csv"]
    assert (bring.folder / "y.csv").read_bytes() == b"touched"
    archive.write_bytes(tarred({"lists/y.csv": b"new"}))
    assert bring(file) == ["y.csv"]
    assert (bring.folder / "y.csv").read_bytes() == b"new"


def test_a_damaged_archive_that_was_brought_is_told_and_stays(bring):
    bring.folder.mkdir()
    archive = bring.folder / "lists.tar"
    archive.write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"lists\.tar"):
        bring({"path": "lists.tar", "member": "*.csv"})
    assert archive.exists()


def test_an_archive_put_there_by_hand_is_not_fetched(site, bring):
    data = tarred({"lists/y.csv": b"1"})
    url = site.add("/lists.tar", status(404))
    bring.folder.mkdir()
    archive = bring.folder / "lists.tar"
    archive.write_bytes(data)
    file = {"url": url, "member": "lists/*.csv"}
    assert bring(file) == ["y.csv"]
    assert bring({**file, "sha256": sha256(data).hexdigest()}) == ["y.csv"]
    assert archive.exists()
    with pytest.raises(UserError, match=r"lists\.tar: its SHA-256 is"):
        bring({**file, "sha256": "0" * 64})
