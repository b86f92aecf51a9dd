import math

import pytest
import torch
import torch.nn.functional as F

from reelpack.lvt.transformer.likelihood import compute_losses, list_predicted_slices, measure_bits
from tests.lvt.transformer import tiny

# What the published evaluation gives with these weights and codes.
PUBLISHED = {
    "frames": 2.9758725048264125,
    "spatial": 2.9324198268798174,
    "both": 2.9519186465591396,
}


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_bits_are_the_published_code_s(kind):
    sizes = tiny.KINDS[kind]
    codes = tiny.codes(2, sizes)
    bits = measure_bits(tiny.model(sizes), [codes])
    assert bits == pytest.approx(PUBLISHED[kind], abs=1e-5)
    assert measure_bits(tiny.model(sizes), codes.split(1)) == pytest.approx(bits, abs=1e-6)


@pytest.mark.parametrize("primed", [0, 1, 3])
def test_primed_frames_do_not_count(primed):
    model, codes = tiny.model(tiny.BOTH), tiny.codes(1)
    logits = tiny.all_logits(model, codes).view(1, 2, 4, 16, 5)[:, :, primed:]
    losses = F.cross_entropy(logits.flatten(0, 3), codes[:, :, primed:].flatten())
    bits = measure_bits(model, [codes], primed_frames=primed)
    assert bits == pytest.approx(losses.item() / math.log(2), abs=1e-5)


def test_losses_are_one_per_predicted_code():
    model, codes = tiny.model(tiny.BOTH), tiny.codes(3)
    slices = torch.tensor([0, 3, 7])
    # Slices hold two frames of two by two; in the first two the first frame is given.
    assert len(compute_losses(model, codes, slices, primed_frames=1)) == 2 * (4 + 4 + 8)
    assert list_predicted_slices(model, codes, primed_frames=3) == [4, 5, 6, 7]
    assert list_predicted_slices(tiny.model(tiny.FRAMES), codes, primed_frames=1) == [1, 2, 3]


def test_nothing_predicted_is_no_number():
    assert math.isnan(measure_bits(tiny.model(tiny.FRAMES), [tiny.codes(1)], primed_frames=4))
