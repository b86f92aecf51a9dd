import pytest
import torch
import torch.nn.functional as F

from reelpack.core.errors import UserError
from reelpack.lvt.transformer.subscale import HIDDEN
from tests.lvt.transformer import tiny

# Logits of position (3, 2, 1) of the first video's second codebook, and the mean square of all: what the
# published code (github rakhimovv/lvt) gives with these weights and codes.
PUBLISHED = {
    "frames": ([-0.93194, 0.9006, -0.99366, 0.28602, 0.23026], 0.87576),
    "spatial": ([-0.77161, 0.559, -0.91024, 0.12631, 0.02158], 0.94263),
    "both": ([-0.78301, 0.21323, -0.84608, -0.07624, 0.12723], 0.8721),
}


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_logits_are_the_published_code_s(kind):
    sizes = tiny.KINDS[kind]
    logits = tiny.all_logits(tiny.model(sizes), tiny.codes(2, sizes))
    row, mean_square = PUBLISHED[kind]
    assert logits[0, 1, 3 * 16 + 2 * 4 + 1].tolist() == pytest.approx(row, abs=2e-5)
    assert logits.double().square().mean().item() == pytest.approx(mean_square, abs=2e-5)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_no_code_is_predicted_from_itself_or_later_ones(kind):
    sizes = tiny.KINDS[kind]
    model, codes = tiny.model(sizes), tiny.codes(1, sizes)
    order = model.make_tables(codes).positions.flatten().tolist()
    before = tiny.all_logits(model, codes)[0]
    reached = 0
    for rank in range(0, 64, 5):
        changed = codes.clone()
        changed.flatten(2)[0, 1, order[rank]] = (codes.flatten(2)[0, 1, order[rank]] + 1) % 5
        moved = (tiny.all_logits(model, changed)[0] != before).any(dim=2)[:, order]
        assert not moved[:, : rank + 1].any()
        reached += int(moved.sum())
    assert reached


def test_a_codebook_knows_those_before_it_at_the_same_position():
    model, codes = tiny.model(tiny.FRAMES), tiny.codes(1)
    changed = codes.clone()
    changed[0, 0, 0, 0, 0] = (codes[0, 0, 0, 0, 0] + 1) % 5
    moved = (tiny.all_logits(model, changed) != tiny.all_logits(model, codes))[0].any(dim=2)
    assert moved[:, 0].tolist() == [False, True]


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_context_is_a_convolution_over_one_hot_codes(kind):
    sizes = tiny.KINDS[kind]
    model, codes = tiny.model(sizes), tiny.codes(3, sizes)
    plan = model.make_tables(codes)
    slices = torch.tensor([0, 1, sizes.slices - 1])
    window = model.encoder.read_windows(codes, slices, plan)
    hot = F.one_hot(codes.flatten(2), sizes.codes).float()
    for video, number in enumerate(slices):
        for n, seen in enumerate(plan.context[number]):
            taps = torch.zeros(len(seen), sizes.codebooks * sizes.codes)
            taps[seen != HIDDEN] = hot[video, :, seen[seen != HIDDEN]].transpose(0, 1).flatten(1)
            weight = model.encoder.conv.weight.flatten(2)
            direct = torch.einsum("kc,eck->e", taps, weight) + model.encoder.conv.bias
            assert torch.allclose(window[video, n], direct, atol=1e-5)


def test_codes_of_another_shape_are_user_errors():
    with pytest.raises(UserError, match=r"expected \[B, 2, T, H, W\]"):
        tiny.model(tiny.FRAMES).make_tables(torch.zeros(1, 3, 4, 4, 4, dtype=torch.int64))
