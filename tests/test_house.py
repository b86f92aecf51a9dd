"""The house keeps its order: rooms, the direction of imports, sizes, names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.helpers import ROOT

# Rooms may import from lower floors; rooms of one floor from one another, without a circle.
FLOORS = (
    *(("workflow",), ("report",), ("lvt",), ("packs",), ("encode",), ("frames",), ("clips",)),
    *(("sources",), ("lists", "demo"), ("video", "encoders"), ("config",), ("jobs", "images")),
    ("core",),
)
FLOOR = {room: number for number, rooms in enumerate(reversed(FLOORS)) for room in rooms}
# Folders of tests that are not of a room of the library.
APART = {"bench", "chaos", "slurm", "support"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MOST_LINES, MOST_LINES_OF_FUNCTION, MOST_ARGUMENTS = 400, 60, 6
# What is still larger, and class names that stand for two things: to be emptied, never added to.
LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
MANY_ARGUMENTS: set[str] = {
    "scripts/reelpack/video/decode.py decode_frames",
    "tests/video/test_sampling.py make_index",
}
TWO_CLASSES: set[str] = set()

LIBRARY = ROOT / "scripts" / "reelpack"
PYTHON = sorted([*(ROOT / "scripts").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
RULES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
TREE = (
    *("scripts", "rules", "tests", "docs", "envs", "datasets", "recipes", "models", "transformers"),
    *("profiles", ".ci"),
)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def named(path: Path) -> str:
    """How messages name a file of the tree."""
    return path.relative_to(ROOT).as_posix()


@cache
def modules() -> dict[str, Path]:
    """Modules and packages of the library by their full names."""
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of what is imported from the library; name is "" for the whole module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            pairs = [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            pairs = [(alias.name, "") for alias in node.names]
        else:
            continue
        yield from (pair for pair in pairs if pair[0].partition(".")[0] == "reelpack")


@cache
def imported(tree: ast.AST) -> set[str]:
    """Return the modules of the library that a tree's imports reach, the deepest of each."""
    deepest = (
        (f"{module}.{name}" if f"{module}.{name}" in modules() else module)
        for module, name in imports(tree)
    )
    return set(deepest)


@cache
def at_import_time(path: Path) -> ast.Module:
    """Return a module less what runs later or never: functions, and what only type checkers read."""

    class Later(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if "TYPE_CHECKING" in ast.dump(node.test) else self.generic_visit(node)

    return Later().visit(ast.parse(path.read_text()))


def room(module: str) -> str:
    """Return the room of a module, "" for the hall."""
    return module.partition(".")[2].partition(".")[0]


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_the_hall_is_empty_and_every_room_has_a_floor() -> None:
    hall = {path.name for path in LIBRARY.glob("*.py")}
    assert hall == {"__init__.py"}
    rooms = {path.name for path in LIBRARY.iterdir() if any(path.rglob("*.py"))}
    assert rooms <= FLOOR.keys()
    assert {room(name) for name in modules()} == rooms | {""}


def test_tests_stand_in_the_rooms_of_what_they_test() -> None:
    assert {path.name for path in (ROOT / "tests").glob("*.py")} == {
        *("conftest.py", "test_docs.py", "test_house.py")
    }
    assert {path.parent.name for path in (ROOT / "tests").glob("*/*.py")} <= FLOOR.keys() | APART


def test_rooms_import_only_downwards() -> None:
    upward = [
        f"{name} imports {other}"
        for name, path in modules().items()
        for other in sorted(imported(parsed(path)))
        if room(name) and room(other) and FLOOR[room(other)] > FLOOR[room(name)]
    ]
    assert not upward


def test_no_circle_between_rooms() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for name, path in modules().items():
        graph[room(name)] |= {room(other) for other in imported(parsed(path))} - {room(name)}
    assert not circle(graph)


def test_no_circle_between_modules_at_import_time() -> None:
    graph = {
        name: imported(at_import_time(path)) - {name}
        for name, path in modules().items()
        if room(name)
    }
    assert not circle(graph)


def test_modules_named_by_strings_exist_and_lie_below() -> None:
    """Registries and preloads name modules that nothing imports plainly."""
    named = {
        (name, node.value)
        for name, path in modules().items()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"reelpack(\.\w+)+", node.value)
    }
    assert named
    assert {text for _, text in named} <= modules().keys()
    assert not {pair for pair in named if FLOOR[room(pair[1])] > FLOOR[room(pair[0])]}


