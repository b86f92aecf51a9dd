from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np
import pytest

from reelpack.core.errors import UserError
from reelpack.packs.publish import read_provenance
from reelpack.packs.verify import verify_pack
from tests.packs.samples import ONE, cases, context, entries, failure, put, refresh
from tests.support.helpers import ROOT

COMMAND = ROOT / "scripts" / "verify_pack.py"
CLIPS = 6


@pytest.fixture(params=cases(), ids="-".join)
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    name, kind = request.param
    items = entries(CLIPS, variants=ONE, kind=kind, captions=['„Ünï"\n🎬', "b"])
    about = context(ONE, dataset="ucf101", split="train_val")
    put(folder, name, items, about, failures=[failure("gone", 99)])
    return folder


def data_file(pack: Path) -> Path:
    """One file with tokens, features or image files in it."""
    pack_format, _ = read_provenance(pack)
    part = next(iter(pack_format.list_parts(pack)))
    return pack / next(iter(part.files))


def cut(path: Path, keep: float = 0.6) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def command(*folders: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(COMMAND), *map(str, folders)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_whole_pack_is_whole(pack: Path) -> None:
    found = verify_pack(pack)
    assert found.differences == ()
    assert (found.entries, found.arrays) == (CLIPS, CLIPS)
    done = command(pack)
    assert done.returncode == 0
    assert ": ok; " in done.stdout


def test_readers_locks_are_allowed(pack: Path) -> None:
    (data_file(pack).parent / "lock.mdb").write_bytes(b"")
    assert verify_pack(pack).differences == ()


Damage = Callable[[Path], object]
DAMAGES: dict[str, tuple[Damage, str]] = {
    "data cut": (lambda pack: cut(data_file(pack)), "changed"),
    "data emptied": (lambda pack: data_file(pack).write_bytes(b""), "changed"),
    "data gone": (lambda pack: data_file(pack).unlink(), "missing"),
    "extra file": (lambda pack: (pack / "latent_video_paths.npy").touch(), "not part"),
    "entries cut": (lambda pack: cut(pack / "entries.parquet"), "entries.parquet: changed"),
    "entries gone": (lambda pack: (pack / "entries.parquet").unlink(), "entries.parquet: missing"),
    "failures gone": (lambda pack: (pack / "failures.csv").unlink(), "failures.csv: missing"),
    "checksums gone": (lambda pack: (pack / "checksums.sha256").unlink(), "checksums.sha256: "),
    "checksums cut": (lambda pack: cut(pack / "checksums.sha256"), "not part"),
    "checksums no text": (
        lambda pack: (pack / "checksums.sha256").write_bytes(b"\xff\n"),
        "checksums.sha256: ",
    ),
    "strange link": (lambda pack: (pack / "link").symlink_to("nowhere"), "link"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(pack: Path, name: str) -> None:
    damage, line = DAMAGES[name]
    damage(pack)
    found = verify_pack(pack)
    assert any(line in difference for difference in found.differences), found.differences


def test_damage_behind_right_checksums_is_found_without_a_crash(pack: Path) -> None:
    damaged = []
    for keep in (0.0, 0.3, 0.6, 0.95):
        damaged.append(pack.with_name(f"cut{keep}"))
        shutil.copytree(pack, damaged[-1], symlinks=True)
        cut(data_file(damaged[-1]), keep)
        refresh(damaged[-1])
    done = command(*damaged)
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert done.stdout.count("differences;") == len(damaged)


@pytest.mark.parametrize("name", ["entries.parquet", "failures.csv"])
def test_records_damaged_behind_right_checksums(pack: Path, name: str) -> None:
    (pack / name).write_bytes(b"\xff\xfe\n")
    refresh(pack)
    assert any(line.startswith(name) for line in verify_pack(pack).differences)


def test_counts_must_agree(pack: Path) -> None:
    notes = json.loads((pack / "provenance.json").read_text())
    notes["counts"] = {"clips": 9, "entries": 7, "failed": 2}
    (pack / "provenance.json").write_text(json.dumps(notes))
    assert verify_pack(pack).differences == (
        "provenance.json: says 7 entries, there are 6",
        "provenance.json: says 2 failed, there are 1",
    )


@pytest.mark.parametrize("pack", [("vimpac_lmdb", "tokens")], indirect=True)
def test_one_changed_token_and_one_lost_key(pack: Path) -> None:
    with (
        lmdb.open(str(data_file(pack).parent), lock=False, map_size=1 << 24) as environment,
        environment.begin(write=True) as writing,
    ):
        keys = list(writing.cursor().iternext(values=False))
        arrays = dict(np.load(io.BytesIO(writing.get(keys[0]))))
        arrays["tokens"][0, 0, 0] += 1
        changed = io.BytesIO()
        np.savez(changed, **arrays)
        writing.put(keys[0], changed.getvalue())
        writing.delete(keys[1])
        writing.put(b"new", b"no archive")
    refresh(pack)
    first, second = (key.decode() for key in keys[:2])
    lines = verify_pack(pack).differences
    assert f"center64: {first} differs from what was written" in lines
    assert f"center64: {second} is missing" in lines
    assert any("new" in line for line in lines)


@pytest.mark.parametrize("pack", [("vimpac_lmdb", "tokens")], indirect=True)
def test_links_are_compared(pack: Path) -> None:
    (link,) = (path for path in pack.iterdir() if path.is_symlink())
    target = link.readlink()
    link.unlink()
    assert any("the link to" in line for line in verify_pack(pack).differences)
    link.symlink_to("elsewhere")
    assert any("links to elsewhere" in line for line in verify_pack(pack).differences)
    link.unlink()
    link.symlink_to(target)
    assert verify_pack(pack).differences == ()


@pytest.mark.parametrize("pack", [("lvt_codes", "tokens")], indirect=True)
def test_a_changed_code_and_a_changed_label(pack: Path) -> None:
    frame = data_file(pack)
    codes = np.load(frame)
    codes.flat[0] += 1
    np.save(frame, codes)
    with (pack / "videos.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    rows[-1][2] = "77"
    with (pack / "videos.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    refresh(pack)
    lines = verify_pack(pack).differences
    assert sum("differs from what was written" in line for line in lines) == 2


def test_many_differences_are_counted(pack: Path) -> None:
    for number in range(30):
        (pack / f"extra_{number}").touch()
    done = command(pack)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 22
    assert "and 10 more" in done.stdout


def test_folders_that_are_no_packs(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = command(pack, tmp_path / "empty")
    assert done.returncode == 2
    assert "ok" in done.stdout
    assert "provenance.json" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    for text in (
        "{}",
        "[]",
        "x",
        '{"format": "zip", "counts": {"entries": 1, "failed": 0}, "links": {}}',
    ):
        (pack / "provenance.json").write_text(text)
        with pytest.raises(UserError):
            verify_pack(pack)
    shutil.rmtree(pack)
    with pytest.raises(UserError):
        verify_pack(pack)
