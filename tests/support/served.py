"""Datasets whose lists and videos a web server of the tests has, and what a run makes of them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import lmdb
import yaml
from PIL import Image

from reelpack.jobs.ledger import read_ledger
from tests.sources.archives import rar4, rar5
from tests.sources.server import Site, serve
from tests.support.clips import write_clip
from tests.support.project import Project

RECIPE = {
    "frames": {"fps": 2, "shorter_side": 32},
    "crop": {"size": 32},
    "encoder": {"name": "dalle", "weights": "dalle_encoder"},
    "pack": {"format": "vimpac_lmdb"},
}
CLASSES = ("ApplyEyeMakeup", "YoYo")


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
