from __future__ import annotations

import io
import json
import multiprocessing
import pickle
from pathlib import Path

import lmdb
import numpy as np
import pytest

from reelpack.core.errors import ClipError, UserError
from reelpack.packs import Entry, PackContext, Variant, get_format
from reelpack.packs import vimpac_lmdb as module
from reelpack.packs.verify import verify_pack
from reelpack.packs.vimpac_lmdb import VimpacTokens, name_folder
from tests.packs.samples import ONE, TWO, context, entries, entry, failure, put

FORMAT = get_format("vimpac_lmdb")
TRAINING_SET = tuple(
    Variant(f"{side}{position}_{flip}", shorter_side=side, size=128, position=position, hflip=flip)
    for flip in (False, True)
    for position in ("top", "center", "bottom")
    for side in (128, 160)
)


def put_lmdb(folder: Path, items: list[Entry], about: PackContext) -> Path:
    put(folder, "vimpac_lmdb", items, about, failures=[failure("gone", 10**6)])
    return folder


def raw(folder: Path) -> dict[bytes, bytes]:
    with (
        lmdb.open(str(folder), readonly=True, lock=False) as environment,
        environment.begin() as reading,
    ):
        return dict(reading.cursor())


def test_folder_holds_what_the_published_writer_leaves(tmp_path: Path) -> None:
    pack = put_lmdb(tmp_path / "pack", list(entries(5)), context())
    folder = pack / "dalle_toy_train_fps2_hflip1_160center128"
    assert sorted(path.name for path in folder.iterdir()) == [
        "args.json",
        "data.mdb",
        "err_filepaths.txt",
    ]
    assert (folder / "err_filepaths.txt").read_text() == "gone\n"
    text = (folder / "args.json").read_text()
    assert '\n    "fps": "2"' in text
    args = json.loads(text)
    assert (args["frame_shorter_size"], args["frame_out_size"], args["hflip"]) == (160, 128, True)
    assert args["scaler"] == "bicubic"


def test_values_are_numpys_own_archives(tmp_path: Path) -> None:
    item = entry("Class/v_é", 0, label=7)
    pack = put_lmdb(tmp_path / "pack", [item], context())
    tokens = item.arrays["128top"].astype(np.int16)
    expected = io.BytesIO()
    np.savez(expected, tokens=tokens, label=np.array(7, dtype=np.int16))
    found = raw(pack / "dalle_toy_train_fps2_hflip0_128top128")
    assert found == {"Class/v_é".encode(): expected.getvalue()}


def test_a_single_codebook_axis_is_dropped(tmp_path: Path) -> None:
    item = entry("a", 0, shape=(2, 1, 4, 4))
    pack = put_lmdb(tmp_path / "pack", [item], context())
    ((_, tokens, _),) = VimpacTokens(pack / "dalle_toy_train_fps2_hflip0_128top128")
    assert np.array_equal(tokens, item.arrays["128top"][:, 0])


@pytest.mark.parametrize(
    ("shape", "value"), [((2, 4, 4, 4), 0), ((4, 4), 0), ((2, 4, 4), 32768), ((2, 4, 4), -32769)]
)
def test_recipes_that_do_not_fit_stop(tmp_path: Path, shape: tuple[int, ...], value: int) -> None:
    arrays = {variant.name: np.full(shape, value) for variant in TWO}
    with pytest.raises(UserError, match="clip a"):
        put_lmdb(tmp_path / "pack", [Entry("a", 0, None, None, arrays)], context())
    assert list(tmp_path.iterdir()) == []


def test_floats_are_no_tokens() -> None:
    arrays = {variant.name: np.zeros((2, 4, 4)) for variant in TWO}
    with pytest.raises(UserError, match="float64"):
        FORMAT.store(Entry("a", 0, None, None, arrays), context())


@pytest.mark.parametrize(("label", "fits"), [(32767, True), (32768, False), (-32769, False)])
def test_labels_never_wrap(label: int, fits: bool) -> None:
    item = entry("a", 0, label=label)
    if fits:
        assert FORMAT.store(item, context()).label == label
    else:
        with pytest.raises(ClipError, match="int16"):
            FORMAT.store(item, context())


@pytest.mark.parametrize(("clip_id", "fits"), [("é" * 255, True), ("é" * 256, False), ("", False)])
def test_ids_must_be_lmdb_keys(clip_id: str, fits: bool) -> None:
    if fits:
        assert FORMAT.store(entry(clip_id), context()).clip_id == clip_id
    else:
        with pytest.raises(ClipError, match="511"):
            FORMAT.store(entry(clip_id), context())


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(ClipError, match="no frames"):
        FORMAT.store(entry("a", shape=(0, 4, 4)), context())


