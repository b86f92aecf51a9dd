from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from reelpack.core.errors import ClipError, UserError
from reelpack.packs import Entry, get_format
from reelpack.packs.hero_npz import name_files
from reelpack.packs.readers import open_pack
from reelpack.packs.verify import verify_pack
from tests.packs.samples import ONE, TWO, context, failure, put, put_whole

FORMAT = get_format("hero_npz")
VARIANT = ONE[0].name


def entry(clip_id: str, order: int = 0, *, rows: int = 3, scale: float = 1.0) -> Entry:
    noise = np.random.default_rng([order, len(clip_id)])
    values = (noise.standard_normal((rows, 8)) * scale).astype(np.float32)
    return Entry(
        clip_id,
        order,
        None if order % 2 else order,
        None,
        {VARIANT: values},
        video=f"{clip_id}.mp4",
    )


def about(encoder: str = "slowfast_r50", **settings: object):
    return context(ONE, settings={"encoder": {"name": encoder}, **settings})


def put_npz(folder: Path, items: list[Entry], **settings: object) -> Path:
    return put_whole(folder, "hero_npz", items, about(**settings))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_one_file_per_video_as_hero_loads_it(tmp_path: Path, dtype: str) -> None:
    items = [entry("tv/friends, 1", 0), entry("b", 1, rows=1), entry("a", 2, rows=40)]
    pack = put_npz(tmp_path / "pack", items, dtype=dtype)
    for item, name in zip(items, ("friends, 1", "b", "a"), strict=True):
        found = np.load(pack / "slowfast_features" / f"{name}.npz")
        assert found.files == ["features"]
        wanted = item.arrays[VARIANT]
        assert isinstance(wanted, np.ndarray)
        assert found["features"].dtype == dtype
        np.testing.assert_array_equal(found["features"], wanted.astype(dtype))
    with (pack / "slowfast_info.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["video_path", "feature_path"],
            ["tv/friends, 1.mp4", "slowfast_features/friends, 1.npz"],
            ["b.mp4", "slowfast_features/b.npz"],
            ["a.mp4", "slowfast_features/a.npz"],
        ]
    samples = list(open_pack(pack))
    assert [sample.clip_id for sample in samples] == [item.clip_id for item in items]
    assert [sample.label for sample in samples] == [0, None, 2]
    assert list(samples[1].arrays) == [VARIANT]
    assert verify_pack(pack).arrays == 3


def test_halves_are_the_default(tmp_path: Path) -> None:
    pack = put_npz(tmp_path / "pack", [entry("a")])
    assert open_pack(pack)[0].arrays[VARIANT].dtype == np.float16


@pytest.mark.parametrize(
    ("encoder", "folder"),
    [
        ("resnet152", "resnet_features"),
        ("resnext101_3d", "3d-resnext_features"),
        ("s3d", "mil-nce_features"),
        ("clip_vitb32", "clip-vit_features"),
        ("clip_rn50x4", "clip-rn50x4_features"),
        ("dinov2_vitb14", "dinov2_vitb14_features"),
    ],
)
def test_folders_have_the_extractors_names(tmp_path: Path, encoder: str, folder: str) -> None:
    put(tmp_path / "p", "hero_npz", [entry("a")], about(encoder))
    assert (tmp_path / "p" / folder / "a.npz").is_file()


def test_two_packs_are_the_same_bytes(tmp_path: Path) -> None:
    items = [entry(f"v{number}", number) for number in range(5)]
    one, other = (put_npz(tmp_path / name, items) for name in ("one", "other"))
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert len(files) == 11
    for file in files:
        assert (one / file).read_bytes() == (other / file).read_bytes()


def test_ids_that_end_alike_are_told_apart(tmp_path: Path) -> None:
    items = [entry("one/a", 0), entry("two/a", 1), entry("two/b", 2), entry("a/1", 3)]
    pack = put_npz(tmp_path / "pack", items)
    names = sorted(path.name for path in (pack / "slowfast_features").iterdir())
    assert names == ["1.npz", "b.npz", "one%2Fa.npz", "two%2Fa.npz"]
    assert open_pack(pack)[3].arrays[VARIANT].shape == (3, 8)


def test_names_that_cannot_be_told_apart() -> None:
    with pytest.raises(UserError, match=r"two clips would both lie in a%2Fx\.npz"):
        name_files(["a/x", "b/x", "a%2Fx"])
    deep = "d" * 150
    with pytest.raises(UserError, match="its whole id is too long"):
        name_files([f"{deep}/{deep}/x", "b/x"])


def test_numbers_that_do_not_fit_fail_the_clip(tmp_path: Path) -> None:
    items = [entry("good", 0), entry("huge", 1, scale=1e6)]
    counts = put(tmp_path / "p", "hero_npz", items, about(), failures=[failure("gone", 2)])
    assert counts == {"clips": 3, "entries": 1, "failed": 2}
    assert (
        "huge,write_pack,pack,features hold numbers beyond float16"
        in (tmp_path / "p" / "failures.csv").read_text()
    )
    put_npz(tmp_path / "q", items, dtype="float32")
    assert len(open_pack(tmp_path / "q")) == 2


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.zeros((2, 3), np.int64), UserError, "are int64, allowed are floats"),
        (np.zeros(3, np.float32), UserError, r"shape \[3\], allowed is \[rows, d\]"),
        (np.zeros((0, 3), np.float32), ClipError, "the clip has no rows"),
    ],
)
def test_arrays_that_are_no_features(array, error: type[Exception], message: str) -> None:
    item = Entry("a", 0, None, None, {VARIANT: array})
    with pytest.raises(error, match=message):
        FORMAT.store(item, about())


def test_an_id_that_cannot_name_a_file_is_refused() -> None:
    with pytest.raises(ClipError, match="cannot be the name of a file"):
        FORMAT.store(entry("a\0b"), about())


def test_long_ids_and_several_crops() -> None:
    assert FORMAT.store(entry("x" * 251), about()).clip_id
    with pytest.raises(ClipError, match="too long for a file name"):
        FORMAT.store(entry("x" * 252), about())
    with pytest.raises(UserError, match="one crop per recipe"):
        FORMAT.check(context(TWO))


@pytest.mark.parametrize("file", ["slowfast_features/a.npz", "videos.csv", "slowfast_info.csv"])
def test_damage_is_found(tmp_path: Path, file: str) -> None:
    pack = put_npz(tmp_path / "pack", [entry("a", 0), entry("b", 1)])
    content = bytearray((pack / file).read_bytes())
    content[len(content) // 2] ^= 1
    (pack / file).write_bytes(content)
    found = verify_pack(pack).differences
    assert any(line.startswith(f"{file}: changed") for line in found)
    (pack / file).unlink()
    assert f"{file}: missing" in verify_pack(pack).differences


def test_a_changed_file_is_found_by_its_content_too(tmp_path: Path) -> None:
    pack = put_npz(tmp_path / "pack", [entry("a", 0), entry("b", 1)])
    file = pack / "slowfast_features" / "a.npz"
    np.savez(file, features=np.load(file)["features"] * 2)
    (item, *_) = FORMAT.read(pack)
    (whole, *_) = FORMAT.read(put_npz(tmp_path / "other", [entry("a", 0)]))
    assert item.sha256() != whole.sha256()
    file.write_bytes(b"PK")
    damage = next(iter(FORMAT.read(pack)))
    assert damage.clip_id == "a"
