"""Datasets of cards, from a web server with nothing here to their packs."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import google_crc32c
import lmdb
import numpy as np
import pytest
import yaml
from PIL import Image

from reelpack.jobs.ledger import read_ledger
from reelpack.lists.url_names import name_video
from tests.lists.adapters import records
from tests.sources.archives import rar4, rar5, tarred
from tests.sources.server import Site, page, running, serve, status
from tests.support.clips import write_clip
from tests.workflow.project import Project

pytestmark = pytest.mark.slow

RECIPE = {
    "frames": {"fps": 2, "shorter_side": 32},
    "crop": {"size": 32},
    "encoder": {"name": "dalle", "weights": "dalle_encoder"},
    "pack": {"format": "vimpac_lmdb"},
}
CLASSES = ("ApplyEyeMakeup", "YoYo")
# label, id, start, end; the mirror has no third one, and a page in place of the fourth.
PUSHES = (
    ("air drumming", "-aBcDeFgHiJ", 3, 13),
    ("zumba", "k_m-opqrstu", 120, 130),
    ("zumba", "gone0000000", 0, 10),
    ("air drumming", "page0000000", 5, 15),
)


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.bare(tmp_path / "project")


def clip_bytes(folder: Path, name: str, *, frames: int = 30) -> bytes:
    path = write_clip(folder / name, frames=frames)
    return path.read_bytes()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def add_card(project: Project, name: str, base: str, **changes: Any) -> None:
    """Write a card that is another one with other addresses."""
    card = yaml.safe_load((project.folder / f"datasets/{base}.yaml").read_text())
    card["videos"] = f"resources/videos/{name}"
    card |= changes
    (project.folder / f"datasets/{name}.yaml").write_text(yaml.safe_dump(card))


def config(project: Project, dataset: str, **keys: Any) -> dict[str, Any]:
    return {
        "datasets": {dataset: {"recipes": ["toy", "png_folders_64"]}},
        "recipes": {"toy": RECIPE},
        "weights": {"dalle_encoder": project.add_weights(seed=1)},
        "downloads": {"attempts": 1, "backoff_seconds": 0},
        **keys,
    }


def pack_keys(project: Project, place: str) -> list[str]:
    (folder,) = (project.folder / f"results/{place}/packs/toy").glob("dalle_*")
    with lmdb.open(str(folder), readonly=True, lock=False) as env, env.begin() as view:
        return [key.decode() for key, _ in view.cursor()]


def png_root(project: Project, place: str) -> Path:
    return project.folder / f"results/{place}/packs/png_folders_64/frames"


def pack_folders(project: Project, place: str) -> dict[str, list[str]]:
    """Pictures of each clip of the packed PNG folders, in natural order."""
    root = png_root(project, place)
    found: dict[str, list[str]] = {}
    for path in sorted(root.glob("*/*/*"), key=lambda path: (path.parent, int(path.stem))):
        assert Image.open(path).size == (64, 64)
        found.setdefault(path.parent.relative_to(root).as_posix(), []).append(path.name)
    return found


def ledger(project: Project, place: str) -> dict[str, str]:
    paths = (project.folder / f"results/{place}/downloads").glob("*.ledger.parquet")
    return {row.clip_id: row.failure or "ok" for path in paths for row in read_ledger(path)}


def ucf101_like(site: Site, project: Project, tmp_path: Path) -> list[str]:
    """Serve a rar with a rar for each class, and a zip of split lists with Windows' line ends."""
    names = [f"v_{kind}_g{g:02d}_c01" for kind in CLASSES for g in (1, 2)]
    kinds = {name: name.split("_")[1] for name in names}
    inner = {}
    for kind in CLASSES:
        clips = {
            f"{kind}/{name}.avi": clip_bytes(tmp_path, f"{name}.avi")
            for name in names
            if kinds[name] == kind
        }
        rar = rar5(tmp_path / f"{kind}.rar", clips)
        inner[f"UCF-101/{kind}.rar"] = rar.read_bytes()
    outer = rar4(tmp_path / "UCF101.rar", inner).read_bytes()
    folder = "ucfTrainTestlist"
    lists = {f"{folder}/classInd.txt": "1 ApplyEyeMakeup\r\n2 YoYo\r\n"}
    for number in (1, 2, 3):
        train = [f"{kinds[n]}/{n}.avi {CLASSES.index(kinds[n]) + 1}" for n in names[number % 2 :]]
        test = [f"{kinds[n]}/{n}.avi" for n in names[: number % 2]]
        lists[f"{folder}/trainlist{number:02d}.txt"] = "\r\n".join([*train, ""])
        lists[f"{folder}/testlist{number:02d}.txt"] = "\r\n".join([*test, names_of(test), ""])
    lists = {name: text.encode() for name, text in lists.items()}
    add_card(
        project,
        "toy101",
        "ucf101",
        annotations={
            "files": [{"url": site.add("/lists.zip", serve(zipped(lists))), "member": "*.txt"}],
            "adapter": "ucf101",
        },
        sources=[
            {"folder": "resources/manual/toy101"},
            {
                "archive": site.add("/UCF101.rar", serve(outer)),
                "members": "UCF-101/*.avi",
                "strip": 1,
                "nested": True,
            },
        ],
        splits={"train_val": {"shards": 2, "select": ["train_1", "test_1"]}},
        default_splits=["train_val"],
    )
    return [f"{kinds[name]}/{name}" for name in names]


