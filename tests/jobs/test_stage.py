"""One job of a stage, killed, repeated, damaged and empty."""

import pytest

from reelpack.jobs.job import Job
from reelpack.jobs.ledger import LedgerRow, read_ledger
from reelpack.jobs.retries import Retries
from reelpack.jobs.stage import Stage
from tests.support.workers import Item, assemble, calls, split, stage_work

pytestmark = pytest.mark.usefixtures("warm_workers")

STAGE = Stage("stage", stage_work, split, assemble)
NEVER = Retries()
EARLIER = LedgerRow("gone", "download_shard", "failed", "gone", "404")


class StageJob:
    """A stage job in a temporary folder."""

    def __init__(self, folder):
        self.folder, self.marks = folder, folder / "marks"
        self.marks.mkdir()
        self.output, self.ledger = folder / "o.txt", folder / "o.ledger.parquet"

    def run(self, names, *, retries=NEVER, workers=2, keys="key", stage=STAGE):
        earlier = [EARLIER if name == "gone" else LedgerRow(name, "before", "ok") for name in names]
        items = {f"{keys} {name}": Item(name) for name in names if name != "gone"}
        job = Job(
            "r",
            self.output,
            self.ledger,
            self.folder / "journal",
            retries=retries,
            workers=workers,
        )
        return stage.run(items, job, earlier=earlier, settings=self.marks)

    def state(self):
        return self.output.read_bytes(), self.ledger.read_bytes()


@pytest.fixture
def job(tmp_path):
    return StageJob(tmp_path)


def test_output_and_ledger_are_in_list_order_with_earlier_failures_in_place(job, capsys):
    rows = job.run(["c", "fail", "gone", "a", "die", "b"])
    assert job.output.read_text() == "c\na\nb\n"
    assert rows == read_ledger(job.ledger)
    assert [(row.clip_id, row.stage, row.failure) for row in rows] == [
        ("c", "stage", ""),
        ("fail", "earlier", "corrupt"),
        ("gone", "download_shard", "gone"),
        ("a", "stage", ""),
        ("die", "stage", "machine"),
        ("b", "stage", ""),
    ]
    assert rows[2] == EARLIER
    out = capsys.readouterr().out
    assert "stage: 3 ok, 3 failed" in out
    assert "fail: earlier: corrupt: fail is bad" in out


def test_nothing_done_is_done_twice(job):
    names = ["a", "fail", "b"]
    job.run(names)
    before = job.state()
    job.output.unlink()
    job.ledger.unlink()
    job.run(names)
    assert job.state() == before
    assert calls(job.marks) == {"a": 1, "b": 1, "fail": 1}


def test_workers_do_not_show(job, tmp_path):
    names = [f"n{number}" for number in range(9)] + ["die", "fail", "z"]
    job.run(names, workers=1)
    (tmp_path / "other").mkdir()
    other = StageJob(tmp_path / "other")
    other.run(names, workers=3)
    assert job.state() == other.state()


def test_a_full_disk_is_no_clips_fault_and_finished_clips_stay(job):
    with pytest.raises(OSError, match="no space left"):
        job.run(["a", "b", "full", "c"], workers=1)
    assert not job.output.exists()
    assert not job.ledger.exists()
    done = calls(job.marks)
    rows = job.run(["a", "b", "c"])
    assert all(row.ok for row in rows)
    assert {name: calls(job.marks)[name] for name in ("a", "b")} == {"a": 1, "b": 1}
    assert done["full"] == 1
    assert not list((job.folder / "journal").glob(".*"))


def test_a_grown_list_does_only_what_is_new_and_a_shrunk_one_drops(job):
    job.run(["a", "b"])
    job.run(["new", "a", "b"])
    assert job.output.read_text() == "new\na\nb\n"
    job.run(["b"])
    assert job.output.read_text() == "b\n"
    assert calls(job.marks) == {"a": 1, "b": 1, "new": 1}


def test_other_settings_are_other_keys(job):
    job.run(["a"])
    job.run(["a"], keys="other")
    assert calls(job.marks) == {"a": 2}


def test_damage_costs_the_damaged_clip_only(job):
    job.run(["a", "b", "c"])
    before = job.state()
    job.output.write_bytes(b"a\nX\nc\n")
    job.run(["a", "b", "c"])
    assert job.state() == before
    assert calls(job.marks) == {"a": 1, "b": 2, "c": 1}


def test_retries_do_only_what_failed(job):
    names = ["a", "fail", "fail slow"]
    job.run(names)
    job.run(names, retries=Retries(transient=1))
    assert calls(job.marks) == {"a": 1, "fail": 1, "fail slow": 2}
    job.run(names, retries=Retries(transient=1, all=1))
    assert calls(job.marks) == {"a": 1, "fail": 2, "fail slow": 3}


def test_a_clip_whose_other_files_are_gone_is_done_again(job):
    def intact(path):
        return path.read_text() != "b\n"

    stage = Stage("stage", stage_work, split, assemble, intact=intact)
    job.run(["a", "b", "fail"], stage=stage)
    before = job.state()
    job.run(["a", "b", "fail"], stage=stage)
    assert job.state() == before
    assert calls(job.marks) == {"a": 1, "b": 2, "fail": 1}


def test_an_empty_shard(job):
    assert job.run([]) == []
    assert job.output.read_bytes() == b""
    assert [row.clip_id for row in job.run(["gone"])] == ["gone"]


def test_a_consumer_sees_failures_and_ends_clips(job):
    seen = []

    def consume(results):
        for task, error in results:
            seen.append((task.item.clip_id, error is None))
            yield task, error

    stage = Stage("stage", stage_work, split, assemble, consume=consume)
    job.run(["a", "fail"], stage=stage)
    assert sorted(seen) == [("a", True), ("fail", False)]
