import json

import pytest

from reelpack.core.errors import UserError
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.jobs.retries import failed_shards, read_retries, retry


def failed(clip_id, failure):
    return LedgerRow(clip_id, "download_shard", "failed", failure, "m")


@pytest.fixture
def results(tmp_path):
    for dataset, split in (("one", "train"), ("one", "val"), ("two", "all")):
        folder = tmp_path / dataset / split
        for stage in ("clips", "encoded/x"):
            rows = [failed("a", "timeout"), failed("b", "gone"), LedgerRow("c", "s", "ok")]
            write_ledger(rows, folder / stage / "00000.ledger.parquet")
            write_ledger([failed("d", "corrupt")], folder / stage / "00001.ledger.parquet")
            write_ledger([LedgerRow("e", "s", "ok")], folder / stage / "00002.ledger.parquet")
        # A journal keeps a copy under another name, which must not be counted.
        write_ledger([failed("z", "timeout")], folder / "journal" / "x" / "ledger.parquet")
        (folder / "manifest.parquet").touch()
    return tmp_path


def test_each_clip_counts_once_however_many_ledgers_name_it(results):
    split = results / "one" / "train"
    assert failed_shards(split, "transient") == {"00000": 1}
    assert failed_shards(split, "all") == {"00000": 2, "00001": 1}


def test_only_shards_with_such_failures_are_raised(results):
    path = results / "one" / "train" / "retries.json"
    assert read_retries(path, "00000") == "{}"
    retry(results, "transient", None)
    assert json.loads(path.read_bytes()) == {"00000": {"transient": 1}}
    retry(results, "transient", None)
    retry(results, "all", None)
    assert read_retries(path, "00000") == '{"all":1,"transient":2}'
    assert read_retries(path, "00001") == '{"all":1}'
    assert read_retries(path, "00002") == "{}"


def test_one_dataset(results):
    found = retry(results, "all", "one")
    assert {name: sum(counts.values()) for name, counts in found.items()} == {
        "one/train": 3,
        "one/val": 3,
    }
    assert not (results / "two" / "all" / "retries.json").exists()


def test_nothing_failed_writes_nothing(tmp_path):
    folder = tmp_path / "one" / "all"
    write_ledger([LedgerRow("e", "s", "ok")], folder / "clips" / "00000.ledger.parquet")
    (folder / "manifest.parquet").touch()
    assert retry(tmp_path, "all", None) == {"one/all": {}}
    assert not (folder / "retries.json").exists()


def test_an_unknown_dataset_lists_the_known_ones(results):
    with pytest.raises(UserError, match=r"no results of three; there are: \['one', 'two'\]"):
        retry(results, "all", "three")
    with pytest.raises(UserError, match=r"no results of any dataset; there are: \[\]"):
        retry(results / "none", "all", None)
