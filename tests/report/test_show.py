"""Packs shown to people: one line each, and a sheet of frames above what the tokens keep."""

import json
from pathlib import Path

import numpy as np
import pytest

from reelpack.config.recipes import products
from reelpack.packs.verify import verify_pack
from reelpack.packs.write import write_pack
from reelpack.report.show import draw_sheet, find_packs, read_samples
from tests.support.chain import Chain, tiny_model
from tests.support.clips import write_clip

pytestmark = pytest.mark.usefixtures("warm_workers")

CARD = {
    "frames": {"fps": "5", "shorter_side": 32, "scaler": "bicubic"},
    "crop": {"size": 32, "position": "center", "hflip": False},
    "encoder": {"name": "vqvae", "model": "tiny"},
    "pack": {"format": "lvt_codes"},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of one dataset made by the real stages, with one bad clip and one pack."""
    root = tmp_path_factory.mktemp("show")
    (root / "videos").mkdir()
    write_clip(root / "videos" / "a.mp4")
    write_clip(root / "videos" / "b.mp4", frames=11, width=96)
    (root / "videos" / "none.mp4").touch()
    split = root / "results" / "mine" / "all"
    (root / "models" / "mine" / "tiny").mkdir(parents=True)
    weights = tiny_model(root / "models" / "mine" / "tiny" / "model.safetensors")
    chain = Chain(split, root / "videos").clips()
    encoded = chain.encode(weights, products(CARD), staged=False)
    params = {
        "dataset": "mine",
        "split": "all",
        "recipe": "x",
        "card": CARD,
        "shards": 1,
        "max_failed": 0.5,
    }
    write_pack(chain.manifest, [encoded], params=params, folder=split / "packs" / "x")
    return root


def test_the_whole_chain_gives_a_pack_that_verifies(results):
    check = verify_pack(results / "results" / "mine" / "all" / "packs" / "x")
    assert (check.differences, check.entries) == ((), 2)


def test_a_line_says_place_counts_and_reasons(results):
    (view,) = find_packs(results / "results")
    assert view.line() == f"{view.folder}: 2 of 3 clips, 1 failed (1 corrupt)"
    assert view.split == results / "results" / "mine" / "all"


def test_leftovers_and_unfinished_packs_are_not_shown(tmp_path):
    (tmp_path / "mine" / "all" / "packs" / "unfinished").mkdir(parents=True)
    assert list(find_packs(tmp_path)) == []


def test_a_sheet_shows_frames_above_their_reconstruction(results):
    (view,) = find_packs(results / "results")
    drawn = np.asarray(draw_sheet(view, results / "models"))
    again = np.asarray(draw_sheet(view, results / "models"))
    np.testing.assert_array_equal(drawn, again)
    assert drawn.shape[0] > 4 * 64
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 100


def test_without_the_model_tokens_are_drawn_in_false_colours(results, tmp_path):
    (view,) = find_packs(results / "results")
    plain, known = draw_sheet(view, tmp_path), draw_sheet(view, results / "models")
    assert plain.size == known.size
    assert plain.tobytes() != known.tobytes()


def test_a_pack_of_frames_shows_its_pictures(tmp_path):
    (tmp_path / "videos").mkdir()
    write_clip(tmp_path / "videos" / "a.mp4")
    split = tmp_path / "mine" / "all"
    chain = Chain(split, tmp_path / "videos").clips()
    card = {**CARD, "encoder": None}
    pixels = split / chain.stage("00000", products(card)[0])
    params = {"dataset": "mine", "split": "all", "recipe": "x", "shards": 1, "max_failed": 0.0}
    formats = ["frame_folders", "hdf5", "parquet", "png_folders", "webdataset"]
    for name in formats:
        write_pack(
            chain.manifest,
            [pixels],
            params={**params, "card": {**card, "pack": {"format": name}}},
            folder=split / "packs" / name,
        )
    views = list(find_packs(tmp_path))
    assert [view.folder.name for view in views] == formats
    for view in views:
        (sample,) = read_samples(view, tmp_path / "models")
        assert len(sample.frames) == 6
        np.testing.assert_array_equal(sample.decoded, sample.frames)
    assert draw_sheet(views[0], tmp_path / "models").height > 2 * 64


def test_packs_come_in_sorted_order(tmp_path: Path):
    for name in ("b/all/packs/x", "a/val/packs/y", "a/all/packs/z"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "provenance.json").write_text(json.dumps({}))
    found = [str(view.folder.relative_to(tmp_path)) for view in find_packs(tmp_path)]
    assert found == ["a/all/packs/z", "a/val/packs/y", "b/all/packs/x"]
