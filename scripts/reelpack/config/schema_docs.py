"""Pages for people, made from the schemas: every key with what it is, what it may be and its default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from reelpack.config.schema import load_schemas, load_yaml

Schema = Mapping[str, Any]
_NOTE = "<!-- Made by scripts/write_docs.py from rules/schemas/ and the cards; change those. -->"
_BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "of at most",
    "exclusiveMaximum": "below",
}
_HEAD = ("| key | what it is | allowed | default |", "|---|---|---|---|")


def make_pages(base: Path) -> dict[str, str]:
    """Return the text of each page, by its name in docs/.

    Args:
        base: the project folder, whose shipped cards are listed.
    """
    config = [
        "# Every key of config.yaml and of dataset cards",
        f"{_NOTE}\n",
        "Recipes, models and transformers have [a page of their own](recipes.md). A dash stands where a key"
        " has no default; what its absence means is said beside it.\n",
        *_sections("config", "config.yaml", leave_out=("datasets.NAME.sources[]",)),
        *_sections("dataset", "Dataset cards: datasets/NAME.yaml"),
    ]
    recipes = [
        "# Every key of recipes, models and transformers, and those that are here",
        f"{_NOTE}\n",
        "`extends: NAME` takes over all keys of another card of the same kind and changes those that are"
        " given, mapping by mapping; `null` takes an inherited key away. Cards of one's own stand in"
        " `recipes:`, `models:` and `transformers:` of [config.yaml](config.md).\n",
        *_list_cards(base / "recipes", "Shipped recipes"),
        *_sections("recipe", "Recipes: recipes/NAME.yaml"),
        *_list_cards(base / "models", "Shipped models"),
        *_sections("model", "Models: models/NAME.yaml", leave_out=("frames", "crop")),
        *_list_cards(base / "transformers", "Shipped transformers"),
        *_sections("transformer", "Transformers: transformers/NAME.yaml"),
    ]
    pages = {"config.md": config, "recipes.md": recipes}
    return {name: "\n".join(lines).rstrip() + "\n" for name, lines in pages.items()}


def _list_cards(folder: Path, title: str) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| name | what it is |\n|---|---|"
    for path in sorted(folder.glob("*.yaml")):
        yield f"| `{path.stem}` | {_cell(load_yaml(path).get('description', ''))} |"
    yield ""


def _sections(kind: str, title: str, *, leave_out: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the lines of a schema: its keys, then those of each mapping in it.

    Args:
        kind: of the schema.
        title: of its part of the page.
        leave_out: paths of mappings that are described elsewhere on the page.
    """
    schema = load_schemas()[f"{kind}.schema.yaml"]
    yield f"## {title}\n"
    yield f"{schema['description']}\n"
    yield from _table(schema)
    for path, part in _find_mappings(schema, ""):
        if not f"{path}.".startswith(tuple(f"{key}." for key in leave_out)):
            yield f"### `{path}`\n"
            if "description" in part:
                yield f"{part['description']}\n"
            yield from _table(part)


def _table(schema: Schema) -> Iterator[str]:
    yield from _HEAD
    required = schema.get("required", [])
    for key, part in schema["properties"].items():
        full = _resolve(part)
        default = "required" if key in required else _default(full)
        cells = (_cell(full.get("description", "")), _cell(_allowed(full)), _cell(default))
        yield f"| `{key}` | {' | '.join(cells)} |"
    yield ""
    for example in schema.get("examples", []):
        yield f"```yaml\n{yaml.safe_dump(example, sort_keys=False, default_flow_style=None)}```\n"


def _resolve(part: Schema) -> Schema:
    """Return a part of a schema with what it refers to."""
    return {**load_schemas()[part["$ref"]], **part} if "$ref" in part else part


def _find_mappings(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Yield every mapping with keys of its own below a schema, with the dotted path to it."""
    for key, part in schema.get("properties", {}).items():
        yield from _find_below(_resolve(part), f"{path}.{key}".lstrip("."))


def _find_below(part: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    if "properties" in part:
        yield path, part
    yield from _find_mappings(part, path)
    for key, name in (("additionalProperties", f"{path}.NAME"), ("items", f"{path}[]")):
        if isinstance(part.get(key), dict):
            yield from _find_below(_resolve(part[key]), name)


def _default(part: Schema) -> str:
    return _code(part["default"]) if "default" in part else "-"


def _code(value: Any) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _allowed(part: Schema) -> str:
    """Say what a value may be, with an example where the schema has one for a key."""
    text = _choices(part)
    if "properties" not in part and "examples" in part:
        text += f"; such as {', '.join(map(_code, part['examples']))}"
    return text


def _choices(part: Schema) -> str:
    if "oneOf" in part:
        return "; or ".join(_choices(choice) for choice in part["oneOf"])
    if "const" in part:
        return _code(part["const"])
    if "enum" in part:
        return ", ".join(map(_code, part["enum"]))
    types = part.get("type", "object")
    names = types if isinstance(types, list) else [types]
    return " or ".join(_one_type(name, part) for name in names)


def _one_type(name: str, part: Schema) -> str:
    match name:
        case "boolean":
            return "`true`, `false`"
        case "null":
            return "`null`"
        case "string":
            return f"text like `{part['pattern']}`" if "pattern" in part else "text"
        case "array":
            count = f"{part['maxItems']} times " if "maxItems" in part else ""
            return f"list of {count}{_choices(_resolve(part['items']))}"
        case "object":
            inner = part.get("additionalProperties")
            plain = isinstance(inner, dict) and inner.get("type", "object") != "object"
            return (
                f"mapping of names to {_choices(part['additionalProperties'])}"
                if plain
                else "mapping"
            )
        case _:
            return " ".join([name, *_bounds(part)])


def _bounds(part: Schema) -> Iterator[str]:
    if {"minimum", "maximum"} <= part.keys():
        yield f"{part['minimum']} to {part['maximum']}"
        return
    found = [f"{word} {part[key]}" for key, word in _BOUNDS.items() if key in part]
    yield " and ".join(found)


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", r"\|")
