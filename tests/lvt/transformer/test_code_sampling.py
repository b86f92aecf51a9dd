import numpy as np
import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.lvt.transformer.code_sampling import (
    DrawSettings,
    draw_codes,
    draw_noise,
    draw_videos,
)
from tests.lvt.transformer import tiny


@pytest.mark.parametrize("primed", [0, 1, 3])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_cached_and_plain_sampling_give_equal_codes(kind, primed):
    sizes = tiny.KINDS[kind]
    model, prime = tiny.model(sizes), tiny.codes(2, sizes)[:, :, :primed]
    cached, plain = (
        draw_videos(model, prime, DrawSettings(4, 5), cached=cached) for cached in (True, False)
    )
    assert torch.equal(cached, plain)
    assert torch.equal(cached[:, :, :primed], prime)
    assert len(cached[:, :, primed:].unique()) == sizes.codes


def test_a_sample_depends_on_its_number_and_the_seed_alone():
    model, prime = tiny.model(tiny.BOTH), tiny.codes(1)[:, :, :1].expand(3, -1, -1, -1, -1)
    together = draw_videos(model, prime, DrawSettings(4, 1))
    alone = draw_videos(model, prime[:1], DrawSettings(4, 1, samples=[2]))
    assert torch.equal(together[2:], alone)
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(draw_videos(model, prime[:1], DrawSettings(4, 2)), together[:1])


def test_temperature_zero_takes_the_likeliest_code():
    model, prime = tiny.model(tiny.SPATIAL), tiny.codes(1)[:, :, :1]
    cold = draw_videos(model, prime, DrawSettings(4, 1, temperature=0))
    assert torch.equal(draw_videos(model, prime, DrawSettings(4, 2, temperature=0)), cold)
    assert torch.equal(draw_videos(model, prime, DrawSettings(4, 3, temperature=1e-6)), cold)


def test_draws_have_the_scores_distribution():
    logits = torch.tensor([0.5, -1.0, 1.5, 0.0])
    for temperature in (1.0, 0.5):
        noise = torch.from_numpy(np.random.default_rng(0).random(20000))
        drawn = draw_codes(logits.expand(20000, -1), noise, temperature)
        shares = torch.bincount(drawn, minlength=4) / 20000
        assert torch.allclose(shares, (logits / temperature).softmax(0), atol=0.012)


def test_the_ends_of_the_noise_give_codes_too():
    logits = torch.zeros(2, 3)
    noise = torch.tensor([0.0, np.nextafter(1, 0)], dtype=torch.float64)
    assert draw_codes(logits, noise, 1.0).tolist() == [0, 2]


def test_noise_is_keyed_by_sample():
    both, one = draw_noise(3, [0, 7], (2, 5)), draw_noise(3, [7], (2, 5))
    assert torch.equal(both[1:], one)
    assert both.min() >= 0
    assert both.max() < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": 2}, "3 frames to start from, but only 2"),
        ({"length": 5}, "do not fall into slices"),
        ({"temperature": -1.0}, "temperature -1.0"),
        ({"temperature": float("nan")}, "temperature nan"),
    ],
)
def test_wrong_wishes_are_user_errors(change, message):
    wish = {"length": 4, "seed": 0, **change}
    with pytest.raises(UserError, match=message):
        draw_videos(tiny.model(tiny.FRAMES), tiny.codes(1)[:, :, :3], DrawSettings(**wish))


def test_codes_that_the_model_does_not_know_are_user_errors():
    with pytest.raises(UserError, match="codes reach from 5 to 5, the model knows 0 to 4"):
        draw_videos(tiny.model(tiny.FRAMES), torch.full((1, 2, 1, 4, 4), 5), DrawSettings(4, 0))
