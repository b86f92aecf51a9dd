import itertools
import re
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from reelpack.core.errors import UserError
from reelpack.lvt.published.detectron2 import (
    Catalogues,
    list_frame_images,
    list_frame_videos,
    list_pack_videos,
    register_frames,
    register_pack,
    register_published,
)
from reelpack.packs.lvt_codes import LvtCodes
from tests.packs.samples import ONE, context, entry

CLASSES = {"tap dancing": 14, "abseiling": 3}


def draw(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (4, 4)).save(folder / name)


@pytest.fixture
def tree(tmp_path):
    """A tree of the published kind; a folder with a note is not a video, nor is one above others."""
    root = tmp_path / "kinetics600" / "test"
    draw(root / "tap dancing" / "b", [f"{n}.png" for n in range(1, 12)])
    draw(root / "abseiling" / "a", ["1.png"])
    draw(root / "abseiling" / "noted", ["1.png"])
    (root / "abseiling" / "noted" / "note.txt").write_text("x")
    (root / "abseiling" / "a" / "._1.png").write_text("left by a Mac")
    Image.new("RGB", (4, 4)).save(root / "abseiling" / "cover.png")
    return root


@pytest.fixture
def pack(tmp_path):
    folder = tmp_path / "pack"
    folder.mkdir()
    place = context(ONE, settings={"dataset_name": "kdvqvae", "class_folders": True})
    form = LvtCodes()
    ids = ["x/tap dancing/b", "x/abseiling/a"]
    stored = [
        form.store(entry(name, n, variants=ONE, shape=(12, 2, 4, 4)), place)
        for n, name in enumerate(ids)
    ]
    form.write(folder, stored, place)
    return folder


def test_videos_of_a_tree(tree):
    first, second = list_frame_videos(tree, classes=CLASSES)
    assert first == {
        "video_root": str(tree / "abseiling" / "a"),
        "image_names": ["1.png"],
        "video_idx": 0,
        "class": 3,
    }
    assert second["image_names"] == [f"{n}.png" for n in range(1, 12)]
    assert (second["video_idx"], second["class"]) == (1, 14)
    assert "class" not in list_frame_videos(tree)[0]


def test_videos_have_the_numbers_of_the_pack_s_clips(tmp_path):
    # A walk in order of names would come to `a` before `a-b`; ids sort the other way.
    for clip in ("a/1", "a-b/1", "a/10", "a/2"):
        draw(tmp_path / clip, ["0.png"])
    roots = [entry["video_root"] for entry in list_frame_videos(tmp_path)]
    ids = [root.removeprefix(f"{tmp_path}/") for root in roots]
    assert ids == sorted(ids, key=str.encode) == ["a-b/1", "a/1", "a/10", "a/2"]


def test_pictures_of_a_tree(tree):
    entries = list_frame_images(tree, classes=CLASSES)
    assert len(entries) == 12
    assert entries[2] == {"image_path": str(tree / "tap dancing" / "b" / "2.png"), "class": 14}


def test_videos_of_a_pack(pack):
    first, second = list_pack_videos(pack, classes=CLASSES)
    assert [entry["video_idx"] for entry in (first, second)] == [0, 1]
    assert [entry["class"] for entry in (first, second)] == [3, 14]
    assert first["video_root"] == first["video_path"] == str(pack / "kdvqvae/abseiling/video_0")
    assert first["latent_names"] == [f"{n}.npy" for n in range(12)]
    assert np.load(second["latent_paths"][11]).shape == (2, 4, 4)


def test_what_cannot_be_listed_is_a_user_error(tree, tmp_path):
    with pytest.raises(UserError, match="no such folder of frames"):
        list_frame_videos(tmp_path / "absent")
    with pytest.raises(UserError, match="class folder 'abseiling' has no number"):
        list_frame_videos(tree, classes={})
    with pytest.raises(UserError, match="not a pack of codes"):
        list_pack_videos(tmp_path)


class Datasets(dict):
    """The catalogue's promise: a name is registered once, its function gives the list."""

    def register(self, name, function):
        assert name not in self, f"Dataset '{name}' is already registered!"
        self[name] = function


class Metadata(dict):
    """Metadata's promise: what is set once cannot be set to something else."""

    def get(self, name):
        held = self.setdefault(name, {})

        def set_all(**values):
            assert all(held.get(key, value) == value for key, value in values.items())
            held.update(values)

        return type("Held", (), {"set": staticmethod(set_all)})


class PublishedDatasets:
    """As the published code has it: a class around a table, without a way to take a name out."""

    def __init__(self):
        self._REGISTERED = Datasets()
        self.register = self._REGISTERED.register


