"""The registry of stages, held to the rules."""

import re
from dataclasses import replace

from reelpack.config.stages import LEDGERS, RULES, STAGES, describe_result
from tests.support.helpers import ROOT


def read_rules() -> dict[str, str]:
    files = [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    text = "\n".join(path.read_text() for path in files)
    parts = re.split(r"^(?:rule|checkpoint) (\w+):", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_rule_is_known_and_its_outputs_lie_where_the_registry_says():
    rules = read_rules()
    assert set(RULES) == rules.keys() | {"make_manifest"}
    for name in rules.keys() & STAGES.keys():
        stage, outputs = STAGES[name], rules[name].split("output:")[1].split("log:")[0]
        assert f'"{stage.place}' in outputs
        assert not stage.is_by_shard or f'"{stage.output}"' in outputs
        assert stage.has_ledger == (f'"{stage.ledger}"' in outputs)


def test_folders_of_ledgers_stand_in_running_order():
    assert LEDGERS == {
        "downloads": "download_shard",
        "clips": "trim_shard",
        "frames": "extract_frames",
        "crops": "crop_frames",
        "images": "encode_images",
        "audio": "extract_audio",
        "encoded": "encode_shard",
    }
    assert (STAGES["write_pack"].folder, STAGES["train_vqvae"].folder) == ("packs", "")


def test_a_raised_version_changes_the_result(monkeypatch):
    before = describe_result("crop_frames", {"crop": 1})
    monkeypatch.setitem(STAGES, "crop_frames", replace(STAGES["crop_frames"], version=99))
    assert describe_result("crop_frames", {"crop": 1}) == {**before, "version": 99}
