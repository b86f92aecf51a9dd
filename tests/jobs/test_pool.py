"""Worker processes may fail, die or find the disk full: nobody else's clip suffers."""

import itertools
import time

import pytest

from reelpack.core.errors import ClipError
from reelpack.jobs.pool import WORKER_BYTES, print_progress, run_clips, worker_pool
from tests.support.workers import calls, note_process, pool_work

pytestmark = pytest.mark.usefixtures("warm_workers")


def run(tmp_path, names, *, workers=2):
    tasks = [(name, str(tmp_path)) for name in names]
    return run_clips(pool_work, tasks, workers=workers, preload=())


def outcomes(results):
    return {task[0]: str(error) if error else "ok" for task, error in results}


def test_every_task_ends_once(tmp_path):
    names = [f"clip{n}" for n in range(9)]
    assert outcomes(run(tmp_path, names)) == dict.fromkeys(names, "ok")
    assert calls(tmp_path) == dict.fromkeys(names, 1)


def test_nothing_to_do(tmp_path):
    assert list(run(tmp_path, [])) == []


def test_a_failed_clip_keeps_its_class_message_and_stage(tmp_path):
    found = {task[0]: error for task, error in run(tmp_path, ["a", "fail"], workers=1)}
    error = found["fail"]
    assert (error.failure, error.message, error.stage) == ("corrupt", "fail is bad", "earlier")
    assert found["a"] is None


@pytest.mark.parametrize("workers", [1, 3])
def test_a_worker_that_dies_fails_its_own_clip_only(tmp_path, workers):
    names = ["a", "die1", "b", "c", "die2", "d", "e", "f"]
    found = outcomes(run(tmp_path, names, workers=workers))
    dead = "machine: the worker process died on this clip (exit status 9)"
    assert found == {name: dead if name.startswith("die") else "ok" for name in names}
    assert calls(tmp_path)["die1"] in (1, 2)


def test_how_a_worker_died_tells_whose_fault_it_was(tmp_path):
    assert outcomes(run(tmp_path, ["crash", "kill", "a"])) == {
        "crash": "decode: the worker process died on this clip (SIGSEGV)",
        "kill": "machine: the worker process died on this clip (SIGKILL); was there too little memory?",
        "a": "ok",
    }


def test_a_clip_that_needs_more_memory_than_a_worker_may_have_fails_alone(tmp_path, monkeypatch):
    assert outcomes(run(tmp_path, ["large"])) == {"large": "ok"}
    monkeypatch.setenv(WORKER_BYTES, str(768 << 20))
    found = outcomes(run(tmp_path, ["a", "large", "b"]))
    assert found == {"a": "ok", "large": "machine: MemoryError:", "b": "ok"}


def test_an_error_over_impossible_content_fails_its_clip_only(tmp_path):
    names = ["a", "zero", "b"]
    found = outcomes(run(tmp_path, names))
    assert found == {"a": "ok", "b": "ok", "zero": "decode: ZeroDivisionError: a side of 0"}


def test_a_suspect_that_finds_a_full_disk_alone_stops_the_job(tmp_path):
    with pytest.raises(OSError, match="no space left"):
        list(run(tmp_path, ["once full"]))


def test_a_clip_whose_worker_died_of_something_else_gets_a_second_try(tmp_path):
    assert outcomes(run(tmp_path, ["once", "b"], workers=1)) == {"once": "ok", "b": "ok"}
    assert calls(tmp_path)["once"] == 2


def test_a_pool_that_broke_between_two_results_loses_no_clip(tmp_path):
    names = ["a", *(f"die{n}" for n in range(3)), "b", "c", "d"]
    found = []
    for task, error in run(tmp_path, names, workers=2):
        # Time for the next worker to die while nobody waits for it.
        time.sleep(0.2)
        found.append((task[0], error is None))
    assert dict(found) == {name: not name.startswith("die") for name in names}
    assert len(found) == len(names)


@pytest.mark.parametrize(("name", "kind"), [("full", OSError), ("bug", TypeError)])
def test_what_is_no_clips_fault_stops_the_job(tmp_path, name, kind):
    with pytest.raises(kind):
        list(run(tmp_path, ["a", name, *(f"late{n}" for n in range(50))]))
    assert name in calls(tmp_path)
    assert len(calls(tmp_path)) < 50


def test_progress_is_about_twenty_lines(capsys):
    list(print_progress(((n, None) for n in range(1000)), 1000))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[-1] == "1000/1000 clips"
    assert list(print_progress([], 0)) == []


def test_an_error_survives_the_way_between_processes():
    import pickle

    error = pickle.loads(pickle.dumps(ClipError("gone", "m", "s")))
    assert (error.failure, error.message, error.stage) == ("gone", "m", "s")


def test_a_pool_of_one_is_none():
    with worker_pool(1, preload=()) as pool:
        assert pool is None


def test_a_pool_works():
    with worker_pool(2, preload=()) as pool:
        futures = [pool.submit(abs, -number) for number in range(5)]
        assert [future.result() for future in futures] == [0, 1, 2, 3, 4]


def test_a_pool_ends_with_an_error():
    def failing():
        with worker_pool(2, preload=()) as pool:
            pool.submit(abs, -1).result()
            raise KeyError

    with pytest.raises(KeyError):
        failing()


def file_of(task):
    return task[0].split()[0] if " " in task[0] else None


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_of_one_file_follow_one_another_in_one_worker(tmp_path, workers):
    names = [f"{file} {number:02d}" for number in range(40) for file in ("a", "b")]
    tasks = [(name, str(tmp_path)) for name in [*names, "alone", "a fail"]]
    found = list(run_clips(note_process, tasks, workers=workers, preload=(), file_of=file_of))
    assert sorted(task for task, _ in found) == sorted(tasks)
    assert [task[0] for task, error in found if error is not None] == ["a fail"]
    logs = [path.read_text().splitlines() for path in tmp_path.iterdir()]
    assert sorted(name for log in logs for name in log) == sorted([*names, "alone"])
    switches = sum(
        int(one.split()[-1]) + 1 != int(two.split()[-1]) or one[0] != two[0]
        for log in logs
        for one, two in itertools.pairwise([line for line in log if line != "alone"])
    )
    # Ten batches of eight.
    assert switches <= 9


def test_few_tasks_of_one_file_are_spread_over_the_workers(tmp_path):
    tasks = [(f"a {number}", str(tmp_path)) for number in range(4)]
    list(run_clips(note_process, tasks, workers=4, preload=(), file_of=file_of))
    logs = [path.read_text().splitlines() for path in tmp_path.iterdir()]
    assert sum(len(log) for log in logs) == 4
