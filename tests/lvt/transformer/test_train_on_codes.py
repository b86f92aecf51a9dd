import csv
import json
import math
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest

from reelpack.config.transformer_training import TransformerSettings
from reelpack.core.errors import UserError
from reelpack.encode.codes import clip_bytes, join_codes
from reelpack.lvt.training.ahead import STEPS_AHEAD
from reelpack.lvt.training.launch import make_fabric
from reelpack.lvt.transformer.code_sampling import DrawSettings, draw_videos
from reelpack.lvt.transformer.likelihood import measure_bits
from reelpack.lvt.transformer.model_files import load_model
from reelpack.lvt.transformer.train_on_codes import TransformerTraining, train_transformer
from tests.lvt.training import events
from tests.lvt.training.killing import counted, killed_at
from tests.lvt.transformer import tiny
from tests.lvt.transformer.commands import command
from tests.lvt.transformer.tiny import Held


def held(codes):
    """Videos of codes int64[B, codebooks, T, H, W]."""
    return Held(list(codes.transpose(1, 2).contiguous().numpy()))


VIDEOS = held(tiny.codes(6, frames=5))
OTHERS = held(tiny.codes(3, seed=1, frames=4))
SETTINGS = TransformerSettings(
    tiny.BOTH, steps=8, frames=4, batch=3, learning_rate=1e-3, checkpoint_every=3, evaluate_every=2
)
RESULTS = ("model.safetensors", "metrics.csv")
run = partial(train_transformer, device="cpu", held_out=OTHERS)


