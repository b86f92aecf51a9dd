"""Weights arrive whole and checked, from a server or this machine, or not at all."""

import hashlib
from dataclasses import replace

import pytest

from reelpack.config.weights_registry import WeightsEntry
from reelpack.core.errors import UserError
from reelpack.sources.weights import fetch_weights
from tests.sources import server as web
from tests.sources.fetches import QUICK

DATA = b"weights" * 10_000
HALF = len(DATA) // 2
SUM = hashlib.sha256(DATA).hexdigest()


def entry(url, sha256=""):
    return WeightsEntry("w", url, sha256, "MIT", "")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "published.bin"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def target(tmp_path):
    return tmp_path / "resources" / "w.bin"


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def fails(row, target, limits=QUICK):
    with pytest.raises(UserError) as caught:
        fetch_weights(row, target, limits=limits)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    return str(caught.value)


def test_fetches_over_http_and_keeps_what_is_right(site, target):
    row = entry(site.add("/whole", web.serve(DATA)), SUM)
    assert fetch_weights(row, target, limits=QUICK) == SUM
    assert fetch_weights(row, target, limits=QUICK) == SUM
    assert target.read_bytes() == DATA
    assert site.count("/whole") == 1
    assert names(target.parent) == ["w.bin", "w.bin.sha256"]


@pytest.mark.parametrize("sha256", ["", SUM])
@pytest.mark.parametrize("first", [web.status(503), web.serve(DATA, cut_at=HALF)])
def test_a_download_is_tried_again_and_resumed(site, target, sha256, first):
    url = site.add("/w", first, web.serve(DATA))
    assert fetch_weights(entry(url, sha256), target, limits=QUICK) == SUM
    assert target.read_bytes() == DATA
    assert site.count("/w") == 2
    assert names(target.parent) == ["w.bin", "w.bin.sha256"]


@pytest.mark.parametrize("sha256", ["", SUM])
def test_a_later_run_resumes_a_download(site, target, sha256):
    row = entry(site.add("/w", web.serve(DATA, cut_at=HALF)), sha256)
    assert "cannot be fetched" in fails(row, target, replace(QUICK, attempts=1))
    site.add("/w", web.serve(DATA))
    assert fetch_weights(row, target, limits=QUICK) == SUM
    assert site.seen[-1].headers["Range"] == f"bytes={HALF}-"
    assert target.read_bytes() == DATA
    assert names(target.parent) == ["w.bin", "w.bin.sha256"]


def test_bytes_of_one_address_never_go_on_with_another_s(site, target):
    limits = replace(QUICK, attempts=1)
    fails(entry(site.add("/old", web.serve(DATA[::-1], cut_at=HALF))), target, limits)
    assert fetch_weights(entry(site.add("/new", web.serve(DATA))), target, limits=QUICK) == SUM
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("behaviour", [web.status(404), web.page()])
def test_a_failed_download_leaves_nothing(site, target, behaviour):
    row = entry(site.add("/w", behaviour), SUM)
    assert "cannot be fetched" in fails(row, target)
    assert site.count("/w") == 1
    assert names(target.parent) == []


def test_a_wrong_checksum_of_a_download_leaves_nothing(site, target):
    row = entry(site.add("/w", web.serve(DATA)), "0" * 64)
    message = fails(row, target)
    assert all(part in message for part in (row.url, "0" * 64, SUM, "the registry"))
    assert names(target.parent) == []


def test_a_server_that_is_not_there_is_a_user_error(target):
    message = fails(entry(web.closed_port() + "/w"), target)
    assert "config.yaml may name a mirror or a local file" in message


def test_a_published_file_that_changes_is_not_taken(site, target):
    row = entry(site.add("/w", web.serve(DATA), web.serve(DATA[::-1])))
    assert fetch_weights(row, target, limits=QUICK) == SUM
    target.unlink()
    assert f"delete {target}.sha256 to take the new file" in fails(row, target)
    assert names(target.parent) == ["w.bin.sha256"]


@pytest.mark.parametrize("address", ["file", "path"])
def test_takes_local_files(source, target, address):
    row = entry(source.as_uri() if address == "file" else "https://nowhere.invalid/w", SUM)
    if address == "path":
        row = WeightsEntry("w", row.url, SUM, "", "", path=source)
    fetch_weights(row, target)
    assert target.read_bytes() == DATA


def test_a_wrong_checksum_names_file_expected_and_got_and_leaves_nothing(source, target):
    with pytest.raises(UserError) as error:
        fetch_weights(entry(source.as_uri(), "0" * 64), target)
    assert all(part in str(error.value) for part in (str(source), "0" * 64, SUM))
    assert names(target.parent) == []


def test_an_unpublished_checksum_is_recorded_and_holds(source, target):
    row = entry(source.as_uri())
    assert fetch_weights(row, target) == SUM
    target.unlink()
    source.write_bytes(b"something else")
    with pytest.raises(UserError, match=rf"not {SUM}; .*w\.bin\.sha256"):
        fetch_weights(row, target)
    assert names(target.parent) == ["w.bin.sha256"]


def test_a_damaged_file_is_fetched_again(source, target):
    row = entry(source.as_uri())
    fetch_weights(row, target)
    target.write_bytes(b"damaged")
    assert fetch_weights(row, target) == SUM
    assert target.read_bytes() == DATA


def test_a_file_of_unknown_origin_is_fetched_again(source, target):
    target.parent.mkdir()
    target.write_bytes(b"nobody knows")
    assert fetch_weights(entry(source.as_uri()), target) == SUM
    assert target.read_bytes() == DATA


def test_unknown_addresses_and_missing_files_are_user_errors(tmp_path, target):
    with pytest.raises(UserError, match="allowed: http, https, file"):
        fetch_weights(entry("ftp://x/y"), target)
    with pytest.raises(UserError, match="no such file"):
        fetch_weights(entry((tmp_path / "none").as_uri()), target)
    assert names(target.parent) == []
