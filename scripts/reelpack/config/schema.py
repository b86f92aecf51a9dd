"""Closed JSON Schemas: check a mapping, fill in its defaults, say what is wrong in one line."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from reelpack.config.pack_rules import make_pack_schema
from reelpack.core.errors import UserError

SCHEMA_FOLDER = Path(__file__).parents[3] / "rules" / "schemas"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(path: Path) -> Any:
    """Read one YAML file; a syntax error becomes a `UserError` that names the place."""
    try:
        with path.open(encoding="utf-8") as stream:
            return yaml.load(stream, Loader=_Loader)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from error


def _is_number(_: Any, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(_: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# JSON Schema takes 4.0 for an integer, and any comparison with YAML's .nan holds.
_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)


@cache
def load_schemas() -> dict[str, Any]:
    """Return all schemas by file name, as YAML gives them; that of packs is made of their rules."""
    schemas = {path.name: load_yaml(path) for path in sorted(SCHEMA_FOLDER.glob("*.schema.yaml"))}
    return {**schemas, "pack.schema.yaml": make_pack_schema()}


@cache
def _validator(kind: str, *keys: str) -> Any:
    # Without their `$schema`, which would lead back from `_Validator` to the plain one.
    parts = {
        name: {key: part for key, part in schema.items() if key != "$schema"}
        for name, schema in load_schemas().items()
    }
    resources = [(name, DRAFT202012.create_resource(part)) for name, part in parts.items()]
    registry: Any = Registry().with_resources(resources)
    schema = parts[f"{kind}.schema.yaml"]
    for key in keys:
        schema = schema["properties"][key]
    return _Validator(schema, registry=registry)


def check(kind: str, value: Any, *keys: str, where: str) -> dict[str, Any]:
    """Check a mapping against `rules/schemas/{kind}.schema.yaml`.

    Args:
        kind: config, dataset, recipe, model or transformer.
        value: what was read.
        keys: of the schema's mapping that it is to be, where it is not the whole.
        where: file and key path, the start of the error line.

    Returns:
        A copy with the schema's defaults filled in.

    Raises:
        UserError: one line that names the key, what it may be, and where.
    """
    _check_keys(value, where)
    validator = _validator(kind, *keys)
    error = best_match(validator.iter_errors(value))
    if error is not None:
        raise UserError(_explain(error, where))
    filled: dict[str, Any] = copy.deepcopy(value)
    _fill(filled, validator.schema)
    return filled


def _check_keys(value: Any, where: str) -> None:
    """Refuse keys that YAML reads as numbers or the like; schemas and names know text only."""
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise UserError(f"{where}: key {key!r} is not text; put it in quotes")
            _check_keys(part, f"{where}: {key}")


def _fill(value: Any, schema: dict[str, Any]) -> None:
    schema = load_schemas()[schema["$ref"]] if "$ref" in schema else schema
    if not isinstance(value, dict):
        return
    for key, part in schema.get("properties", {}).items():
        if key not in value and "default" in part:
            value[key] = copy.deepcopy(part["default"])
        if key in value:
            _fill(value[key], part)
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        for key in value.keys() - schema.get("properties", {}).keys():
            _fill(value[key], extra)


def _explain(error: Any, where: str) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    place = f"{where}: {path}" if path else where
    match error.validator:
        case "additionalProperties":
            known = sorted(error.schema.get("properties", {}))
            extra = sorted(set(error.instance) - set(known), key=str)
            return (
                f"{place}: unknown key {', '.join(map(repr, extra))}; allowed: {', '.join(known)}"
            )
        case "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            return f"{place}: missing key {', '.join(map(repr, missing))}"
        case "enum":
            return f"{place}: {error.instance!r} is not allowed; one of: {_listed(error.validator_value)}"
        case "oneOf" if isinstance(error.instance, dict) and (
            inner := [part for part in error.context if part.validator != "type"]
        ):
            return _explain(inner[0], where)
        case "oneOf":
            return f"{place}: {error.instance!r} is not allowed; {'; or '.join(_choices(error))}"
        case _:
            meaning = error.schema.get("description")
            return f"{place}: {error.message}" + (f" ({meaning})" if meaning else "")


def _listed(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values)


def _choices(error: Any) -> Iterator[str]:
    for choice in error.validator_value:
        if "const" in choice:
            yield json.dumps(choice["const"])
        elif "enum" in choice:
            yield f"one of: {_listed(choice['enum'])}"
        elif "pattern" in choice:
            yield f"text like {choice['pattern']}"
        elif choice.get("type") == "array":
            yield "a list of these"
        else:
            bounds = [
                f"{key} {choice[key]}" for key in choice if "inimum" in key or "aximum" in key
            ]
            article = "an" if choice["type"][0] in "aio" else "a"
            yield ", ".join([f"{article} {choice['type']}", *bounds])