@pytest.mark.parametrize(
    ("fps", "encoder", "variant", "expected"),
    [
        (
            "2",
            {"name": "dalle"},
            Variant("a", 320, size=256),
            "dalle_toy_train_fps2_hflip0_320center256",
        ),
        ("2/3", "vq", Variant("a", 128), "vq_toy_train_fps2d3_hflip0_128none"),
        ("0.5", "vq", Variant("a", square=64, hflip=True), "vq_toy_train_fps0.5_hflip1_sq64none"),
        (
            None,
            "vq",
            Variant("a", size=64, position="top"),
            "vq_toy_train_fpsnone_hflip0_nativetop64",
        ),
    ],
)
def test_folder_names(fps: str | None, encoder: object, variant: Variant, expected: str) -> None:
    about = context((variant,), fps=fps, settings={"encoder": encoder})
    assert name_folder(about, variant) == expected


def test_crops_that_share_a_folder_are_refused() -> None:
    twins = (Variant("a", 128, size=128), Variant("b", 128, size=128))
    with pytest.raises(UserError, match="a and b"):
        FORMAT.check(context(twins))
    with pytest.raises(UserError, match="at least one"):
        FORMAT.check(context(()))


@pytest.mark.parametrize(
    ("dataset", "split", "read_as"),
    [
        ("sthv2", "train", "ssv2_train"),
        ("ucf101", "train_val", "ucf101_train_test"),
        ("hmdb51", "train_val", "hmdb51_train_test"),
        ("kinetics400", "val", None),
    ],
)
def test_names_that_vimpac_opens_are_there(
    tmp_path: Path, dataset: str, split: str, read_as: str | None
) -> None:
    items = [entry("a", 0, variants=TRAINING_SET)]
    about = context(TRAINING_SET, dataset=dataset, split=split)
    pack = put_lmdb(tmp_path / "pack", items, about)
    moved = pack.rename(tmp_path / "moved")
    for flip in (0, 1):
        for position in ("top", "center", "bottom"):
            for side in (128, 128 * 160 // 128):
                name = (
                    f"dalle_{read_as or f'{dataset}_{split}'}_fps2_hflip{flip}_{side}{position}128"
                )
                assert list(raw(moved / name)) == [b"a"]
    assert verify_pack(moved).arrays == 12
    assert verify_pack(moved).differences == ()


def test_many_entries_over_many_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COMMIT_BYTES", 20_000)
    items = [entry(f"{order * 7919 % 3001:04d}", order, variants=ONE) for order in range(3000)]
    pack = put_lmdb(tmp_path / "pack", items, context(ONE))
    (folder,) = (path.parent for path in pack.glob("*/data.mdb"))
    keys = list(raw(folder))
    assert keys == sorted(item.clip_id.encode() for item in items)
    assert verify_pack(pack).arrays == 3000


@pytest.mark.parametrize("key_bytes", [4, 511])
@pytest.mark.parametrize("value_bytes", [1, 600, 1900, 2100, 4080, 4081, 9000])
def test_the_map_is_always_large_enough(tmp_path: Path, key_bytes: int, value_bytes: int) -> None:
    spool = module._Spool()
    with module.ExitStack() as stack:
        spool.open(tmp_path / "spool", stack)
        keys = [f"{number:04d}".encode().ljust(key_bytes, b"x") for number in range(1500)]
        for _ in keys:
            spool.append(b"v" * value_bytes)
        (tmp_path / "lmdb").mkdir()
        spool.write_lmdb(tmp_path / "lmdb", keys, range(1500))
    assert len(raw(tmp_path / "lmdb")) == 1500


def test_an_empty_split_gives_an_empty_pack(tmp_path: Path) -> None:
    pack = put_lmdb(tmp_path / "pack", [], context())
    assert raw(pack / "dalle_toy_train_fps2_hflip0_128top128") == {}
    assert verify_pack(pack).differences == ()
    assert len(VimpacTokens(pack / "dalle_toy_train_fps2_hflip0_128top128")) == 0


def _first(dataset: VimpacTokens) -> str:
    return dataset[0][0]


def test_the_dataset_works_in_workers_and_beside_itself(tmp_path: Path) -> None:
    items = list(entries(6))
    pack = put_lmdb(tmp_path / "pack", items, context())
    folder = pack / "dalle_toy_train_fps2_hflip0_128top128"
    dataset, twin = VimpacTokens(folder), VimpacTokens(folder)
    got = {clip_id: (tokens, label) for clip_id, tokens, label in dataset}
    assert list(got) == sorted(item.clip_id for item in items)
    for item in items:
        tokens, label = got[item.clip_id]
        assert tokens.dtype == np.int16
        assert np.array_equal(tokens, item.arrays["128top"])
        assert label == (-1 if item.label is None else item.label)
    assert twin[0][0] == dataset[0][0]
    assert pickle.loads(pickle.dumps(dataset))[1][0] == dataset[1][0]
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(_first, [dataset, twin]) == [dataset[0][0]] * 2
