"""The journal gives back exactly what was finished, whatever happened to it in between."""

import json
import random
from dataclasses import asdict, replace

import pytest

from reelpack.core.errors import ClipError
from reelpack.core.files import write_bytes
from reelpack.jobs.journal import LEDGER, SEAL, Journal, find_settled_keys
from reelpack.jobs.ledger import LedgerRow, read_ledger, write_ledger
from reelpack.jobs.retries import Retries
from tests.support.workers import assemble, split

NEVER = Retries()
KEYS = ["k1", "k2", "k3", "bad", "slow"]


def journal(folder, *, keys=KEYS, retries=NEVER, cut=split):
    return Journal(folder, stage="stage", retries=retries, keys=keys, split=cut)


def fill(book):
    for key in KEYS[:3]:
        write_bytes(book.path(key), f"clip {key}\n".encode())
    book.fail("bad", "id bad", ClipError("corrupt", "is\nbad"))
    book.fail("slow", "id slow", ClipError("timeout", "slow", "download_shard"))
    return book


def seal(book, folder):
    rows = [book.row(key, f"id {key}") for key in KEYS]
    assemble(folder / "out.txt", [(key, book.path(key)) for key in KEYS[:3]])
    write_ledger(rows, folder / LEDGER)
    book.seal({"output.txt": folder / "out.txt", LEDGER: folder / LEDGER})
    return rows


@pytest.fixture
def sealed(tmp_path):
    folder = tmp_path / "journal"
    return folder, seal(fill(journal(folder)), tmp_path)


def test_rows(tmp_path):
    book = fill(journal(tmp_path / "j"))
    assert book.row("k1", "id").status == "ok"
    assert len(book.row("k1", "id").digest) == 64
    bad, slow = book.row("bad", "id bad"), book.row("slow", "id slow")
    assert asdict(bad) == asdict(
        LedgerRow("id bad", "stage", "failed", "corrupt", "is bad", key="bad", retry="0")
    )
    assert (slow.stage, slow.failure, slow.retry) == ("download_shard", "timeout", "0.0")
    with pytest.raises(KeyError):
        book.row("k9", "id")


def test_leftovers_of_a_killed_job_go_and_finished_clips_stay(tmp_path):
    fill(journal(tmp_path / "j"))
    (tmp_path / "j" / ".k9.clip.123.tmp").write_bytes(b"half")
    book = journal(tmp_path / "j", keys=[*KEYS, "k9"])
    assert not list((tmp_path / "j").glob(".*"))
    assert book.open_keys([*KEYS, "k9"]) == ["k9"]


def test_a_sealed_journal_holds_no_second_copy(sealed, tmp_path):
    folder, _ = sealed
    assert sorted(path.name for path in folder.iterdir()) == [LEDGER, SEAL, "output.txt"]
    assert (folder / "output.txt").samefile(tmp_path / "out.txt")


def test_seal_and_unseal_give_the_same_clips(sealed, tmp_path):
    folder, rows = sealed
    (tmp_path / "out.txt").unlink()
    book = journal(folder)
    assert book.open_keys(KEYS) == []
    assert [book.row(key, f"id {key}") for key in KEYS] == rows
    assert seal(book, tmp_path) == rows


def test_unsealing_can_be_killed_and_done_again(sealed):
    folder, rows = sealed

    def killed(*arguments):
        yield next(split(*arguments))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal(folder, cut=killed)
    book = journal(folder)
    assert [book.row(key, f"id {key}") for key in KEYS] == rows


def test_a_full_disk_while_unsealing_stops_the_job_and_loses_nothing(sealed, monkeypatch):
    folder, rows = sealed
    with monkeypatch.context() as patch:
        patch.setattr(
            "reelpack.core.files.sync", lambda _: (_ for _ in ()).throw(OSError(28, "full"))
        )
        with pytest.raises(OSError, match="full"):
            journal(folder)
    book = journal(folder)
    assert [book.row(key, f"id {key}") for key in KEYS] == rows