def names_of(test: list[str]) -> str:
    """A test list must not be empty; its first clip stands in it twice."""
    return test[0] if test else "YoYo/v_YoYo_g01_c01.avi"


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


def test_a_list_of_addresses_and_paths_becomes_an_lmdb(
    site: Site, project: Project, tmp_path: Path
) -> None:
    long, short = (site.add(f"/{n}/clip.mp4", serve(clip_bytes(tmp_path, f"{n}.mp4", frames=n)))
                   for n in (75, 30))  # fmt: skip
    gone = site.add("/gone.mp4", status(404))
    own = project.folder / "clips" / "own.mp4"
    own.parent.mkdir()
    write_clip(own, frames=30)
    (project.folder / "clips" / "broken.mp4").write_bytes(b"no video")
    lines = [
        {"path": "own.mp4", "label": 3},
        {"path": "broken.mp4"},
        {"url": long, "start": 0, "end": 1.5, "clip_id": "first"},
        {"url": long, "start": 1.5, "end": 3, "clip_id": "second"},
        {"url": short, "clip_id": "$(touch x)/-rf"},
        {"url": gone, "clip_id": "gone"},
    ]
    listing = project.folder / "clips" / "list.jsonl"
    listing.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    given = config(project, "far", max_failed=0.5)
    given["datasets"]["far"] |= {"videos": "clips/list.jsonl", "shards": 2}
    project.write_config(given)
    project.build("far")
    ids = ["$(touch x)/-rf", "first", "own", "second"]
    assert sorted(pack_keys(project, "far/all")) == ids
    assert ledger(project, "far/all") == {
        **dict.fromkeys(ids, "ok"),
        "broken": "corrupt",
        "gone": "gone",
    }
    # The windows of a video share one file; a user's own is never touched.
    assert site.count("/75/clip.mp4") == 1
    names = sorted(path.name for path in (project.folder / "resources/videos/far").iterdir())
    assert names == sorted([name_video(long), name_video(short)])
    assert (own.parent / "broken.mp4").read_bytes() == b"no video"
    assert project.nothing_to_do("far")


def test_after_a_kill_only_the_rest_is_fetched(
    site: Site, project: Project, tmp_path: Path
) -> None:
    content = clip_bytes(tmp_path, "clip.mp4")
    names = [f"v{number:02d}.mp4" for number in range(24)]
    urls = [site.add(f"/{name}", serve(content, delay_seconds=0.3)) for name in names]
    (project.folder / "list.csv").write_text("\n".join(["url,label", *(f"{u},1" for u in urls)]))
    given = config(project, "mine", downloads={"per_host": 2})
    given["datasets"]["mine"]["videos"] = "list.csv"
    project.write_config(given)
    command = [sys.executable, "scripts/run.py", "--cores", "1", "download"]
    run = subprocess.Popen(command, cwd=project.folder, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(site.seen) < 9 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    videos = project.folder / "resources/videos/mine"
    here = {path.name for path in videos.glob("*.mp4")}
    assert 3 <= len(here) < len(names)
    subprocess.run(command, cwd=project.folder, check=True)
    assert set(ledger(project, "mine/all").values()) == {"ok"}
    for url, name in zip(urls, names, strict=True):
        # Small files are not resumed: one that was under way begins anew.
        tries = {1} if name_video(url) in here else {1, 2}
        assert site.count(f"/{name}") in tries, name


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