@cache
def definitions(module: str) -> set[str]:
    """Names that a module binds, and the modules in it."""
    found = {name.rpartition(".")[2] for name in modules() if name.rpartition(".")[0] == module}
    for node in ast.walk(at_import_time(modules()[module])):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
    functions = (node for node in parsed(modules()[module]).body if isinstance(node, FUNCTIONS))
    return found | {node.name for node in functions}


def import_lines(path: Path) -> ast.Module:
    """Return the imports of a file of rules, which is not quite Python."""
    pattern = r"^[ \t]*((?:from\s+\S+\s+)?import\s+(?:\([^)]*\)|.*))$"
    return ast.parse("\n".join(re.findall(pattern, path.read_text(), re.MULTILINE)))


def test_all_import_only_what_exists() -> None:
    files = {path: parsed(path) for path in PYTHON} | {path: import_lines(path) for path in RULES}
    missing = [
        f"{named(path)}: {module}.{name}".rstrip(".")
        for path, tree in files.items()
        for module, name in imports(tree)
        if module not in modules() or (name and name not in definitions(module))
    ]
    assert not missing


def test_scripts_that_rules_start_exist() -> None:
    started = {
        name for path in RULES for name in re.findall(r'get_script\("(\w+)"\)', path.read_text())
    }
    assert started
    assert started <= {path.stem for path in (ROOT / "scripts").glob("*.py")}


def lengths() -> Iterator[tuple[str, int]]:
    for path in [*PYTHON, *RULES]:
        yield named(path), len(path.read_text().splitlines())


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in PYTHON:
        for node in ast.walk(parsed(path)):
            if isinstance(node, FUNCTIONS):
                yield f"{named(path)} {node.name}", node


def function_lengths() -> Iterator[tuple[str, int]]:
    for name, node in functions():
        yield name, (node.end_lineno or 0) - node.lineno + 1


def argument_counts() -> Iterator[tuple[str, int]]:
    for name, node in functions():
        given = node.args
        names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        yield name, len(names) - (names[:1] in (["self"], ["cls"]))


@pytest.mark.parametrize(
    ("sizes", "most", "allowed"),
    [
        pytest.param(lengths, MOST_LINES, LONG_FILES, id="lines of a file"),
        pytest.param(
            function_lengths, MOST_LINES_OF_FUNCTION, LONG_FUNCTIONS, id="lines of a function"
        ),
        pytest.param(argument_counts, MOST_ARGUMENTS, MANY_ARGUMENTS, id="arguments"),
    ],
)
def test_sizes(sizes, most: int, allowed: set[str]) -> None:
    too_large = {name: size for name, size in sizes() if size > most}
    assert {name: size for name, size in too_large.items() if name not in allowed} == {}
    assert allowed <= too_large.keys(), "these are mended: take them off the list"


def test_class_names_are_unique() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in modules().values():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(named(path))
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in twice.items() if name not in TWO_CLASSES} == {}
    assert twice.keys() >= TWO_CLASSES, "these are mended: take them off the list"


def test_no_file_names_a_path_of_a_machine() -> None:
    # A user's examples (/data/mine) are welcome.
    machine = re.compile(r"(?<![\w.}])/(?:work|home|root|Users)/[\w.]")
    files = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for folder in TREE:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert len(files) > 300
    found = []
    for path in files:
        if path.suffix == ".pyc":
            continue
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{named(path)}: {match[0]}" for match in machine.finditer(text)]
    assert not found
