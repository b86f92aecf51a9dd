import pytest

from reelpack.config.dataset_cards import OPTIONS, check_card
from reelpack.config.schema import check, load_yaml
from reelpack.core.errors import UserError
from reelpack.lists.adapters import ADAPTERS
from tests.support.helpers import ROOT

CARDS = sorted((ROOT / "datasets").glob("*.yaml"))


def card(path):
    return check("dataset", load_yaml(path), where=path.name)


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_shipped_cards_hold_together(path):
    check_card(card(path), where=path.name)


def test_every_adapter_is_in_the_schema_and_of_use():
    schema = load_yaml(ROOT / "rules" / "schemas" / "dataset.schema.yaml")
    annotations = schema["properties"]["annotations"]["properties"]
    assert sorted(annotations["adapter"]["enum"]) == sorted(ADAPTERS)
    used = {card(path).get("annotations", {}).get("adapter") for path in CARDS}
    assert set(ADAPTERS) <= used
    options = {option for names in OPTIONS.values() for option in names}
    assert set(annotations["options"]["properties"]) == options


def test_all_cards_stand_in_the_table_of_the_docs():
    text = (ROOT / "docs" / "datasets.md").read_text()
    for path in CARDS:
        assert f"| {path.stem} |" in text


def described(schema):
    """Yield the properties of a schema that nobody described."""
    for name, part in schema.get("properties", {}).items():
        if "description" not in part:
            yield name
        yield from described(part)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from described(schema[key])


def closed(schema):
    """Tell whether a mapping with named keys, here or below, takes no others."""
    here = "properties" not in schema or "additionalProperties" in schema
    parts = [
        *schema.get("properties", {}).values(),
        schema.get("items"),
        schema.get("additionalProperties"),
    ]
    return here and all(closed(part) for part in parts if isinstance(part, dict))


def test_the_schema_is_closed_and_described():
    schema = load_yaml(ROOT / "rules" / "schemas" / "dataset.schema.yaml")
    assert list(described(schema)) == []
    assert closed(schema)


BASE = {
    "annotations": {"files": [{"url": "https://a.example/x"}], "adapter": "ucf101"},
    "sources": [{"folder": "x"}],
    "splits": {"train": {"shards": 1}},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sources": [{}]},
            "sources.0: exactly one of folder, archive, archive_list, http, youtube",
        ),
        ({"sources": [{"folder": "x", "http": True}]}, "sources.0: exactly one of"),
        ({"sources": [{"http": True, "members": "*"}]}, "members: only with archive"),
        ({"sources": [{"folder": "x", "splits": ["val"]}]}, "no split 'val'; one of: train"),
        ({"default_splits": ["val"]}, "default_splits: no split 'val'; one of: train"),
        (
            {"annotations": {"files": [{}], "adapter": "ucf101"}},
            "annotations.files.0: exactly one of url and path",
        ),
        (
            {"annotations": {"files": [{"path": "x", "sha256": "0"}], "adapter": "ucf101"}},
            "sha256: only with url",
        ),
        (
            {"annotations": {"files": [{"url": "x", "strip": 1}], "adapter": "ucf101"}},
            "strip: only with member",
        ),
        (
            {"annotations": {"files": [], "adapter": "ucf101", "options": {"unit": "videos"}}},
            "'unit' is not for adapter ucf101; allowed: none",
        ),
    ],
)
def test_keys_that_do_not_go_together(change, message):
    check_card(BASE, where="x.yaml")
    with pytest.raises(UserError) as caught:
        check_card({**BASE, **change}, where="x.yaml")
    assert str(caught.value).startswith("x.yaml: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "extra", [{"sources": []}, {"windows": "cut"}, {"splits": {"a": {"select": ["b"]}}}]
)
def test_what_needs_annotations(extra):
    with pytest.raises(UserError, match="only with annotations"):
        check_card({"splits": {}, **extra}, where="x.yaml")
