"""Records of frames and picture files, from a web server to their packs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
import yaml
from PIL import Image

from tests.lists.adapters import records
from tests.sources.archives import tarred
from tests.sources.server import Site, page, serve
from tests.support.project import Project
from tests.support.served import (
    add_card,
    config,
    ledger,
    pack_keys,
)

pytestmark = pytest.mark.slow


def bair_record(pictures: Any) -> bytes:
    """A record as the robot's are: two cameras, actions and states for each of 30 steps."""
    features: dict[str, list[Any]] = {}
    for number, picture in enumerate(pictures):
        features[f"{number}/action"] = [0.5, -0.5, 0.25, 0.0]
        features[f"{number}/endeffector_pos"] = [0.1, 0.2, 0.3]
        features[f"{number}/image_main/encoded"] = [bytes(12288)]
        features[f"{number}/image_aux1/encoded"] = [picture.tobytes()]
    return records.frame(records.example(features), crc=google_crc32c.value)


def test_records_become_the_folders_that_the_seed_writes(
    site: Site, project: Project, tmp_path: Path
) -> None:
    shape = (30, 64, 64, 3)
    lengths = {
        "train": {"traj_0_to_255": 3, "traj_256_to_511": 1},
        "test": {"traj_0_to_255": 2},
    }
    rng = np.random.default_rng(7)
    shot: dict[str, Any] = {}
    members = {}
    for split, files in lengths.items():
        for name, count in files.items():
            pushes = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]
            # The file's name less its last ten characters, and the record's number from 1.
            file = f"{name}.tfrecords"
            shot |= {f"{split}/{file[:-10]}/{k}": p for k, p in enumerate(pushes, start=1)}
            members[f"softmotion30_44k/{split}/{file}"] = b"".join(map(bair_record, pushes))
    url = site.add("/bair.tar", serve(tarred(members, mode="w:gz")))
    card = yaml.safe_load((project.folder / "datasets/bair.yaml").read_text())
    (file,) = card["annotations"]["files"]
    add_card(
        project,
        "toybair",
        "bair",
        videos="resources/annotations/toybair",
        annotations={**card["annotations"], "files": [{**file, "url": url}]},
        splits={"train": {"shards": 2}, "test": {"shards": 1}},
    )
    project.write_config({"datasets": {"toybair": {"recipes": ["bair_png_64"]}}})
    project.build()
    # Each split's pack holds what the seed has below processed_data/{split}.
    for split in lengths:
        root = project.folder / f"results/toybair/{split}/packs/bair_png_64/frames"
        found = {path.relative_to(root).as_posix(): path for path in root.rglob("*.png")}
        expected = {
            f"{folder.removeprefix(split + '/')}/{number}.png": picture
            for folder, pictures in shot.items()
            if folder.startswith(f"{split}/")
            for number, picture in enumerate(pictures)
        }
        assert found.keys() == expected.keys()
        for name, path in found.items():
            np.testing.assert_array_equal(Image.open(path), expected[name])


def test_records_and_pictures_become_an_lmdb(site: Site, project: Project, tmp_path: Path) -> None:
    shot = [bytes([number]) * 12288 for number in range(30)]
    record = records.example({f"{n}/image_aux1/encoded": [shown] for n, shown in enumerate(shot)})
    name = "softmotion30_44k/train/traj_0_to_1.tfrecords"
    pushes = tarred({name: 2 * records.frame(record, crc=google_crc32c.value)}, mode="w:gz")
    url = site.add("/bair.tar", serve(pushes))
    add_card(
        project,
        "toybair",
        "bair",
        videos="resources/annotations/toybair",
        annotations={
            "files": [{"url": url, "member": "softmotion30_44k/*.tfrecords", "strip": 1}],
            "adapter": "bair",
        },
        splits={"train": {"shards": 1, "clips": 2}},
    )
    for number, form in enumerate(("JPEG", "PNG")):
        stream = io.BytesIO()
        Image.new("RGB", (48, 40), (99, number, 7)).save(stream, form)
        site.add(f"/{number}.jpg", serve(stream.getvalue()))
    site.add("/2.jpg", page())
    lines = [f"{site.address}/{number}.jpg,{number}\n" for number in range(3)]
    listing = project.folder / "pictures.csv"
    listing.write_text("".join(["url,clip_id\n", *lines]))
    given = config(project, "toybair", max_failed=0.5)
    given["datasets"]["pictures"] = {"videos": "pictures.csv", "recipes": ["toy"]}
    given["recipes"]["toy"]["frames"]["fps"] = "1/10"
    project.write_config(given)
    project.build("all")
    ids = [f"train/traj_0_to_1/{number}" for number in (1, 2)]
    assert pack_keys(project, "toybair/train") == ids
    assert pack_keys(project, "pictures/all") == ["0", "1"]
    assert ledger(project, "pictures/all") == {"0": "ok", "1": "ok", "2": "corrupt"}
    project.build("audit_toybair", "audit_pictures")
    split = json.loads((project.folder / "results/toybair/audit.json").read_text())["splits"]
    assert (split["train"]["published"], split["train"]["obtained"]) == (2, 2)
    files = json.loads((project.folder / "results/pictures/audit.json").read_text())["files"]
    assert (files["listed"], files["here"], files["waiting"]) == (3, 2, 1)
