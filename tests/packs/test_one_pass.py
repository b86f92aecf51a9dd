"""Packs of frames are the same bytes in one pass and from staged frames, for every format and any shards."""

import csv
import json
import tarfile

import pytest

from reelpack.clips.table import read_clips
from reelpack.config.pack_rules import FORMAT_RULES
from reelpack.config.recipes import products
from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_images, describe_pack
from reelpack.core.errors import ClipError
from reelpack.frames.cursor import FrameCursor
from reelpack.frames.extract import EXTRACT, run_frames
from reelpack.frames.images import ImageSettings, encode_clip_images
from reelpack.frames.shard import join_clips
from reelpack.images.files import LARGEST_SIDES
from reelpack.jobs.stage import Task
from reelpack.packs import Entry, PackContext, Variant, get_format
from reelpack.packs.write import write_pack
from tests.support.chain import Chain
from tests.support.clips import damage_file, write_audio, write_clip
from tests.support.helpers import ROOT

pytestmark = pytest.mark.usefixtures("warm_workers")

FPS = {"fps": 5, "shorter_side": 48}
CUT = {"size": 40}
JPEG = {"uniform": 2, "jpeg": 75}
RECIPES = {
    "webdataset": {"frames": FPS, "crop": CUT, "pack": {"image": "jpeg", "quality": 80}},
    "webdataset, webp of JPEG": {"frames": JPEG, "crop": CUT, "pack": {"image": "webp"}},
    "webdataset, png of JPEG": {"frames": JPEG, "pack": {"image": "png"}},
    "webdataset, jpeg of JPEG": {"frames": JPEG, "pack": {"image": "jpeg"}},
    "parquet": {
        "frames": {"fps": 5, "shorter_side": [48, 44]},
        "crop": {**CUT, "position": ["top", "bottom"], "hflip": [False, True]},
        "pack": {"image": "jpeg"},
    },
    "hdf5": {"frames": FPS, "crop": CUT, "pack": {"image": "webp", "quality": 40}},
    "hdf5, whole and cut as png": {"frames": FPS, "crop": {**CUT, "hflip": [False, True]}},
    "frame_folders": {"frames": FPS, "pack": {"image": "jpeg"}},
    "png_folders": {"frames": {"every": True, "square": 32}},
    "violet_frames": {"frames": {"violet": 3, "jpeg": 75}},
    "favd_tsv": {
        "frames": {"favd": 4, "jpeg": "ffmpeg"},
        "crop": {**CUT, "fit": "linear", "jpeg": 95},
    },
    "favd_frames": {"frames": {"favd": 4, "jpeg": "ffmpeg"}},
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Clips good and bad; the names say which."""
    folder = tmp_path_factory.mktemp("videos")
    write_clip(folder / "good.mp4", frames=13)
    write_clip(folder / "wide.mkv", frames=21, width=96, height=48)
    # Too small for a crop where frames keep their size.
    write_clip(folder / "small.mp4", frames=12, width=32, height=24)
    write_audio(folder / "sound.mp4")
    damage_file(
        write_clip(folder / "damaged.mp4", frames=40, b_frames=0), folder / "bad.mp4", at=0.6
    )
    return folder


@pytest.fixture(scope="module", params=[1, pytest.param(3, marks=pytest.mark.slow)])
def chain(request, tmp_path_factory, videos):
    folder = tmp_path_factory.mktemp(f"shards{request.param}")
    return Chain(folder, videos, shards=request.param).clips()


def read_settings(name):
    recipe = {"crop": None, **RECIPES[name]}
    recipe["pack"] = {"format": name.split(",")[0], **recipe.get("pack", {})}
    # Sound is the same in both ways.
    asked = {"datasets": {"mine": {"videos": "v", "recipes": ["x"]}}, "recipes": {"x": recipe}}
    return Settings(asked, ROOT)


def pack(chain, settings, folders, name):
    params = describe_pack(settings, "mine", "all", "x")
    params.update(shards=len(chain.shards), max_failed=1)
    write_pack(chain.manifest, folders, params=params, folder=chain.folder / name)
    return {
        path.relative_to(chain.folder / name): path.read_bytes()
        for path in sorted((chain.folder / name).rglob("*"))
        if path.is_file()
    }


def stage(chain, product):
    if product.crop is not None:
        (folder,) = {chain.stage(shard, product) for shard in chain.shards}
        return chain.folder / folder
    folder = f"frames/{product.sampling_slug}"
    for shard in chain.shards:
        job = chain.job(folder, f"{shard}.tar", product.name, "clips")
        run_frames(EXTRACT, chain.folder / "clips" / f"{shard}.parquet", product, job)
    return chain.folder / folder


def test_all_formats_of_frames_are_here():
    wanted = {name for name, rules in FORMAT_RULES.items() if "frames" in rules.takes}
    assert {name.split(",")[0] for name in RECIPES} == wanted


@pytest.mark.parametrize("name", RECIPES)
def test_one_pass_gives_the_bytes_of_staged_frames(chain, name):
    settings = read_settings(name)
    images = chain.images(name, describe_images(settings, "x"))
    one_pass = pack(chain, settings, [images], f"one pass {name}")
    folders = [stage(chain, product) for product in products(settings.recipe("x"))]
    assert one_pass == pack(chain, settings, folders, f"staged {name}")
    (failures,) = (data for path, data in one_pass.items() if path.name == "failures.csv")
    rows = {row["clip_id"]: row for row in csv.DictReader(failures.decode().splitlines())}
    assert "sound" in rows
    assert "good" not in rows
    if name == "webdataset, webp of JPEG":
        assert (rows["small"]["stage"], rows["small"]["class"]) == ("crop_frames", "too_small")
    if name == "webdataset":
        assert (rows["bad"]["stage"], rows["bad"]["class"]) == ("extract_frames", "decode")


def test_a_clip_that_is_too_large_for_its_files_is_left_to_the_pack(chain, tmp_path, monkeypatch):
    monkeypatch.setitem(LARGEST_SIDES, "webp", 39)
    result = describe_images(read_settings("hdf5"), "x")
    clips = [read_clips(chain.folder / "clips" / f"{shard}.parquet") for shard in chain.shards]
    (clip,) = (clip for found in clips for clip in found if clip.clip_id == "good")
    target = tmp_path / "clip"
    encode_clip_images(Task(clip, "key", target, ImageSettings.of(result)))
    join_clips(tmp_path / "shard.tar", [("good", target)])
    frames = FrameCursor(tmp_path / "shard.tar").take("good")
    assert frames.made_as is None
    assert frames.file(0).startswith(b"\x89PNG")
    context = PackContext("d", "s", "x", "5", (Variant("v"),), {"image": "webp"})
    with pytest.raises(ClipError, match=r"hdf5: 40x40 is more than webp can hold"):
        get_format("hdf5").store(Entry("good", 0, None, None, {"v": frames}), context)


def test_shards_hold_the_bytes_of_the_pack_and_never_pixels(chain):
    settings = read_settings("webdataset")
    result = describe_images(settings, "x")
    folder = chain.images("bytes", result)
    pack(chain, settings, [folder], "bytes")
    with tarfile.open(chain.folder / "bytes" / "x-000000.tar") as tar:
        packed = {m.name: tar.extractfile(m).read() for m in tar if m.name.endswith("jpg")}
    assert packed
    held = {}
    for shard in chain.shards:
        with tarfile.open(folder / f"{shard}.tar") as tar:
            for member in tar:
                clip_id, name = member.name.split("/")
                if name != "index.json":
                    held[f"{clip_id}.{name[2:]}"] = tar.extractfile(member).read()
                else:
                    index = json.load(tar.extractfile(member))
                    assert index["made_as"] == ["jpeg", 80]
    assert held == packed


def test_a_second_run_decodes_nothing(chain, monkeypatch, capfd):
    result = describe_images(read_settings("webdataset"), "x")
    folder = chain.images("twice", result)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for path in before:
        path.unlink()
    capfd.readouterr()
    chain.images("twice", result)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    told = [line for line in capfd.readouterr().out.splitlines() if "found finished" in line]
    assert told
    for line in told:
        clips, finished = line.split(": ")[1].split(" found")[0].split(" clips, ")
        assert clips == finished
