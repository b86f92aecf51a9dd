import math
from threading import Event

import numpy as np
import pytest
import torch

from reelpack.config.training import check_sharing, decisive
from reelpack.core.errors import UserError
from reelpack.lvt.training.ahead import Ahead
from reelpack.lvt.training.metrics import Metrics
from reelpack.lvt.training.order import order_clips
from reelpack.lvt.training.plateau import Plateau
from reelpack.lvt.training.share import ALONE, Share
from tests.lvt.training import events


def test_a_round_takes_one_frame_of_every_clip():
    counts = [3, 1, 5, 2]
    clips = np.repeat(range(4), counts)
    order = order_clips(counts, 2, 7)
    frames = np.concatenate([order(step) for step in range(40)])
    rounds = clips[frames].reshape(-1, 4)
    assert all(sorted(clips_of_round) == [0, 1, 2, 3] for clips_of_round in rounds.tolist())
    assert len({tuple(each) for each in rounds.tolist()}) > 5
    assert set(frames.tolist()) == set(range(11))
    assert order_clips(counts, 2, 7)(9).tolist() == order(9).tolist()
    assert order_clips(counts, 2, 8)(9).tolist() != order(9).tolist()


def test_parts_make_the_batch():
    batch = list(range(12))
    assert [x for rank in range(3) for x in batch[Share(rank, 3).part(12)]] == batch
    assert batch[ALONE.part(12)] == batch


def test_batches_are_read_before_they_are_asked_for():
    begun, seen = {step: Event() for step in range(6)}, []

    def read(step):
        begun[step].set()
        seen.append(step)
        if step == 4:
            raise UserError("damaged")
        return 10 * step

    batches = Ahead(read, steps=6, ahead=2)
    assert batches(1) == 10
    assert begun[2].wait(10)
    assert begun[3].wait(10)
    assert not begun[4].is_set()
    assert [batches(2), batches(3)] == [20, 30]
    with pytest.raises(UserError, match="damaged"):
        batches(4)
    assert batches(5) == 50
    assert sorted(seen) == [1, 2, 3, 4, 5]
    assert Ahead(read, steps=6, ahead=0)(0) == 0
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]


def watched(losses, **changes):
    options = {"every": 2, "patience": 2, "min_improvement": 0.1, **changes}
    plateau = Plateau(**options)
    for number, loss in enumerate(losses, 1):
        plateau.add(torch.tensor(loss))
        if plateau.reached:
            return number
        again = Plateau(**options)
        again.load(plateau.state())
        plateau = again
    return None


@pytest.mark.parametrize(
    ("losses", "options", "stop"),
    [
        ([4, 2, 3, 3, 3, 3, 1, 1], {}, 6),
        ([4, 2, 3, 3, 1, 1, 1, 1, 1, 1], {}, 10),
        ([3, 3, 2.8, 2.8, 2.6, 2.6, 2.5, 2.5], {}, None),
        ([3, 3, 2.8, 2.8, 2.75, 2.75, 2.5, 2.5], {}, 6),
        ([3, 3, math.nan, 3, 3, 3], {}, 6),
        ([3.0] * 20, {"patience": 0}, None),
        ([3, 3, 3, 3], {"every": 1, "patience": 1}, 2),
    ],
)
def test_a_plateau_stops_after_means_without_improvement(losses, options, stop):
    assert watched([float(loss) for loss in losses], **options) == stop


def test_metrics_have_few_rows_and_blanks(tmp_path):
    metrics = Metrics(("loss", "bits"), steps=2001)
    assert [step for step in range(1, 13) if metrics.wants(step)] == [4, 8, 12]
    metrics.add(4, {"loss": 0.5, "bits": math.nan})
    metrics.add(8, {"loss": 0.25, "bits": 2.0})
    metrics.write_csv(tmp_path / "metrics.csv")
    assert (tmp_path / "metrics.csv").read_text() == "step,loss,bits\n4,0.5,\n8,0.25,2.0\n"


def test_events_are_what_tensorboard_reads(tmp_path):
    for first in (0, 4):
        metrics = Metrics(("loss", "bits"), steps=10)
        metrics.open_events(tmp_path, step=first)
        for step in range(first + 1, 7):
            metrics.add(step, {"loss": step / 2, "bits": math.nan})
        metrics.show_picture(5, "reconstructions", np.zeros((4, 6, 3), dtype=np.uint8))
        metrics.close()
    assert events.scalars(tmp_path) == {"loss": [(step, step / 2) for step in range(1, 7)]}
    assert events.pictures(tmp_path) == {("reconstructions", 5): (4, 6)}


def test_keys_that_change_nothing_decide_nothing():
    plain = {"steps": 5, "threads": 1}
    new = {"devices": 1, "precision": "fp32", "per_clip": False, "pictures_every": 7}
    assert decisive({**plain, **new, "patience": 0, "min_improvement": 0.5}) == plain
    changed = {**plain, "devices": 2, "patience": 3, "evaluate_every": 10}
    assert decisive({**changed, "precision": "fp32"}) == changed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"devices": 4}, r"card: training.batch: 6; allowed: multiples of devices \(4\)"),
        ({"precision": "fp8"}, "card: training.precision: 'fp8'; allowed: fp32, bf16"),
    ],
)
def test_settings_that_do_not_suit_each_other_are_user_errors(changes, message):
    with pytest.raises(UserError, match=message):
        check_sharing(
            {"batch": 6, "devices": 1, "precision": "fp32", **changes}, where="card: training"
        )
