import pytest

from reelpack.jobs.ledger import LedgerRow, merge_ledgers, read_ledger, write_ledger

OK = LedgerRow("ü/a", "extract_frames", "ok", key="k", digest="d")
BAD = LedgerRow("b", "download_shard", "failed", "gone", "404", key="k2", retry="0")


def test_round_trip_in_order(tmp_path):
    write_ledger([OK, BAD], tmp_path / "l")
    assert read_ledger(tmp_path / "l") == [OK, BAD]
    write_ledger([], tmp_path / "l")
    assert read_ledger(tmp_path / "l") == []


def test_a_clip_that_failed_in_one_ledger_has_failed():
    good = LedgerRow("b", "crop_frames", "ok")
    other = LedgerRow("b", "crop_frames", "failed", "too_small", "m")
    assert merge_ledgers([[OK, good], [OK, BAD], [OK, other]]) == [OK, BAD]
    assert merge_ledgers([[OK, BAD]]) == [OK, BAD]


def test_ledgers_over_other_clips_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        merge_ledgers([[OK, BAD], [OK]])
