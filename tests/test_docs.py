"""The pages for people hold: links, commands, and what docs/house.md says of the code."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from reelpack.config.encoder_cards import CARDS
from reelpack.config.pack_rules import FORMAT_RULES
from tests.support.helpers import ROOT
from tests.test_house import FLOORS, LIBRARY

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
HOUSE = (ROOT / "docs" / "house.md").read_text()
# `path: name` in docs/house.md.
PLACE = re.compile(r"`([\w/]+\.(?:py|smk)): ([\w.]+)`")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def find_headings(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def find_commands() -> set[str]:
    """The commands that the front door knows."""
    tables = [
        node.value
        for node in ast.parse((ROOT / "reelpack").read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("COMMANDS", "SPECIAL")
    ]
    return {name for table in tables for name in ast.literal_eval(table)}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file(), link
        assert not anchor or anchor in find_headings(target), link


@each_page
def test_commands_and_targets_exist(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r"\./reelpack ([a-z][a-z-]*)", text))
    assert named <= find_commands()
    targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([\w./-]+)", text, re.MULTILINE)) <= targets


@each_page
def test_files_in_backticks_exist(page: Path) -> None:
    folders = r"(?:scripts|rules|tests|docs|envs|recipes|datasets|models|transformers|profiles)"
    names = re.findall(rf"`({folders}/[\w./-]+\.\w+)`", page.read_text())
    assert [name for name in names if not (ROOT / name).exists()] == []


@cache
def bind_names(path: Path) -> set[str]:
    """What a file binds: functions, classes with their methods, names; of rules, their names."""
    if path.suffix == ".smk":
        return set(re.findall(r"^rule (\w+):", path.read_text(), re.MULTILINE))
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{e.name}" for e in node.body if isinstance(e, ast.FunctionDef)}
            if isinstance(node, ast.ClassDef):
                continue
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def find_path(name: str) -> Path:
    return ROOT / name if name.startswith(("scripts/", "rules/")) else LIBRARY / name


def test_house_names_what_exists() -> None:
    places = PLACE.findall(HOUSE)
    assert len(places) > 50
    missing = [
        f"{path}: {name}" for path, name in places if name not in bind_names(find_path(path))
    ]
    assert not missing
    bare = re.findall(r"`([a-z]\w*/\w+(?:/\w+)*\.py)`", HOUSE)
    assert not [
        path for path in bare if not find_path(path).is_file() and not (ROOT / path).is_file()
    ]


def test_house_lists_the_rooms_in_their_order() -> None:
    rows = re.findall(r"^\| (`.+?`) \| ", HOUSE, re.MULTILINE)
    assert [tuple(re.findall(r"`(\w+)`", row)) for row in rows] == list(FLOORS)


def test_house_counts_the_files_of_its_walks() -> None:
    walks = re.findall(r"^## (The walk of .+?)\n(.+?)(?=^## )", HOUSE, re.MULTILINE | re.DOTALL)
    assert len(walks) == 3
    for title, text in walks:
        (said,) = re.findall(r": (\d+) files\.", text)
        steps = "\n".join(re.findall(r"^(?:\d+\. |   ).+$", text, re.MULTILINE))
        found = {path for path, _ in PLACE.findall(steps)}
        assert len(found) == int(said), title


def test_tables_hold_every_format_and_encoder() -> None:
    for page, names in (("packs.md", FORMAT_RULES), ("encoders.md", CARDS)):
        text = (ROOT / "docs" / page).read_text()
        assert [name for name in names if f"| `{name}` |" not in text] == []
