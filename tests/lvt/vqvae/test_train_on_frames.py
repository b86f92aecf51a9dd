import csv
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from reelpack.core.errors import UserError
from reelpack.encoders.vqvae import Architecture, load_model
from reelpack.lvt.training import loop
from reelpack.lvt.training.ahead import STEPS_AHEAD
from reelpack.lvt.training.launch import make_fabric
from reelpack.lvt.training.order import order_batches
from reelpack.lvt.vqvae.train_on_frames import VqvaeTraining, train_vqvae
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from tests.lvt.training import events, small_vqvae
from tests.lvt.training.killing import Killed, counted, killed_at
from tests.support.dalle_weights import draw_frames

FRAMES = draw_frames(0, 12, 16, 16)
SETTINGS = replace(small_vqvae.SETTINGS, batch=5)
RESULTS = ("model.safetensors", "metrics.csv", "reconstructions.png")
run = partial(train_vqvae, device="cpu")


def results(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    run(FRAMES, SETTINGS, folder)
    return results(folder)


def test_two_runs_give_equal_bytes(unbroken, tmp_path):
    run(FRAMES, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken


@pytest.mark.parametrize("at", [1, 4, 6, 11])
def test_a_killed_run_goes_on_to_the_same_bytes(unbroken, tmp_path, at):
    with killed_at(VqvaeTraining, at) as done:
        run(FRAMES, SETTINGS, tmp_path)
    assert not any((tmp_path / name).exists() for name in RESULTS)
    with counted(VqvaeTraining) as redone:
        run(FRAMES, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken
    assert [*done, *redone] == [*range(at), *range(at // 4 * 4, 12)]


def test_a_kill_while_a_checkpoint_is_written_keeps_the_old_one(unbroken, tmp_path, monkeypatch):
    save, written = loop.torch.save, []

    def torn(state, path):
        written.append(state["step"])
        if len(written) == 2:
            path.write_bytes(b"half")
            raise Killed
        save(state, path)

    with monkeypatch.context() as patch:
        patch.setattr(loop.torch, "save", torn)
        with pytest.raises(Killed):
            run(FRAMES, SETTINGS, tmp_path)
    run(FRAMES, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken


def test_how_often_checkpoints_are_made_changes_nothing(unbroken, tmp_path):
    run(FRAMES, replace(SETTINGS, checkpoint_every=100), tmp_path)
    assert results(tmp_path) == unbroken


def test_a_done_training_is_not_done_again(unbroken, tmp_path, monkeypatch):
    run(FRAMES, SETTINGS, tmp_path)
    for name in RESULTS:
        (tmp_path / name).unlink()
    monkeypatch.setattr(VqvaeTraining, "advance", None)
    run(FRAMES, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken


@pytest.mark.parametrize("change", ["seed", "frames"])
def test_a_foreign_checkpoint_is_not_taken_up(unbroken, tmp_path, change):
    settings = replace(SETTINGS, seed=4) if change == "seed" else SETTINGS
    run(FRAMES[:11] if change == "frames" else FRAMES, settings, tmp_path)
    assert results(tmp_path) != unbroken
    run(FRAMES, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken


def smooth(count):
    """Gradients between random colours, uint8[count, 16, 16, 3]."""
    ends = np.random.default_rng(0).uniform(0, 255, (2, count, 1, 1, 3))
    share = np.linspace(0, 1, 16).reshape(1, 1, 16, 1).repeat(16, axis=1)
    return (ends[0] * share + ends[1] * (1 - share)).astype(np.uint8)


def test_it_learns_and_writes_what_it_did(tmp_path):
    run(smooth(12), replace(SETTINGS, steps=120), tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows] == list(range(1, 121))
    losses = [float(row["reconstruction"]) for row in rows]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert all(1 <= float(row["perplexity"]) <= float(row["codes_used"]) <= 16 for row in rows)
    grid = np.asarray(Image.open(tmp_path / "reconstructions.png"))
    assert grid.shape == (32, 8 * 16, 3)
    assert (grid[:16, :16] == smooth(12)[0]).all()
    assert load_model(tmp_path / "model.safetensors").architecture == SETTINGS.architecture


def test_long_trainings_keep_few_rows_and_the_last():
    settings = replace(SETTINGS, steps=2001)
    training = VqvaeTraining(FRAMES, settings, fabric=make_fabric("cpu"))
    training.step = 1998
    for _ in range(3):
        training.advance()
    assert [row[0] for row in training.metrics.rows] == [2000, 2001]


def test_pictures_on_the_way_change_nothing(unbroken, tmp_path):
    run(FRAMES, SETTINGS, tmp_path, pictures_every=5, events=tmp_path / "events")
    assert results(tmp_path) == unbroken
    drawn = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert drawn == ["00000005.png", "00000010.png"]
    first, second = (np.asarray(Image.open(tmp_path / "pictures" / name)) for name in drawn)
    assert first.shape == second.shape == (32, 8 * 16, 3)
    assert (first[:16] == second[:16]).all()
    assert (first[16:] != second[16:]).any()
    shown = events.pictures(tmp_path / "events")
    assert shown == {("reconstructions", step): (32, 8 * 16) for step in (5, 10)}


def test_tensorboard_shows_the_metrics_once_however_often_it_is_killed(tmp_path):
    run_logged = partial(run, FRAMES, SETTINGS, tmp_path, events=tmp_path / "events")
    for at in (6, 11):
        with killed_at(VqvaeTraining, at):
            run_logged()
    run_logged()
    run_logged()
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    shown = events.scalars(tmp_path / "events")
    assert set(shown) == set(rows[0]) - {"step"}
    for name, points in shown.items():
        assert points == [(int(r["step"]), pytest.approx(float(r[name]), rel=1e-6)) for r in rows]
    assert len(list((tmp_path / "events").iterdir())) == 3


PLATEAU = replace(SETTINGS, steps=400, patience=2, evaluate_every=3, learning_rate=0.0)


def test_a_plateau_ends_a_training(tmp_path):
    run(FRAMES, PLATEAU, tmp_path / "unbroken")
    rows = list(csv.DictReader((tmp_path / "unbroken" / "metrics.csv").open()))
    assert 9 <= int(rows[-1]["step"]) < 60
    assert int(rows[-1]["step"]) % 3 == 0
    with killed_at(VqvaeTraining, 7):
        run(FRAMES, PLATEAU, tmp_path / "killed")
    run(FRAMES, PLATEAU, tmp_path / "killed")
    assert results(tmp_path / "killed") == results(tmp_path / "unbroken")


class Clips:
    """Frames of three clips, which remember what was read."""

    counts = (5, 1, 6)

    def __init__(self):
        self.read = []

    def __len__(self):
        return sum(self.counts)

    def __getitem__(self, index):
        self.read.append(index)
        return FRAMES[index]


def test_per_clip_every_round_takes_one_frame_of_each(tmp_path):
    clips = Clips()
    settings = replace(SETTINGS, per_clip=True, batch=3, checkpoint_every=100)
    training = VqvaeTraining(clips, settings, fabric=make_fabric("cpu"))
    clips.read.clear()
    for _ in range(12):
        training.advance()
    for first in range(0, 36, 3):
        owners = [0 if i < 5 else 1 if i == 5 else 2 for i in clips.read[first : first + 3]]
        assert sorted(owners) == [0, 1, 2]
    assert len(set(clips.read)) > 6


def test_bf16_learns(tmp_path):
    settings = replace(SETTINGS, steps=120, precision="bf16")
    run(smooth(12), settings, tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    losses = [float(row["reconstruction"]) for row in rows]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    model = load_model(tmp_path / "model.safetensors")
    assert {p.dtype for p in model.state_dict().values()} == {torch.float32}
    run(smooth(12), replace(settings, precision="fp32"), tmp_path / "fp32")
    exact = list(csv.DictReader((tmp_path / "fp32" / "metrics.csv").open()))
    assert float(rows[0]["loss"]) == pytest.approx(float(exact[0]["loss"]), rel=0.02)
    assert rows[0]["loss"] != exact[0]["loss"]


def test_batches_pass_through_shuffled_rounds():
    order = order_batches(10, 4, 7)
    seen = np.concatenate([order(step) for step in range(5)])
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10].tolist() != seen[10:].tolist()
    fresh = order_batches(10, 4, 7)
    assert fresh(3).tolist() == order(3).tolist()
    assert order_batches(3, 8, 0)(0).tolist().count(0) >= 2


def test_settings_come_from_a_card():
    card = {
        "architecture": {"layers": 2},
        "training": {"steps": 9, "batch": 3, "betas": [0.9, 0.9]},
    }
    settings = VqvaeTrainSettings.from_card(card, image_size=64)
    assert settings == VqvaeTrainSettings(Architecture(layers=2), image_size=64, steps=9, batch=3)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"steps": 1, "epochs": 3}, "epochs: unknown key; allowed: steps, batch"),
        ({"batch": 2}, "steps: missing"),
        ({"steps": 0}, "steps: 0"),
    ],
)
def test_wrong_cards_are_user_errors(training, message):
    with pytest.raises(UserError, match=message):
        VqvaeTrainSettings.from_card({"training": training}, image_size=64)


def test_wrong_frames_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="no frame"):
        run([], SETTINGS, tmp_path)
    with pytest.raises(UserError, match=r"expected uint8\[16, 16, 3\]"):
        run(draw_frames(0, 3, 20, 16), SETTINGS, tmp_path)
    with pytest.raises(UserError, match="image size 18"):
        replace(SETTINGS, image_size=18)


def test_reading_ahead_changes_nothing(unbroken, tmp_path, monkeypatch):
    monkeypatch.setitem(STEPS_AHEAD, "cpu", 3)
    run(FRAMES, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken
