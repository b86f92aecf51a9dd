"""docs/config.md and docs/recipes.md are what the schemas say, and every example in a schema holds."""

import pytest

from reelpack.config.schema import check, load_schemas
from reelpack.config.schema_docs import make_pages
from tests.support.helpers import ROOT

PAGES = make_pages(ROOT)
KINDS = [name.removesuffix(".schema.yaml") for name in load_schemas()]


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_as_written_by_write_docs(name):
    assert (ROOT / "docs" / name).read_text() == PAGES[name]


def test_pages_hold_every_key_and_every_card():
    text = "".join(PAGES.values())
    for schema in load_schemas().values():
        assert all(f"| `{key}` | " in text for key in schema["properties"])
    for folder in ("recipes", "models", "transformers"):
        for path in (ROOT / folder).glob("*.yaml"):
            assert f"| `{path.stem}` | " in PAGES["recipes.md"]


def test_a_row_says_bounds_examples_and_default():
    rows = PAGES["recipes.md"].splitlines()
    (fps,) = {row for row in rows if row.startswith("| `fps` | Frames per second, ")}
    assert "number above 0 and of at most 1000; or text like" in fps
    assert fps.endswith("such as `2`, `29.97`, `2/3` | - |")
    assert "| `batch` | Frames per step. | integer of at least 1 | `32` |" in rows


@pytest.mark.parametrize("kind", KINDS)
def test_examples_in_schemas_are_valid(kind):
    schema = load_schemas()[f"{kind}.schema.yaml"]
    for example in schema.get("examples", []):
        filled = check(kind, example, where="example")
        assert filled.keys() >= example.keys()
    for key, part in schema["properties"].items():
        for example in part.get("examples", []):
            assert check(kind, example, key, where="example") == example