def test_keys_that_are_no_longer_wanted_are_dropped(sealed, tmp_path):
    folder, _ = sealed
    book = journal(folder, keys=["k2", "k9", "slow"])
    assert book.open_keys(["k2", "k9", "slow"]) == ["k9"]
    assert not book.done("k1")
    assert book.failure("bad") is None


def mutations(data: bytes):
    chance = random.Random(5)
    for place in range(0, len(data), max(1, len(data) // 40)):
        yield data[:place]
        flipped = bytearray(data)
        flipped[place] ^= 1 << chance.randrange(8)
        yield bytes(flipped)


@pytest.mark.parametrize("name", ["output.txt", LEDGER, SEAL])
def test_damage_is_noticed_and_done_again(sealed, name, capsys):
    folder, rows = sealed
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    for data in mutations(whole[name]):
        for path in folder.iterdir():
            path.unlink()
        for other, content in whole.items():
            (folder / other).write_bytes(data if other == name else content)
        book = journal(folder)
        opened = set(book.open_keys(KEYS))
        for key, row in zip(KEYS, rows, strict=True):
            assert key in opened or book.row(key, row.clip_id) == row
        assert opened or name == "output.txt"
        assert name != "output.txt" or opened <= set(KEYS[:3])
        assert opened


def test_a_missing_output_is_done_again(sealed):
    folder, _ = sealed
    (folder / "output.txt").unlink()
    assert journal(folder).open_keys(KEYS) == KEYS[:3]


def test_a_kill_between_ledger_and_seal_costs_nothing(tmp_path):
    folder = tmp_path / "j"
    book = fill(journal(folder))
    rows = [book.row(key, f"id {key}") for key in KEYS]
    write_ledger([replace(row, digest="0" * 64) for row in rows], folder / LEDGER)
    book = journal(folder)
    assert [book.row(key, f"id {key}") for key in KEYS] == rows


@pytest.mark.parametrize("is_sealed", [False, True])
@pytest.mark.parametrize(
    ("retries", "opened"),
    [
        (Retries(), []),
        (Retries(transient=1), ["slow"]),
        (Retries(all=1), ["bad", "slow"]),
        (Retries(transient=1, all=1), ["bad", "slow"]),
    ],
)
def test_retries_open_what_was_asked_for(tmp_path, retries, opened, is_sealed):
    book = fill(journal(tmp_path / "j"))
    if is_sealed:
        seal(book, tmp_path)
    book = journal(tmp_path / "j", retries=retries)
    assert book.open_keys(KEYS) == opened
    for key in opened:
        book.fail(key, f"id {key}", ClipError("timeout", "again"))
    assert journal(tmp_path / "j", retries=retries).open_keys(KEYS) == []


def test_retries_as_json():
    assert Retries.parse("") == Retries.parse("{}") == Retries(0, 0)
    assert Retries.parse(json.dumps({"transient": 2})) == Retries(2, 0)


def test_the_ledger_reads_back(sealed):
    folder, rows = sealed
    assert read_ledger(folder / LEDGER) == rows


def test_what_was_missing_is_looked_for_again_in_every_run(tmp_path):
    book = journal(tmp_path / "j", keys=["gone", "bad"])
    book.fail("gone", "id gone", ClipError("missing", "no such file"))
    book.fail("bad", "id bad", ClipError("corrupt", "bad"))
    assert book.row("gone", "id gone").failure == "missing"
    assert book.open_keys(["gone", "bad"]) == ["gone"]
    rows = [book.row(key, f"id {key}") for key in ("gone", "bad")]
    write_ledger(rows, tmp_path / LEDGER)
    book.seal({LEDGER: tmp_path / LEDGER})
    assert find_settled_keys(tmp_path / "j", NEVER) == {"bad"}
    assert journal(tmp_path / "j", keys=["gone", "bad"]).open_keys(["gone", "bad"]) == ["gone"]
