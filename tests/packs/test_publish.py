from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelpack.config.pack_rules import Kind
from reelpack.core import whole_folder
from reelpack.core.errors import UserError
from reelpack.packs import Entry
from reelpack.packs.verify import verify_pack
from tests.packs.samples import ONE, cases, context, entries, entry, failure, put, read_failures


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def listing(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def put_lmdb(folder: Path, count: int = 5, **options: Any) -> dict[str, int]:
    return put(folder, "vimpac_lmdb", entries(count), context(), **options)


def test_a_pack_holds_its_records(tmp_path: Path) -> None:
    counts = put_lmdb(
        tmp_path / "deep/pack", failures=[failure("b", 9), failure("a", 7)], expected=7
    )
    pack = tmp_path / "deep/pack"
    assert counts == {"clips": 7, "entries": 5, "failed": 2}
    assert (pack / "failures.csv").read_bytes() == (
        b"clip_id,stage,class,message\n"
        b"a,encode_shard,corrupt,no moov box\nb,encode_shard,corrupt,no moov box\n"
    )
    notes = json.loads((pack / "provenance.json").read_text())
    assert notes["recipe"] == "small"
    assert notes["counts"] == counts
    assert notes["variants"] == ["128top", "160center_hflip"]
    table = pq.read_table(pack / "entries.parquet").to_pydict()
    assert table["order"] == [0, 1, 2, 3, 4]
    assert table["clip_id"] == [item.clip_id for item in entries(5)]
    assert table["label"] == [None, 1, 2, None, 4]
    assert list(tmp_path.glob("deep/.*")) == []


def test_sha256sum_agrees(tmp_path: Path) -> None:
    put_lmdb(tmp_path / "pack")
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "checksums.sha256"],
        cwd=tmp_path / "pack",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    lines = (tmp_path / "pack/checksums.sha256").read_text().splitlines()
    listed = [line[66:] for line in lines]
    assert listed == sorted(set(tree(tmp_path / "pack")) - {"checksums.sha256", "provenance.json"})


@pytest.mark.parametrize(("name", "kind"), cases())
def test_the_same_input_gives_the_same_bytes(tmp_path: Path, name: str, kind: Kind) -> None:
    for folder in ("one", "two"):
        put(tmp_path / folder, name, entries(40, variants=ONE, kind=kind), context(ONE))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_new_pack_takes_the_old_ones_place(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    put_lmdb(pack, 5)
    (pack / "stale.npy").write_bytes(b"x")
    # As a workflow does before it runs the job again.
    (pack / "provenance.json").unlink()
    put_lmdb(pack, 3)
    assert verify_pack(pack).differences == ()
    assert verify_pack(pack).entries == 3
    assert listing(tmp_path) == ["pack"]


def test_file_systems_without_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_folder, "_exchange", lambda one, other: False)
    pack = tmp_path / "pack"
    put_lmdb(pack, 5)
    put_lmdb(pack, 3)
    assert verify_pack(pack).entries == 3
    assert listing(tmp_path) == ["pack"]


def test_leftovers_of_this_pack_only_are_cleared(tmp_path: Path) -> None:
    for name in (".p[1].tmp-0a", ".p[1].old-0a", ".p1.tmp-0a", ".other.tmp-0a"):
        (tmp_path / name / "x").mkdir(parents=True)
    put_lmdb(tmp_path / "p[1]")
    assert sorted(listing(tmp_path)) == [".other.tmp-0a", ".p1.tmp-0a", "p[1]"]


