"""A group's one decode changes no byte of any recipe's results, and leaves what fails to its own job."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import reelpack.encode.group
import reelpack.encode.single
import reelpack.jobs.stage
from reelpack.config.recipes import Product
from reelpack.core.errors import ClipError
from reelpack.encode.group import GroupMember, encode_group
from reelpack.encode.single import encode_shard
from reelpack.encoders.vqvae import VQVAEEncoder
from reelpack.frames.clip_pixels import EncodeSettings
from reelpack.jobs.retries import Retries
from tests.support.averages import Averages
from tests.support.chain import Chain, tiny_model
from tests.support.clips import cut_file, damage_file, write_audio, write_clip

pytestmark = pytest.mark.usefixtures("warm_workers")

SQUARE = {"size": 32, "position": "center", "hflip": False}
SMALL = {"size": 24, "position": "top", "hflip": True}
WINDOWS = {"windows": {"clip_len": "1/2", "fps": 30, "frames": 8}, "shorter_side": 32}
RECIPES = {
    "fps": [({"fps": "5", "shorter_side": 32}, SQUARE), ({"fps": "5", "shorter_side": 32}, SMALL)],
    "strict": [({"every": True, "at_least": 20}, SQUARE)],
    "windows": [(WINDOWS, SQUARE)],
}


def in_this_process(work, tasks, **_):
    """Stand in for `run_clips` where processes are not the point: they take seconds to start."""
    for task in tasks:
        try:
            work(task)
            yield task, None
        except ClipError as error:
            yield task, error


def product_set(recipe):
    return tuple(Product({"scaler": "bicubic", **frames}, crop) for frames, crop in RECIPES[recipe])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("weights") / "model.safetensors")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_clip(folder / "good.mp4", frames=23)
    write_clip(folder / "wide.mkv", frames=31, width=96, height=48)
    write_clip(folder / "guessed.avi", frames=30)
    write_clip(folder / "small.mp4", frames=22, width=32, height=24)
    write_clip(folder / "short.mp4", frames=8)
    write_audio(folder / "sound.mp4")
    long = write_clip(folder / "long.mp4", frames=40, b_frames=0)
    cut_file(long, folder / "cut.mp4", keep=0.7)
    damage_file(long, folder / "damaged.mp4", at=0.6)
    return folder


class Group:
    """The recipes' own jobs, and the group's before them, in a folder."""

    def __init__(self, folder: Path, videos: Path, weights: Path, device: str = "cpu") -> None:
        self.chain = Chain(folder, videos).clips()
        self.clips = folder / "clips" / "00000.parquet"
        self.members = [
            GroupMember(
                name,
                EncodeSettings({"name": "vqvae"}, weights, product_set(name), (), device),
                f"result of {name}",
                folder / "journal" / f"encoded/{name}" / "00000",
            )
            for name in RECIPES
        ]

    def together(self, *, workers: int = 0, members=None) -> int:
        with pytest.MonkeyPatch.context() as patch:
            if not workers:
                patch.setattr(reelpack.encode.group, "run_clips", in_this_process)
            return encode_group(
                self.clips,
                earlier=[self.clips.with_suffix(".ledger.parquet")],
                members=members or self.members,
                retries=Retries(),
                workers=workers,
            )

    def alone(self) -> dict[str, bytes]:
        outputs = {}
        for member in self.members:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(reelpack.jobs.stage, "run_clips", in_this_process)
                job = self.chain.job(
                    f"encoded/{member.recipe}", "00000.safetensors", member.result, "clips"
                )
                encode_shard(self.clips, member.settings, job)
            folder = self.chain.folder / "encoded" / member.recipe
            for path in sorted(folder.iterdir()):
                outputs[f"{member.recipe}/{path.name}"] = path.read_bytes()
        return outputs


@pytest.fixture(scope="module")
def wanted(tmp_path_factory, videos, weights):
    return Group(tmp_path_factory.mktemp("alone"), videos, weights).alone()


def found_finished(text: str) -> list[int]:
    words = [line.split() for line in text.splitlines() if line.startswith("encode_shard: ")]
    return [int(line[3]) for line in words if line[-1] == "finished"]


@pytest.mark.slow
def test_every_recipe_gets_its_own_bytes(tmp_path, videos, weights, wanted, capfd):
    group = Group(tmp_path, videos, weights)
    assert group.together(workers=2) == 7
    capfd.readouterr()
    assert group.alone() == wanted
    # Nobody can have the damaged one, and strict has no use for the short and the small one.
    assert found_finished(capfd.readouterr().out) == [6, 4, 6]


def test_the_clips_are_decoded_once(tmp_path, videos, weights, monkeypatch):
    group = Group(tmp_path, videos, weights)
    opened: list[str] = []
    shared = reelpack.encode.group.read_shared_pixels
    monkeypatch.setattr(
        reelpack.encode.group,
        "read_shared_pixels",
        lambda clip, members: opened.append(clip.clip_id) or shared(clip, members),
    )
    group.together()
    assert sorted(opened) == ["damaged", "good", "guessed", "long", "short", "small", "wide"]


def test_finished_jobs_stay_as_they_are(tmp_path, videos, weights, wanted, capfd):
    group = Group(tmp_path, videos, weights)
    assert group.alone() == wanted
    journals = tmp_path / "journal" / "encoded"
    before = {path: path.stat().st_mtime_ns for path in journals.rglob("*") if path.is_file()}
    assert group.together() == 0
    assert {p: p.stat().st_mtime_ns for p in journals.rglob("*") if p.is_file()} == before
    changed = [replace(member, result=f"new {member.recipe}") for member in group.members[:1]]
    assert group.together(members=[*changed, *group.members[1:]]) == 0


def test_a_model_that_cannot_be_loaded_loses_nobody_else(tmp_path, videos, weights, wanted, capfd):
    group = Group(tmp_path, videos, weights)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    fps, *others = group.members
    bad = replace(fps, settings=replace(fps.settings, weights=broken))
    group.together(members=[bad, *others])
    text = capfd.readouterr().out
    assert text.count("fps: left to its own job: ") == 1
    assert "holds no VQ-VAE model" in text
    assert group.alone() == wanted
    assert found_finished(capfd.readouterr().out) == [0, 4, 6]


def pretend_gpu(monkeypatch, weights, **models):
    monkeypatch.setattr(reelpack.encode.single, "describe_software", lambda _: {"device": "cpu"})
    for module in (reelpack.encode.single, reelpack.encode.group):
        monkeypatch.setattr(
            module, "get_encoder", lambda s: models.get(str(s.encoder.get("name"))) or gpu_model(s)
        )


def gpu_model(settings):
    encoder = VQVAEEncoder(settings.weights, device="cpu")
    encoder.batch_size = 8
    return encoder


def test_the_device_path_gives_the_same_clips(tmp_path, videos, weights, monkeypatch, capfd):
    pretend_gpu(monkeypatch, weights)
    alone = Group(tmp_path / "a", videos, weights, "cuda").alone()
    group = Group(tmp_path / "b", videos, weights, "cuda")
    assert group.together() == 7
    capfd.readouterr()
    assert group.alone() == alone
    assert found_finished(capfd.readouterr().out) == [6, 4, 6]
    assert not list(tmp_path.rglob("*.pixels"))


def test_memory_that_runs_out_leaves_a_model_to_its_own_job(
    tmp_path, videos, weights, monkeypatch, capfd
):
    pretend_gpu(monkeypatch, weights, hungry=Averages(batch_size=4, memory_rows=2))
    group = Group(tmp_path, videos, weights, "cuda")
    fps, *others = group.members
    hungry = replace(fps, settings=replace(fps.settings, encoder={"name": "hungry"}))
    monkeypatch.setattr(reelpack.encode.group, "list_encoder_modules", lambda _: [])
    group.together(members=[hungry, *others])
    assert "fps: left to its own job: CUDA out of memory" in capfd.readouterr().out
    done = {member.recipe: len(list(member.journal.glob("*.clip"))) for member in group.members}
    assert done == {"fps": 0, "strict": 4, "windows": 6}


def test_windows_of_frames_pass_through_a_group(tmp_path, videos, weights, monkeypatch):
    """Rows of several frames and uncropped frames of many sizes, beside one another."""
    models = {"motion": Averages(window=8), "stills": Averages()}
    pretend_gpu(monkeypatch, weights, **models)
    group = Group(tmp_path, videos, weights)
    whole = Product({"scaler": "bicubic", "every": True, "shorter_side": 24}, None)
    motion, stills = (
        GroupMember(
            name, EncodeSettings({"name": name}, weights, sets, (), "cpu"), name, tmp_path / name
        )
        for name, sets in (("motion", product_set("windows")), ("stills", (whole,)))
    )
    monkeypatch.setattr(reelpack.encode.group, "list_encoder_modules", lambda _: [])
    group.together(members=[motion, stills])
    assert set(models["motion"].shapes) == {(4, 8, 32, 32, 3)}
    assert {shape[1:3] for shape in models["stills"].shapes} == {(24, 32), (24, 48)}
    assert np.unique([len(shape) for shape in models["motion"].shapes]).tolist() == [5]
