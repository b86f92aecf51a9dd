"""From shards to a pack: list order, failures, and shards that belong to another list."""

import csv
import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from reelpack.config.recipes import Product
from reelpack.core.errors import DamagedError, UserError
from reelpack.core.tables import write_table
from reelpack.encode.codes import clip_bytes, join_codes
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.lists.manifest import MANIFEST_COLUMNS
from reelpack.packs import Variant, get_format
from reelpack.packs.split_shards import SplitCodes, read_manifest
from reelpack.packs.verify import verify_pack
from reelpack.packs.write import make_variant, write_pack

CARD = {
    "frames": {"fps": "2", "shorter_side": 8, "scaler": "bicubic"},
    "crop": {"size": 8, "position": ["top", "bottom"], "hflip": False},
    "encoder": {"name": "vqvae", "model": "m"},
    "pack": {"format": "vimpac_lmdb"},
}
NAMES = ["fps2_short8_top8", "fps2_short8_bottom8"]
# Clip, shard, failure.
LIST = [
    ("c", 1, ""),
    ("a", 0, "gone"),
    ("ü/x", 1, ""),
    ("b", 0, ""),
    ("d", 1, "decode"),
    ("e", 0, ""),
    ("f", 1, "gone"),
    ("g", 1, ""),
]


def tokens(clip_id, frames=2):
    base = sum(clip_id.encode()) % 50
    return [np.full((frames, 1, 2, 2), base + number, dtype=np.int64) for number in range(2)]


def manifest_row(clip_id, shard, label):
    texts = {"label_name": None, "caption": None, "captions": []}
    return {"clip_id": clip_id, "shard": shard, "video": f"{clip_id}.mp4", "label": label, **texts}


def build(folder, clips=LIST, *, shards=3, devices=("cpu",) * 3):
    rows = [
        manifest_row(clip_id, shard, number) for number, (clip_id, shard, _) in enumerate(clips)
    ]
    write_table(pd.DataFrame(rows), MANIFEST_COLUMNS, folder / "manifest.parquet")
    for shard in range(shards):
        mine = [(clip_id, failure) for clip_id, of, failure in clips if of == shard]
        ledger, files = [], []
        for clip_id, failure in mine:
            status = "failed" if failure else "ok"
            message = f"{clip_id} is bad" if failure else ""
            digest = "" if failure else hashlib.sha256(clip_bytes(tokens(clip_id))).hexdigest()
            row = LedgerRow(clip_id, "extract_frames", status, failure, message, digest=digest)
            ledger.append(row)
            if not failure:
                files.append((clip_id, folder / f"{len(files)}-{shard}.clip"))
                files[-1][1].write_bytes(clip_bytes(tokens(clip_id)))
        (folder / "encoded").mkdir(exist_ok=True)
        path = folder / "encoded" / f"{shard:05d}.safetensors"
        join_codes(path, files, made_with={"device": devices[shard]})
        write_ledger(ledger, path.with_suffix(".ledger.parquet"))
    return folder


def pack(folder, *, shards=3, max_failed=0.5, name="pack"):
    params = {
        "dataset": "mine",
        "split": "all",
        "recipe": "x",
        "card": CARD,
        "shards": shards,
        "max_failed": max_failed,
    }
    return write_pack(
        folder / "manifest.parquet", [folder / "encoded"], params=params, folder=folder / name
    )


def provenance(folder):
    return json.loads((folder / "provenance.json").read_bytes())


def test_entries_are_in_list_order_whatever_the_shards(tmp_path):
    codes = SplitCodes(build(tmp_path) / "encoded", 3)
    found = list(codes.entries(tmp_path / "manifest.parquet", NAMES))
    wanted = [(n, clip_id) for n, (clip_id, _, failure) in enumerate(LIST) if not failure]
    assert [(entry.order, entry.clip_id) for entry in found] == wanted
    for entry in found:
        assert entry.label == entry.order
        assert list(entry.arrays) == NAMES
        for array, expected in zip(entry.arrays.values(), tokens(entry.clip_id), strict=True):
            np.testing.assert_array_equal(array, expected)


