import pytest

from reelpack.config.transformer_sizes import PRESETS, Sizes
from reelpack.config.transformer_training import TransformerSettings
from reelpack.core.errors import UserError


def test_a_card_gives_settings_and_the_rest_is_the_published_one():
    card = {"architecture": {"stride": [4, 2, 2]}, "training": {"steps": 9, "learning_rate": 1}}
    settings = TransformerSettings.from_card(card)
    assert settings.architecture.stride == (4, 2, 2)
    assert (settings.steps, settings.learning_rate, settings.seed) == (9, 1, 29871897)
    assert TransformerSettings.from_card({"training": {"steps": 9}}) == TransformerSettings(
        Sizes(), steps=9
    )
    published = TransformerSettings(PRESETS["DSFVT"], steps=600_000)
    assert (published.batch, published.frames, published.learning_rate) == (64, 16, 2e-5)
    assert (published.alpha, published.momentum, published.primed_frames) == (0.95, 0.9, 1)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"steps": 1, "epochs": 3}, "training: unknown key 'epochs'; allowed: alpha, batch"),
        ({"batch": 2}, "training: missing key 'steps'"),
        ({"steps": 0}, "training: steps: 0 is less than the minimum of 1"),
        (
            {"steps": 1, "primed_frames": -1},
            "training: primed_frames: -1 is less than the minimum of 0",
        ),
        ({"steps": 1.5}, "training: steps: 1.5 is not of type 'integer'"),
        ({"steps": 1, "alpha": -0.1}, "training: alpha: -0.1 is less"),
        (
            {"steps": 1, "learning_rate": float("nan")},
            "training: learning_rate: nan is not of type",
        ),
        ({"steps": 1, "momentum": "much"}, "training: momentum: 'much' is not"),
    ],
)
def test_wrong_cards_are_user_errors(training, message):
    with pytest.raises(UserError, match=message):
        TransformerSettings.from_card({"training": training})
