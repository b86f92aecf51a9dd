import pytest

from reelpack.config.transformer_sizes import PRESETS
from reelpack.config.transformer_training import TrainSettings
from reelpack.core.errors import UserError


def test_a_card_gives_settings_and_the_rest_is_the_published_one():
    card = {"architecture": {"stride": [4, 2, 2]}, "training": {"steps": 9, "learning_rate": 1}}
    settings = TrainSettings.from_card(card)
    assert settings.architecture.stride == (4, 2, 2)
    assert (settings.steps, settings.learning_rate, settings.seed) == (9, 1, 29871897)
    published = TrainSettings(PRESETS["DSFVT"], steps=600_000)
    assert (published.batch, published.frames, published.learning_rate) == (64, 16, 2e-5)
    assert (published.alpha, published.momentum, published.primed_frames) == (0.95, 0.9, 1)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"steps": 1, "epochs": 3}, "training.epochs: unknown key; allowed: steps, frames"),
        ({"batch": 2}, "training.steps: missing"),
        ({"steps": 0}, "training.steps: 0; allowed: an integer of at least 1"),
        ({"steps": 1, "primed_frames": -1}, "training.primed_frames: -1; .* at least 0"),
        ({"steps": 1.5}, "training.steps: 1.5"),
        ({"steps": 1, "alpha": -0.1}, "training.alpha: -0.1"),
        ({"steps": 1, "learning_rate": float("nan")}, "training.learning_rate: nan"),
        ({"steps": 1, "momentum": "much"}, "training.momentum: 'much'"),
    ],
)
def test_wrong_cards_are_user_errors(training, message):
    with pytest.raises(UserError, match=message):
        TrainSettings.from_card({"training": training})