def test_failures_are_in_list_order_with_stage_class_and_message(tmp_path):
    assert pack(build(tmp_path)) == {"clips": 8, "entries": 5, "failed": 3}
    with (tmp_path / "pack" / "failures.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [tuple(row.values()) for row in rows] == [
        ("a", "extract_frames", "gone", "a is bad"),
        ("d", "extract_frames", "decode", "d is bad"),
        ("f", "extract_frames", "gone", "f is bad"),
    ]
    assert verify_pack(tmp_path / "pack").differences == ()
    read = list(get_format("vimpac_lmdb").read(tmp_path / "pack"))
    assert {entry.clip_id for entry in read} == {"c", "ü/x", "b", "e", "g"}


def test_shards_do_not_show_in_a_pack(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    pack(build(tmp_path / "one"))
    single = [(clip_id, 0, failure) for clip_id, _, failure in LIST]
    pack(build(tmp_path / "two", single, shards=1), shards=1)
    for path in (tmp_path / "one" / "pack").rglob("*"):
        other = tmp_path / "two" / "pack" / path.relative_to(tmp_path / "one" / "pack")
        if path.is_file() and path.name != "lock.mdb":
            assert path.read_bytes() == other.read_bytes(), path.name


def test_max_failed_is_a_fraction_that_may_just_be_reached(tmp_path):
    build(tmp_path)
    pack(tmp_path, max_failed=3 / 8)
    with pytest.raises(UserError, match=r"mine all x: 3 of 8 clips failed, more than max_failed"):
        pack(tmp_path, max_failed=0.37, name="other")
    assert not (tmp_path / "other").exists()


def test_what_it_was_made_with_is_recorded_once_unless_shards_differ(tmp_path):
    pack(build(tmp_path))
    notes = provenance(tmp_path / "pack")
    assert notes["made_with"] == [{"device": "cpu"}]
    assert "max_failed" not in notes["result"]
    assert "shards" not in notes["result"]
    assert notes["result"]["card"] == CARD
    pack(build(tmp_path, devices=("gpu", "cpu", "gpu")))
    assert provenance(tmp_path / "pack")["made_with"] == [{"device": "cpu"}, {"device": "gpu"}]


OTHER_LISTS = {
    "another clip": [("new", 1, ""), *LIST[1:]],
    "another failed clip": [LIST[0], ("new", 0, "gone"), *LIST[2:]],
    "another order": [LIST[2], LIST[1], LIST[0], *LIST[3:]],
    "one more": [*LIST, ("new", 1, "")],
    "one less": LIST[:-1],
    "one less in front": LIST[1:],
    "one failed less": [*LIST[:6], LIST[7]],
    "a clip of an unknown shard": [*LIST[:-1], ("g", 7, "")],
}


@pytest.mark.parametrize("name", OTHER_LISTS)
def test_shards_of_another_list_are_refused(tmp_path, name):
    build(tmp_path)
    rows = [{"clip_id": c, "shard": s, "label": n} for n, (c, s, _) in enumerate(OTHER_LISTS[name])]
    frame = pd.DataFrame([manifest_row(**row) for row in rows])
    write_table(frame, MANIFEST_COLUMNS, tmp_path / "manifest.parquet")
    with pytest.raises(
        UserError, match=r"manifest\.parquet: shard 0000\d was made from another list"
    ):
        pack(tmp_path)
    assert not (tmp_path / "pack").exists()


def test_codes_and_ledger_of_different_runs_are_refused(tmp_path):
    build(tmp_path)
    write_ledger([LedgerRow("x", "s", "ok")], tmp_path / "encoded" / "00001.ledger.parquet")
    with pytest.raises(UserError, match=r"encoded/00001: codes and ledger do not belong together"):
        pack(tmp_path)


def test_changed_tokens_are_refused(tmp_path):
    build(tmp_path)
    path = tmp_path / "encoded" / "00000.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"00000\.safetensors: damaged"):
        pack(tmp_path)
    assert not (tmp_path / "pack").exists()


def test_variants():
    square = {"every": True, "square": 64, "scaler": "bicubic"}
    cut = {"size": 8, "position": "top", "hflip": True}
    assert make_variant(Product(square, None)) == Variant("every_square64_whole", square=64)
    assert make_variant(Product(CARD["frames"], cut)) == Variant(
        "fps2_short8_top8_hflip", shorter_side=8, size=8, position="top", hflip=True
    )


def test_a_manifest_reads_back(tmp_path):
    build(tmp_path)
    rows = list(read_manifest(tmp_path / "manifest.parquet"))
    assert [(row["clip_id"], row["shard"]) for row in rows] == [(c, s) for c, s, _ in LIST]
