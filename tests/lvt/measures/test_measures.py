"""Measures of codes against plain numpy, and what they say of clips that are gone."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reelpack.config.recipes import products
from reelpack.config.stages import describe_result
from reelpack.core.errors import DamagedError, UserError
from reelpack.core.evenly import evenly
from reelpack.core.tables import write_table
from reelpack.encode.codes import CodesShard, clip_bytes, join_codes
from reelpack.encoders.vqvae import VQVAEEncoder
from reelpack.frames.shard import FrameShard
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.lists.manifest import MANIFEST_COLUMNS, choose_shard
from reelpack.lvt.measures import split as measures
from reelpack.lvt.measures.choice import ChosenClip, choose_clips
from reelpack.lvt.measures.codebooks import count_codes, describe_codebooks
from reelpack.lvt.measures.reconstruction import ErrorSums
from reelpack.lvt.measures.split import SplitFiles, measure_split
from tests.support.chain import Chain, tiny_model
from tests.support.clips import write_clip
from tests.support.helpers import ROOT
from tests.support.project import run

pytestmark = pytest.mark.usefixtures("warm_workers")

CARD = {
    "frames": {"fps": "5", "shorter_side": 32, "scaler": "bicubic"},
    "crop": {"size": 32, "position": "center", "hflip": [False, True]},
}
SETS = ["fps5_short32_center32", "fps5_short32_center32_hflip"]
LENGTHS = {"a": 30, "b": 11, "c": 45, "d": 60}
CODES = 16


def params(shards: int) -> dict:
    pixels = [
        describe_result("crop_frames", {"crop": each.crop, "frames": {"frames": each.frames}})
        for each in products(CARD)
    ]
    encoded = {"encoder": {"name": "vqvae", "model": "tiny"}, "pixels": pixels}
    return describe_result("measure_codes", {"encoded": encoded, "shards": shards})


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos") / "videos"
    folder.mkdir()
    for name, frames in LENGTHS.items():
        write_clip(folder / f"{name}.mp4", frames=frames, width=64 + 2 * frames)
    (folder / "bad.mp4").touch()
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(scope="module")
def files(videos, weights, tmp_path_factory) -> SplitFiles:
    """One shard, staged: both ways to pixels are open."""
    chain = Chain(tmp_path_factory.mktemp("one"), videos).clips()
    codes = chain.encode(weights, products(CARD), staged=True)
    pixels = tuple(chain.folder / "crops" / each.name for each in products(CARD))
    return SplitFiles(chain.manifest, codes, chain.folder / "clips", pixels, 1)


def measure(files: SplitFiles, weights: Path):
    return measure_split(files, weights=weights, params=params(files.shards), device="cpu")


# ---- figures -----------------------------------------------------------------------------------


def test_errors_and_use_are_those_of_plain_numpy(files, weights, monkeypatch):
    monkeypatch.setattr(measures, "FRAMES", 4)
    values, _ = measure(files, weights)
    shard = CodesShard(files.codes / "00000.safetensors")
    model = VQVAEEncoder(weights, device="cpu")
    by_set, every = [], []
    for number, folder in enumerate(files.pixels):
        staged = FrameShard(folder / "00000.tar")
        differences = []
        for place, clip in enumerate(LENGTHS):
            codes = shard.clip(place)[number]
            every.append(codes)
            wanted = [round(i) for i in np.linspace(0, len(codes) - 1, min(4, len(codes)))]
            made = np.concatenate([model.decode(codes[n : n + 1]) for n in wanted])
            given = np.stack([staged.frame(clip, n) for n in wanted])
            differences.append((given / 127.5 - 1) - (made / 127.5 - 1))
        by_set.append(np.concatenate(differences))
    found = values["reconstruction"]
    assert [(each["name"], each["frames"]) for each in found["crop_sets"]] == [
        (name, len(part)) for name, part in zip(SETS, by_set, strict=True)
    ]
    for each, part in zip(
        [*found["crop_sets"], found], [*by_set, np.concatenate(by_set)], strict=True
    ):
        assert each["mse"] == pytest.approx(np.square(part).mean(), rel=1e-9)
        assert each["mae_255"] == pytest.approx(np.abs(part).mean() * 127.5, rel=1e-9)
        assert each["psnr_db"] == pytest.approx(10 * np.log10(4 / np.square(part).mean()))
    assert 0 < found["mse"] < 1
    assert [clip["clip_id"] for clip in found["clips"]] == list(LENGTHS)
    for number, book in enumerate(values["codebooks"]):
        tokens = np.concatenate([codes[:, number].ravel() for codes in every])
        shares = np.bincount(tokens, minlength=CODES) / len(tokens)
        shares = shares[shares > 0]
        assert (book["size"], book["used"], book["counted"]) == (CODES, len(shares), len(tokens))
        assert book["perplexity"] == pytest.approx(np.prod(shares**-shares))
        assert book["top_share"] == pytest.approx(shares.max())


def test_pictures_without_error_have_no_psnr():
    same = np.full((2, 4, 4, 3), 7, np.uint8)
    assert ErrorSums.between(same, same).compute_figures() == {
        "frames": 2,
        "mse": 0.0,
        "mae_255": 0.0,
        "psnr_db": None,
    }
    assert ErrorSums.between(same, 255 - same).compute_figures()["psnr_db"] == pytest.approx(
        20 * np.log10(255 / 241)
    )


def test_codes_are_counted_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("reelpack.encode.codes._BLOCK_BYTES", 3 * 8 * 2 * 4)
    rng = np.random.default_rng(1)
    clips = [[rng.integers(0, 9, (length, 2, 2, 2)) for _ in range(2)] for length in (5, 1, 7)]
    shards = []
    for number, part in enumerate((clips[:2], clips[2:], [])):
        files = []
        for place, arrays in enumerate(part):
            files.append(("x", tmp_path / f"{number}.{place}"))
            files[-1][1].write_bytes(clip_bytes(arrays))
        shards.append(tmp_path / f"{number}.safetensors")
        join_codes(shards[-1], files, made_with={})
    counts = count_codes(shards, codebooks=2, codes=9)
    for book in range(2):
        every = np.concatenate([array[:, book].ravel() for clip in clips for array in clip])
        np.testing.assert_array_equal(counts[book], np.bincount(every, minlength=9))
    for codebooks, codes in ((2, 8), (3, 9)):
        with pytest.raises(DamagedError, match=r"0\.safetensors"):
            count_codes(shards, codebooks=codebooks, codes=codes)


def test_even_use_of_a_codebook():
    (even, one, none) = describe_codebooks(np.array([[3] * 8, [0, 5] + [0] * 6, [0] * 8]))
    assert (even["used"], even["perplexity"], even["top_share"]) == (8, pytest.approx(8), 1 / 8)
    assert (one["used"], one["perplexity"], one["top_share"]) == (1, 1.0, 1.0)
    assert (none["used"], none["perplexity"], none["top_share"]) == (0, 0.0, 0.0)


# ---- which clips -------------------------------------------------------------------------------


def listed(folder: Path, clips: dict[str, bool], shards: int) -> tuple[Path, list[Path]]:
    """Write a manifest and ledgers of clips that are finished or have failed."""
    rows = [
        {"clip_id": clip, "shard": choose_shard(clip, shards), "captions": []} for clip in clips
    ]
    table = pd.DataFrame(rows).reindex(columns=MANIFEST_COLUMNS.names)
    write_table(table, MANIFEST_COLUMNS, folder / "manifest.parquet")
    ledgers = [folder / f"{number}.ledger.parquet" for number in range(shards)]
    for number, path in enumerate(ledgers):
        of_shard = [row["clip_id"] for row in rows if row["shard"] == number]
        states = [(clip, "ok" if clips[clip] else "failed") for clip in of_shard]
        write_ledger([LedgerRow(clip, "encode_shard", state) for clip, state in states], path)
    return folder / "manifest.parquet", ledgers


@pytest.mark.parametrize("shards", [1, 3, 40])
def test_clips_are_chosen_in_list_order_for_any_number_of_shards(tmp_path, shards):
    clips = {f"clip{number}": number % 5 != 2 for number in range(30)}
    good = [clip for clip, is_good in clips.items() if is_good]
    chosen, total = choose_clips(*listed(tmp_path, clips, shards), 7)
    assert total == len(good) == 24
    assert [clip.clip_id for clip in chosen] == [good[n] for n in (0, 4, 8, 12, 15, 19, 23)]
    for clip in chosen:
        before = good[: good.index(clip.clip_id)]
        place = sum(choose_shard(other, shards) == clip.shard for other in before)
        assert clip == ChosenClip(clip.clip_id, choose_shard(clip.clip_id, shards), place)


def test_a_ledger_of_another_list_is_refused(tmp_path):
    clips = dict.fromkeys("abcdef", True)
    manifest, (ledger,) = listed(tmp_path, clips, 1)
    for names in ("abcde", "abcdefg", "abcdgf"):
        write_ledger([LedgerRow(name, "encode_shard", "ok") for name in names], ledger)
        with pytest.raises(UserError, match="shard 00000 was made from another list"):
            choose_clips(manifest, [ledger], 9)


def test_evenly():
    assert evenly("abc", 3) == ["a", "b", "c"]
    assert evenly(range(100), 4) == [0, 33, 66, 99]
    assert evenly(range(100), 1) == [0]
    assert evenly([], 2) == []


# ---- whole splits ------------------------------------------------------------------------------


@pytest.mark.slow
def test_staged_streamed_and_three_shards_give_the_same(files, videos, weights, tmp_path):
    expected, sheet = measure(files, weights)
    assert sheet.height > 4 * 72
    chain = Chain(tmp_path, videos, shards=3).clips()
    codes = chain.encode(weights, products(CARD), staged=False)
    three = SplitFiles(chain.manifest, codes, chain.folder / "clips", (), 3)
    for other in (replace(files, pixels=()), three):
        values, picture = measure(other, weights)
        assert values == expected
        np.testing.assert_array_equal(picture, sheet)


def test_a_video_that_is_gone_or_another_is_named(files, videos, weights, tmp_path):
    expected, _ = measure(files, weights)
    away = videos / "b.mp4"
    other = videos / "c.mp4"
    kept = {path: path.read_bytes() for path in (away, other)}
    away.unlink()
    other.write_bytes((videos / "a.mp4").read_bytes())
    try:
        values, picture = measure(replace(files, pixels=()), weights)
        staged, _ = measure(files, weights)
    finally:
        for path, data in kept.items():
            path.write_bytes(data)
    assert staged == expected
    gone, changed = values["clips"]["left_out"]
    assert gone["clip_id"] == "b"
    assert gone["reason"].startswith("missing: ")
    assert changed == {"clip_id": "c", "reason": "decode: it has 6 frames now, and 9 have codes"}
    assert (values["clips"]["chosen"], values["clips"]["finished"]) == (4, 4)
    assert [clip["clip_id"] for clip in values["reconstruction"]["clips"]] == ["a", "d"]
    assert values["codebooks"] == expected["codebooks"]
    assert picture.height > 100


def test_codes_of_another_model_are_refused(files, tmp_path):
    other = tiny_model(tmp_path / "other.safetensors", seed=4)
    with pytest.raises(UserError, match=r"00000\.safetensors: was made with another model"):
        measure(files, other)


def test_a_split_in_which_all_failed_has_no_figures(weights, tmp_path):
    manifest, (ledger,) = listed(tmp_path, {"x": False}, 1)
    ledger.rename(tmp_path / "00000.ledger.parquet")
    join_codes(tmp_path / "00000.safetensors", [], made_with={})
    values, picture = measure(SplitFiles(manifest, tmp_path, tmp_path, (), 1), weights)
    assert values["clips"] == {"finished": 0, "chosen": 0, "left_out": []}
    assert values["reconstruction"]["mse"] is None
    assert [book["used"] for book in values["codebooks"]] == [0, 0]
    assert picture.width > 1


def test_the_command_writes_both_files(files, weights, tmp_path):
    places = {
        "--manifest": files.manifest,
        "--codes": files.codes,
        "--clips": files.clips,
        "--pixels": json.dumps([str(folder) for folder in files.pixels]),
        "--weights": weights,
        "--params": json.dumps(params(1)),
        "--output": tmp_path / "x.json",
        "--picture": tmp_path / "x.png",
    }
    command = [sys.executable, str(ROOT / "scripts/measure_codes.py")]
    arguments = [str(part) for pair in places.items() for part in pair]
    run([*command, *arguments], cwd=tmp_path).ok()
    expected, sheet = measure(files, weights)
    assert json.loads((tmp_path / "x.json").read_text()) == expected
    np.testing.assert_array_equal(Image.open(tmp_path / "x.png"), sheet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "x.png"]