def results(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    run(VIDEOS, SETTINGS, folder)
    return results(folder)


@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_killed_run_goes_on_to_the_same_bytes(unbroken, tmp_path, at):
    with killed_at(TransformerTraining, at) as done:
        run(VIDEOS, SETTINGS, tmp_path)
    assert not any((tmp_path / name).exists() for name in RESULTS)
    with counted(TransformerTraining) as redone:
        run(VIDEOS, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken
    assert [*done, *redone] == [*range(at), *range(at // 3 * 3, 8)]


def test_how_often_checkpoints_are_made_changes_nothing(unbroken, tmp_path):
    run(VIDEOS, replace(SETTINGS, checkpoint_every=100), tmp_path)
    assert results(tmp_path) == unbroken


def test_a_done_training_is_not_done_again(unbroken, tmp_path, monkeypatch):
    run(VIDEOS, SETTINGS, tmp_path)
    for name in RESULTS:
        (tmp_path / name).unlink()
    monkeypatch.setattr(TransformerTraining, "advance", None)
    run(VIDEOS, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken


@pytest.mark.parametrize("change", ["seed", "videos", "held out"])
def test_a_foreign_checkpoint_is_not_taken_up(unbroken, tmp_path, change, capsys):
    settings = replace(SETTINGS, seed=4) if change == "seed" else SETTINGS
    videos = Held(VIDEOS.codes[:5]) if change == "videos" else VIDEOS
    held_out = Held(OTHERS.codes[:2]) if change == "held out" else OTHERS
    run(videos, settings, tmp_path, held_out=held_out)
    assert results(tmp_path) != unbroken
    run(VIDEOS, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken
    assert "of other data or settings, starting over" in capsys.readouterr().out


def test_metrics_say_what_was_measured_and_the_best_weights_are_published(unbroken, tmp_path):
    run(VIDEOS, SETTINGS, tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows] == list(range(1, 9))
    held_out = {int(r["step"]): r["held_out_bits_per_dim"] for r in rows}
    assert [step for step, bits in held_out.items() if bits] == [2, 4, 6, 8]
    for row in rows:
        assert float(row["bits_per_dim"]) == pytest.approx(float(row["loss"]) / math.log(2))
    batch = tiny.codes(3, seed=1, frames=4)
    bits = measure_bits(load_model(tmp_path / "model.safetensors"), [batch])
    assert bits == pytest.approx(min(float(bits) for bits in held_out.values() if bits), abs=1e-6)


def test_patience_ends_a_training_that_only_learns_by_heart(tmp_path):
    settings = replace(SETTINGS, steps=400, patience=2, evaluate_every=5, learning_rate=0.01)
    run(VIDEOS, settings, tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    bits = [float(r["held_out_bits_per_dim"]) for r in rows if r["held_out_bits_per_dim"]]
    assert int(rows[-1]["step"]) == 5 * len(bits) < 400
    assert np.argmin(bits) == len(bits) - 3
    with pytest.raises(UserError, match="patience: needs held-out videos"):
        train_transformer(VIDEOS, settings, tmp_path, device="cpu")


def test_tensorboard_shows_the_metrics(tmp_path):
    with killed_at(TransformerTraining, 5):
        run(VIDEOS, SETTINGS, tmp_path, events=tmp_path / "events")
    run(VIDEOS, SETTINGS, tmp_path, events=tmp_path / "events")
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    shown = events.scalars(tmp_path / "events")
    assert set(shown) == set(rows[0]) - {"step"}
    for name, points in shown.items():
        told = [(int(r["step"]), pytest.approx(float(r[name]), rel=1e-6)) for r in rows if r[name]]
        assert points == told


@pytest.mark.slow
def test_bf16_learns(tmp_path):
    settings = replace(SETTINGS, steps=150, batch=6, precision="bf16")
    run(VIDEOS, settings, tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    losses = [float(row["loss"]) for row in rows]
    assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:20])
    run(VIDEOS, replace(settings, steps=1, precision="fp32"), tmp_path / "fp32")
    exact = list(csv.DictReader((tmp_path / "fp32" / "metrics.csv").open()))
    assert losses[0] == pytest.approx(float(exact[0]["loss"]), rel=0.02)
    assert rows[0]["loss"] != exact[0]["loss"]


def test_single_frame_slices_are_never_the_primed_ones():
    drawn = TransformerTraining(
        VIDEOS, replace(SETTINGS, architecture=tiny.FRAMES), fabric=make_fabric("cpu")
    )
    slices = {int(n) for step in range(12) for n in drawn._read_batch(step)[1]}
    assert slices == {1, 2, 3}


def test_cuts_start_anywhere():
    drawn = TransformerTraining(VIDEOS, SETTINGS, fabric=make_fabric("cpu"))
    seen = {
        tuple(cut[:, 0].flatten().tolist())
        for step in range(12)
        for cut in drawn._read_batch(step)[0]
    }
    starts = {tuple(c[n].flatten().tolist()) for c in VIDEOS.codes for n in (0, 1)}
    assert seen == starts


def test_short_videos_are_left_out_with_a_line(tmp_path, capsys):
    videos = Held([*VIDEOS.codes, VIDEOS.codes[0][:3]])
    run(videos, replace(SETTINGS, steps=1), tmp_path)
    assert "1 training videos are shorter than a cut and left out" in capsys.readouterr().out


def test_nothing_to_predict_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="of 4 frames nothing is left to predict"):
        run(VIDEOS, replace(SETTINGS, primed_frames=4), tmp_path)


def test_videos_of_several_sizes_are_a_user_error(tmp_path):
    videos = Held([VIDEOS.codes[0], VIDEOS.codes[1][..., :2]])
    with pytest.raises(UserError, match="codes of several sizes"):
        run(videos, SETTINGS, tmp_path)
    with pytest.raises(UserError, match="codes of several sizes"):
        run(VIDEOS, SETTINGS, tmp_path, held_out=videos)


@pytest.mark.slow
def test_eight_videos_are_learned_by_heart_and_told_from_their_first_frames(tmp_path):
    batch = tiny.codes(8, seed=3)
    sizes = replace(tiny.FRAMES, width=48, head_width=12, embedding=16)
    settings = TransformerSettings(sizes, steps=300, frames=4, batch=8, learning_rate=5e-4)
    train_transformer(held(batch), settings, tmp_path, device="cpu")
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    model = load_model(tmp_path / "model.safetensors")
    bits = measure_bits(model, [batch])
    assert bits < 0.5 * float(rows[0]["bits_per_dim"])
    told = draw_videos(model, batch[:, :, :1], DrawSettings(4, 0, temperature=0))
    assert (told == batch).float().mean() > 0.95


def test_the_command_trains_on_shards_and_is_not_done_twice(tmp_path):
    for name, videos in (("codes", VIDEOS), ("held_out", OTHERS)):
        clips = [(str(n), tmp_path / f"{name}{n}") for n in range(len(videos.codes))]
        for (_, path), codes in zip(clips, videos.codes, strict=True):
            path.write_bytes(clip_bytes([codes]))
        join_codes(tmp_path / f"{name}.safetensors", clips, made_with={})
    settings = asdict(SETTINGS)
    card = {"architecture": settings.pop("architecture"), "training": settings}
    words = [
        *("--codes", tmp_path / "codes.safetensors"),
        *("--held-out", tmp_path / "held_out.safetensors"),
        *("--params", json.dumps({"model": card}), "--journal", tmp_path / "journal"),
        *("--model", tmp_path / "out" / "model.safetensors"),
        *("--metrics", tmp_path / "out" / "metrics.csv"),
    ]
    done = command("train_transformer", *words)
    assert done.returncode == 0, done.stderr
    run(VIDEOS, SETTINGS, tmp_path / "here")
    assert results(tmp_path / "out") == results(tmp_path / "here")
    (journal,) = (tmp_path / "journal").iterdir()
    assert {path.name for path in journal.iterdir()} == {*RESULTS, "checkpoint.pt"}


def test_reading_ahead_changes_nothing(unbroken, tmp_path, monkeypatch):
    monkeypatch.setitem(STEPS_AHEAD, "cpu", 3)
    run(VIDEOS, SETTINGS, tmp_path)
    assert results(tmp_path) == unbroken