def test_an_error_half_way_leaves_the_old_pack(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    put_lmdb(pack)
    before = tree(pack)

    def breaking() -> Iterator[Entry]:
        yield from entries(2)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        put(pack, "vimpac_lmdb", breaking(), context())
    assert tree(pack) == before
    assert listing(tmp_path) == ["pack"]


@pytest.mark.parametrize(("name", "kind"), dict(cases()).items())
def test_a_killed_writer_leaves_the_old_pack(tmp_path: Path, name: str, kind: Kind) -> None:
    pack = tmp_path / "pack"
    put(pack, name, entries(4, variants=ONE, kind=kind), context(ONE))
    before = tree(pack)
    script = f"""
        import os, signal
        from pathlib import Path
        from tests.packs.samples import ONE, context, entries, put
        def dying():
            yield from entries(3, variants=ONE, kind={kind!r})
            os.kill(os.getpid(), signal.SIGKILL)
        put(Path({str(pack)!r}), {name!r}, dying(), context(ONE))
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(listing(tmp_path)) == 2
    assert tree(pack) == before
    assert verify_pack(pack).differences == ()
    put(pack, name, entries(6, variants=ONE, kind=kind), context(ONE))
    assert verify_pack(pack).entries == 6
    assert listing(tmp_path) == ["pack"]


def test_too_many_missing_clips_stop_with_the_counts(tmp_path: Path) -> None:
    missing = [failure(str(order), order) for order in range(10, 12)]
    with pytest.raises(UserError, match="2 of 7 clips"):
        put_lmdb(tmp_path / "pack", failures=missing, max_failed=0.2)
    assert listing(tmp_path) == []
    put_lmdb(tmp_path / "pack", failures=missing, max_failed=0.3)


@pytest.mark.parametrize(
    ("given_entries", "failures", "message"),
    [
        ([entry("a", 0), entry("a", 1)], [], "twice"),
        ([entry("a", 0)], [failure("a", 1)], "twice"),
        ([], [failure("a", 0), failure("a", 1)], "twice"),
        ([entry("a", 1), entry("b", 0)], [], "list order"),
        ([entry("a", 0)], [], "2 clips were expected, 1 came"),
        ([entry("a", 0, variants=ONE)], [], "crops"),
    ],
)
def test_wrong_accounts_are_errors(
    tmp_path: Path, given_entries: list[Entry], failures: list[Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        put(
            tmp_path / "pack",
            "vimpac_lmdb",
            given_entries,
            context(),
            failures=failures,
            expected=2,
        )


def test_refused_clips_are_failures_in_list_order(tmp_path: Path) -> None:
    items = [
        entry("x" * 512, 0),
        entry("ok", 1),
        entry("bad\udcff", 3),
        entry("big", 4, label=40000),
    ]
    missing = [failure("gone", 2)]
    counts = put(tmp_path / "pack", "vimpac_lmdb", items, context(), failures=missing, expected=5)
    assert counts["failed"] == 4
    rows = read_failures(tmp_path / "pack")
    assert [row["clip_id"] for row in rows] == ["x" * 512, "gone", "bad\\udcff", "big"]
    assert rows[0]["stage"] == "write_pack"
    assert rows[0]["class"] == "pack"
    assert verify_pack(tmp_path / "pack").differences == ()


ids = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), unique=True, max_size=8
)


@settings(max_examples=25, deadline=None)
@given(
    clip_ids=ids,
    labels=st.lists(st.none() | st.integers(-40000, 40000), min_size=8, max_size=8),
    message=st.text(st.characters(codec="utf-8"), max_size=20),
    case=st.sampled_from(cases()),
)
def test_whatever_the_ids_the_pack_verifies(
    tmp_path_factory: pytest.TempPathFactory,
    clip_ids: list[str],
    labels: list[int | None],
    message: str,
    case: tuple[str, Kind],
) -> None:
    name, kind = case
    pack = tmp_path_factory.mktemp("property") / "pack"
    failed = [failure(clip_id, 100, message) for clip_id in clip_ids[:1]]
    items = [
        entry(clip_id, order, label=label, variants=ONE, kind=kind, captions=[message])
        for order, (clip_id, label) in enumerate(zip(clip_ids[1:], labels, strict=False))
    ]
    counts = put(pack, name, items, context(ONE), failures=failed)
    assert counts["clips"] == len(clip_ids)
    found = verify_pack(pack)
    assert found.differences == ()
    assert found.arrays == counts["entries"]
