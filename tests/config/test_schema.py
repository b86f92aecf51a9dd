"""The schemas are closed and described, and every card of the repository fits them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reelpack.config.schema import SCHEMA_FOLDER, check, load_yaml
from reelpack.core.errors import UserError
from tests.support.helpers import ROOT

SCHEMAS = sorted(SCHEMA_FOLDER.glob("*.schema.yaml"))
# Own recipes and models may be changes of others, so they are checked once they are merged.
CHECKED_LATER = {
    "/properties/recipes/additionalProperties",
    "/properties/models/additionalProperties",
    "/properties/transformers/additionalProperties",
}
CARDS = {kind: f"{kind}s" for kind in ("recipe", "model", "transformer", "dataset")}


def objects(schema: Any, place: str = "") -> Iterator[tuple[str, dict]]:
    """Yield every part of a schema that describes an object."""
    if isinstance(schema, list):
        for number, part in enumerate(schema):
            yield from objects(part, f"{place}/{number}")
    elif isinstance(schema, dict):
        kind = schema.get("type", "")
        if kind == "object" or "object" in kind:
            yield place, schema
        for key, part in schema.items():
            if key not in ("default", "enum", "const"):
                yield from objects(part, f"{place}/{key}")


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_schemas_are_closed_at_every_object_and_describe_every_property(path):
    schema = load_yaml(path)
    found = dict(objects(schema))
    assert found
    for place, part in found.items():
        if place in CHECKED_LATER and path.name == "config.schema.yaml":
            continue
        closed = part.get("additionalProperties")
        assert closed is False or isinstance(closed, dict), f"{place} is open"
        for name, value in part.get("properties", {}).items():
            assert "description" in value or "$ref" in value, f"{place}/{name} has no description"


@pytest.mark.parametrize("kind", CARDS)
def test_cards_of_the_repository_fit(kind):
    paths = sorted((ROOT / CARDS[kind]).glob("*.yaml"))
    assert paths
    for path in paths:
        if "extends" not in (card := load_yaml(path)):
            check(kind, card, where=path.name)


def test_config_of_the_repository_fits():
    check("config", load_yaml(ROOT / "config.yaml"), where="config")


def test_defaults_are_filled_in_at_every_level_and_the_input_stays():
    given = {"datasets": {"mine": {"videos": "v", "recipes": ["a"]}}, "weights": {"w": {}}}
    before = json.dumps(given)
    filled = check("config", given, where="config")
    assert filled["datasets"]["mine"]["shards"] == 1
    assert filled["max_failed"] == 0.05
    assert filled["frames_mode"] == "recipe"
    assert json.dumps(given) == before


def test_defaults_come_through_references():
    card = load_yaml(ROOT / "recipes" / "vimpac_256.yaml")
    filled = check("recipe", card, where="here")
    assert filled["crop"] == {"size": 256, "position": "center", "hflip": False}
    assert filled["frames"]["scaler"] == "bicubic"
    assert filled["mode"] == "streamed"
    whole = check("recipe", {k: v for k, v in card.items() if k != "crop"}, where="here")
    assert whole["crop"] is None


def test_defaults_are_not_shared_between_cards():
    card = {"datasets": {}}
    check("config", card, where="config")["recipes"]["new"] = {}
    assert check("config", card, where="config")["recipes"] == {}


def test_yaml_that_is_none_is_one_line_with_the_place(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("a: [1,\nb: }")
    with pytest.raises(UserError, match=r"bad\.yaml: not YAML: .*line 2") as caught:
        load_yaml(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"none\.yaml: no such file"):
        load_yaml(Path("none.yaml"))
