"""Datasets of cards, from a web server with nothing here to their packs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from tests.sources.archives import tarred
from tests.sources.server import Site, page, serve, status
from tests.support.project import Project
from tests.support.served import (
    add_card,
    clip_bytes,
    config,
    ledger,
    pack_folders,
    pack_keys,
    png_root,
    ucf101_like,
)

pytestmark = pytest.mark.slow

# label, id, start, end; the mirror has no third one, and a page in place of the fourth.
PUSHES = (
    ("air drumming", "-aBcDeFgHiJ", 3, 13),
    ("zumba", "k_m-opqrstu", 120, 130),
    ("zumba", "gone0000000", 0, 10),
    ("air drumming", "page0000000", 5, 15),
)


def test_a_rar_of_rars_becomes_an_lmdb(site: Site, project: Project, tmp_path: Path) -> None:
    ids = ucf101_like(site, project, tmp_path)
    project.write_config(config(project, "toy101"))
    jobs = project.build("toy101")
    assert jobs["fetch_archives"] == 1
    assert jobs["download_shard"] == 2
    assert sorted(pack_keys(project, "toy101/train_val")) == sorted(ids)
    assert sorted(pack_folders(project, "toy101/train_val")) == sorted(ids)
    assert ledger(project, "toy101/train_val") == dict.fromkeys(ids, "ok")
    videos = project.folder / "resources/videos/toy101"
    assert {str(p.relative_to(videos)) for p in videos.rglob("*.avi")} == {f"{i}.avi" for i in ids}
    assert site.count("/UCF101.rar") == 1
    assert project.nothing_to_do("toy101")
    # What is here is not fetched again, whatever else is done again.
    shutil.rmtree(project.folder / "results")
    project.build("toy101")
    assert (site.count("/UCF101.rar"), site.count("/lists.zip")) == (1, 1)


def test_videos_that_a_user_has_are_used_and_nothing_is_fetched(
    site: Site, project: Project, tmp_path: Path
) -> None:
    ids = ucf101_like(site, project, tmp_path)
    own = tmp_path / "own videos"
    for name in ids[1:]:
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / f"{Path(name).name}.avi", own / f"{name}.avi")
    given = config(project, "toy101", max_failed=0.5)
    given["datasets"]["toy101"]["videos"] = str(own)
    project.write_config(given)
    jobs = project.build("toy101")
    assert "fetch_archives" not in jobs
    assert site.count("/UCF101.rar") == 0
    assert ledger(project, "toy101/train_val") == {
        ids[0]: "missing",
        **dict.fromkeys(ids[1:], "ok"),
    }
    assert sorted(pack_keys(project, "toy101/train_val")) == sorted(ids[1:])
    # The missing one arrives: the list is read again, and only its shard is done again.
    name = ids[0]
    (own / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(tmp_path / f"{Path(name).name}.avi", own / f"{name}.avi")
    jobs = project.build("toy101")
    assert (jobs["make_manifest_toy101_train_val"], jobs["download_shard"]) == (1, 1)
    assert sorted(pack_keys(project, "toy101/train_val")) == sorted(ids)


def kinetics600_like(site: Site, project: Project, tmp_path: Path) -> None:
    """Serve a tar.gz of csv files and a mirror of the cut clips."""
    lines = ["label,youtube_id,time_start,time_end,split,is_cc"]
    lines += [f'"{label}",{name},{start},{end},train,0' for label, name, start, end in PUSHES]
    text = "\n".join([*lines, ""]).encode()
    names = ("train", "validate", "test")
    lists = tarred({f"kinetics600/{name}.csv": text for name in names}, mode="w:gz")
    for _, name, start, end in PUSHES:
        path = f"/clips/{name}_{start:06d}_{end:06d}.mp4"
        if not name.startswith(("gone", "page")):
            site.add(path, serve(clip_bytes(tmp_path, f"{name[1:]}.mp4", frames=20 + start)))
        elif name.startswith("page"):
            site.add(path, page())
    mirror = site.address + "/clips/{source_id}_{start:06d}_{end:06d}.mp4"
    url = site.add("/kinetics600.tar.gz", serve(lists))
    card = yaml.safe_load((project.folder / "datasets/kinetics600.yaml").read_text())
    add_card(
        project,
        "toy600",
        "kinetics600",
        annotations={**card["annotations"], "files": [{"url": url, "member": "*.csv"}]},
        sources=[{"http": ["http://127.0.0.1:9/nobody/{source_id}", mirror]}],
        splits={"train": {"shards": 2}},
        default_splits=["train"],
    )


def test_a_list_and_a_mirror_become_an_lmdb(site: Site, project: Project, tmp_path: Path) -> None:
    kinetics600_like(site, project, tmp_path)
    project.write_config(config(project, "toy600", max_failed=0.5))
    project.build("toy600")
    ids = [f"{label}/{name}_{start}_{end - start}" for label, name, start, end in PUSHES]
    assert sorted(pack_keys(project, "toy600/train")) == sorted(ids[:2])
    folders = pack_folders(project, "toy600/train")
    # Class folders keep their blanks, and every picture of the constant-rate clips is there.
    lengths = {name: 20 + start for name, (_, _, start, _) in zip(ids, PUSHES[:2], strict=False)}
    assert folders == {k: [f"{i}.png" for i in range(1, n + 1)] for k, n in lengths.items()}
    found = ledger(project, "toy600/train")
    assert found == dict(zip(ids, ["ok", "ok", "gone", "corrupt"], strict=True))
    for name in ids[:2]:
        video = project.folder / f"resources/videos/toy600/{name}.mp4"
        for number, expected in enumerate(squares_of(video), start=1):
            picture = png_root(project, "toy600/train") / name / f"{number}.png"
            np.testing.assert_array_equal(Image.open(picture), expected)
    # Asked to try again, only what failed is asked for; and what is there now is taken.
    name, start, end = PUSHES[2][1:]
    content = clip_bytes(tmp_path, "gone.mp4")
    site.add(f"/clips/{name}_{start:06d}_{end:06d}.mp4", serve(content))
    asked = site.count("/clips/-aBcDeFgHiJ_000003_000013.mp4")
    retry = [str(project.folder / "scripts/retry.py"), "all", "toy600"]
    assert run_python(project, *retry).returncode == 0
    project.build("toy600")
    assert sorted(pack_keys(project, "toy600/train")) == sorted(ids[:3])
    assert site.count("/clips/-aBcDeFgHiJ_000003_000013.mp4") == asked


def squares_of(video: Path) -> Iterator[Image.Image]:
    """Every picture of a video as the published script cuts it, with Pillow alone."""
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            picture = frame.to_image()
            side = min(picture.size)
            left, top = ((length - side) / 2 for length in picture.size)
            square = picture.crop((left, top, left + side, top + side))
            yield square.resize((64, 64), Image.Resampling.LANCZOS)


def run_python(project: Project, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, *arguments], cwd=project.folder, check=False)


def test_a_server_that_is_down_ends_the_run_with_one_line(
    site: Site, project: Project, tmp_path: Path
) -> None:
    ucf101_like(site, project, tmp_path)
    site.add("/UCF101.rar", status(503))
    project.write_config(config(project, "toy101"))
    done = project.snakemake("toy101")
    assert done.returncode != 0
    (line,) = set(done.errors())
    assert "UCF101.rar: answered 503" in line
    assert not list((project.folder / "resources").glob("videos/**/*.avi"))


def test_lists_that_a_person_has_to_bring_are_named(project: Project) -> None:
    project.write_config(config(project, "sthv2"))
    done = project.snakemake("--until", "fetch_annotations")
    assert done.returncode != 0
    (line,) = set(done.errors())
    assert (
        "resources/annotations/sthv2: put labels.json or something-something-v2-labels.json" in line
    )
    assert "there; it cannot be downloaded" in line
    access = yaml.safe_load((project.folder / "datasets/sthv2.yaml").read_text())["access"]
    assert " ".join(access.split())[:40] in line


def test_another_way_of_downloading_runs_nothing_again(
    site: Site, project: Project, tmp_path: Path
) -> None:
    ucf101_like(site, project, tmp_path)
    project.write_config(config(project, "toy101"))
    project.build("download")
    project.configure("downloads", {"workers": 3, "youtube": {"proxy": "http://localhost:1"}})
    text = project.snakemake("-n", "download").ok().text
    assert "Nothing to be done" in text
    listing = json.loads((project.folder / "resources/annotations/toy101.json").read_text())
    assert len(listing) == 7
