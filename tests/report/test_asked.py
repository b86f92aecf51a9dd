"""What the workflow asks reports and audits for, and the states that make it ask again."""

from __future__ import annotations

import json

from reelpack.config.settings import Settings
from reelpack.report.asked import (
    AuditRequest,
    SplitRequest,
    digest_downloads,
    digest_results,
    request_audit,
    request_report,
)
from tests.report.splits import OK, write_tried
from tests.support.helpers import ROOT, write


def test_what_all_leaves_out_is_asked_for_once_it_is_begun(tmp_path):
    recipes = ["violet_5"]
    entry = {"videos": str(tmp_path), "recipes": recipes}
    given = {"datasets": {"usual": entry, "on-request": {**entry, "in_all": False}}}
    settings = Settings(given, ROOT)
    assert list(request_report(settings, tmp_path)) == ["usual/all"]
    (tmp_path / "results" / "on-request").mkdir(parents=True)
    assert list(request_report(settings, tmp_path)) == ["usual/all", "on-request/all"]


def test_what_transformers_make_is_looked_at(tmp_path):
    before = digest_results(tmp_path)
    path = tmp_path / "results" / "beta" / "train" / "samples" / "vt" / "samples.csv"
    path.parent.mkdir(parents=True)
    path.write_text("")
    after = digest_results(tmp_path)
    metrics = tmp_path / "resources" / "transformers" / "beta" / "vt" / "metrics.csv"
    metrics.parent.mkdir(parents=True)
    metrics.write_text("")
    assert len({before, after, digest_results(tmp_path)}) == 3


def test_what_cards_and_configs_ask_for(tmp_path):
    write(tmp_path / "list.csv", "url\nhttp://x/y.mp4\n")
    datasets = {
        "ucf101": {"recipes": ["vimpac_256"]},
        "kinetics600": {"recipes": ["vimpac_256"], "splits": ["val"]},
        "sthv2": {"recipes": ["vimpac_256"], "videos": str(tmp_path)},
        "far": {"recipes": ["vimpac_256"], "videos": str(tmp_path / "list.csv"), "shards": 2},
        "near": {"recipes": ["vimpac_256"], "videos": str(tmp_path), "shards": {"train": 1}},
        "demo": {"recipes": ["lvt_codes_demo"]},
    }
    settings = Settings({"datasets": datasets}, ROOT)
    asked = {name: request_audit(data) for name, data in settings.datasets.items()}
    assert asked["ucf101"].splits["train_val"] == SplitRequest(13320, 14, is_fetched=True)
    assert asked["ucf101"].folders == ("resources/manual/ucf101", "resources/videos/ucf101")
    assert (asked["kinetics600"].windows, list(asked["kinetics600"].splits)) == ("cut", ["val"])
    assert not asked["sthv2"].splits["train"].is_fetched
    assert asked["sthv2"].folders == (str(tmp_path),)
    assert asked["far"].splits == {"all": SplitRequest(None, 2, is_fetched=True)}
    assert asked["far"].folders == ()
    assert asked["near"].splits == {"train": SplitRequest(None, 1, is_fetched=False)}
    assert asked["demo"].splits == {"all": SplitRequest(None, 3, is_fetched=False)}
    for each in asked.values():
        assert AuditRequest.from_json(json.loads(each.to_json())) == each


def test_the_state_follows_the_ledgers(tmp_path):
    first = digest_downloads(tmp_path)
    write_tried(tmp_path / "all", 0, {"a": OK})
    second = digest_downloads(tmp_path)
    write_tried(tmp_path / "all", 0, {"a": "gone"})
    assert len({first, second, digest_downloads(tmp_path)}) == 3