class PublishedMetadata:
    """The other one of the kind."""

    def __init__(self):
        self._NAME_TO_META = Metadata()
        self.get = self._NAME_TO_META.get


def test_published_names_are_registered(tree, tmp_path, pack):
    draw(tmp_path / "bair" / "train" / "0" / "1", ["0.png", "1.png"])
    catalogues = Catalogues(Datasets(), Metadata())
    names = register_published(tmp_path, classes=CLASSES, catalogues=catalogues)
    assert names == ["bair_train", "bair_train_seq", "kinetics_test", "kinetics_test_seq"]
    register_pack("kdvqvae_test", pack, classes=CLASSES, catalogues=catalogues)
    assert len(catalogues.datasets["bair_train"]()) == 2
    assert "class" not in catalogues.datasets["bair_train_seq"]()[0]
    assert catalogues.datasets["kinetics_test_seq"]() == list_frame_videos(tree, classes=CLASSES)
    assert catalogues.datasets["kdvqvae_test"]() == list_pack_videos(pack, classes=CLASSES)
    assert catalogues.metadata["kinetics_test"] == {"root": str(tree.parent)}
    with pytest.raises(UserError, match="bair_train: Dataset 'bair_train' is already registered"):
        register_published(tmp_path, catalogues=catalogues)


def test_names_that_are_taken_are_replaced_when_asked(tmp_path, pack):
    for folder in ("old", "new"):
        draw(tmp_path / folder / "bair" / "train" / "1", [f"{folder}.png"])
    old, new = (tmp_path / folder for folder in ("old", "new"))
    for catalogues in (
        Catalogues(Datasets(), Metadata()),
        Catalogues(PublishedDatasets(), PublishedMetadata()),
    ):
        register_published(old, catalogues=catalogues)
        register_published(new, catalogues=catalogues, replace=True)
        register_pack("prdvqvae_test", tmp_path, catalogues=catalogues)
        register_pack("prdvqvae_test", pack, catalogues=catalogues, replace=True)
        lists = getattr(catalogues.datasets, "_REGISTERED", catalogues.datasets)
        assert lists["bair_train_seq"]()[0]["image_names"] == ["new.png"]
        assert lists["prdvqvae_test"]() == list_pack_videos(pack)


def test_a_pack_of_frames_is_a_tree(tmp_path):
    draw(tmp_path / "frames" / "traj_0_to_255" / "1", ["0.png", "1.png"])
    (tmp_path / "checksums.sha256").write_text("x")
    catalogues = Catalogues(Datasets(), Metadata())
    for name in ("bair_test", "bair_test_seq"):
        register_frames(name, tmp_path, catalogues=catalogues)
    (video,) = catalogues.datasets["bair_test_seq"]()
    pictures = [entry["image_path"] for entry in catalogues.datasets["bair_test"]()]
    assert pictures == [f"{video['video_root']}/{name}" for name in video["image_names"]]


def test_an_empty_root_is_a_user_error(tmp_path):
    places = "has none of bair/test, bair/train, kinetics600/test, kinetics600/train"
    with pytest.raises(UserError, match=re.escape(places)):
        register_published(tmp_path, catalogues=Catalogues(Datasets(), Metadata()))


@pytest.mark.skipif(find_spec("detectron2") is not None, reason="detectron2 is here")
def test_without_detectron2_one_line_says_so(pack):
    with pytest.raises(UserError, match="detectron2 cannot be imported"):
        register_pack("kdvqvae_test", pack)


def test_detectron2_gives_the_lists_back(pack, tree):
    data = pytest.importorskip("detectron2.data", reason="detectron2 is not installed")
    register_pack("reelpack_kdvqvae", pack)
    with pytest.raises(UserError, match="already registered"):
        register_pack("reelpack_kdvqvae", tree)
    assert data.DatasetCatalog.get("reelpack_kdvqvae") == list_pack_videos(pack)
    assert data.MetadataCatalog.get("reelpack_kdvqvae").root == str(pack)
    register_frames("reelpack_kdvqvae", tree, replace=True)
    assert data.MetadataCatalog.get("reelpack_kdvqvae").root == str(tree)
    pictures = data.get_detection_dataset_dicts("reelpack_kdvqvae", filter_empty=False)
    assert pictures == list_frame_images(tree)
    # Six pictures to a batch of detectron2's own endless loader: two are a round.
    batches = data.build_detection_train_loader(
        pictures,
        mapper=lambda entry: entry["image_path"],
        total_batch_size=6,
        aspect_ratio_grouping=False,
    )
    first, second = itertools.islice(batches, 2)
    assert sorted(first + second) == sorted(entry["image_path"] for entry in pictures)
