"""Tokens and ledgers do not depend on mode, workers, shards, batches or device path."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import reelpack.encode.single
from reelpack.clips.table import Clip
from reelpack.config.recipes import Product
from reelpack.encode.codes import CodesShard
from reelpack.encode.device_batches import PixelWriter
from reelpack.encode.single import decode_clip, encode_batches, encode_clip
from reelpack.encoders.interface import encode_batch
from reelpack.encoders.vqvae import VQVAEEncoder
from reelpack.frames.clip_pixels import EncodeSettings, read_pixels
from reelpack.frames.extract import extract_clip
from reelpack.jobs.ledger import read_ledger
from reelpack.jobs.stage import Task
from reelpack.video import decode, kept
from reelpack.video.index import read_index
from tests.support import workers
from tests.support.chain import Chain, tiny_model
from tests.support.clips import cut_file, damage_file, write_audio, write_clip

pytestmark = pytest.mark.usefixtures("warm_workers")

FRAMES = {"fps": "5", "shorter_side": 32, "scaler": "bicubic"}
NATIVE = {"every": True, "at_least": 4, "scaler": "bicubic"}


def crop(size, position="center", hflip=False):
    return {"size": size, "position": position, "hflip": hflip}


SETS = [Product(FRAMES, crop(32, "top")), Product(FRAMES, crop(24, hflip=True))]
STRICT = [Product(NATIVE, crop(40))]
JPEG = {"violet": 3, "scaler": "bicubic", "jpeg": 75}
PADDED = [Product(JPEG, {**crop(24), "fit": "pad"})]
PROGRAM = [
    Product({**FRAMES, "shorter_side": side, "decoder": "program"}, crop(24)) for side in (24, 32)
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("weights") / "model.safetensors")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Clips good and bad; the names say which."""
    folder = tmp_path_factory.mktemp("videos")
    write_clip(folder / "good.mp4", frames=23)
    write_clip(folder / "wide.mkv", frames=31, width=96, height=48)
    write_clip(folder / "small.mp4", frames=12, width=32, height=24)
    write_clip(folder / "short.mp4", frames=3)
    write_audio(folder / "sound.mp4")
    long = write_clip(folder / "long.mp4", frames=40, b_frames=0)
    small = write_clip(folder / "tiny.mp4", frames=40, b_frames=0, width=32, height=24)
    cut_file(long, folder / "cut.mp4", keep=0.7)
    damage_file(long, folder / "damaged.mp4", at=0.6)
    damage_file(small, folder / "damaged-and-small.mp4", at=0.6)
    (folder / "none.mp4").touch()
    return folder


def outcome(folder: Path, shards=1):
    """Return everything that a pack is made of: rows without keys, and tokens by clip."""
    rows, tokens = [], {}
    for number in range(shards):
        ledger = read_ledger(folder / f"{number:05d}.ledger.parquet")
        rows += [(row.clip_id, row.stage, row.failure, row.message) for row in ledger]
        codes = CodesShard(folder / f"{number:05d}.safetensors")
        good = [row.clip_id for row in ledger if row.ok]
        assert len(good) == len(codes)
        for place, clip_id in enumerate(good):
            tokens[clip_id] = [(a.dtype.str, a.shape, a.tobytes()) for a in codes.clip(place)]
    failed = sorted(row for row in rows if row[2])
    return failed, sorted(row[0] for row in rows), tokens


@pytest.mark.slow
@pytest.mark.parametrize(
    "sets", [SETS, STRICT, PADDED, PROGRAM], ids=["scaled", "native", "padded", "program"]
)
def test_streamed_is_staged(tmp_path, videos, weights, sets):
    chain = Chain(tmp_path, videos).clips()
    streamed = outcome(chain.encode(weights, sets, staged=False))
    staged = outcome(chain.encode(weights, sets, staged=True))
    assert streamed == staged
    failures = {row[0]: row[1:3] for row in streamed[0]}
    assert {"none", "sound"} <= set(failures)
    if sets is STRICT:
        assert failures["small"] == ("crop_frames", "too_small")
        assert failures["short"] == ("extract_frames", "too_short")
    assert failures["cut"] == ("download_shard", "corrupt")
    if sets is not PADDED:
        # A few frames before the damage are decoded without meeting it.
        assert failures["damaged"] == ("extract_frames", "decode")
        assert failures["damaged-and-small"] == failures["damaged"]
    assert "good" in streamed[2]


@pytest.fixture(scope="module")
def reference(tmp_path_factory, videos, weights):
    chain = Chain(tmp_path_factory.mktemp("reference"), videos).clips()
    folder = chain.encode(weights, SETS, staged=False)
    return chain, folder, outcome(folder)


def test_tokens_follow_the_pictures(reference):
    for tokens in reference[2][2].values():
        codes = np.frombuffer(tokens[0][2], dtype=tokens[0][0])
        assert len(np.unique(codes)) > 4
    assert len({str(tokens) for tokens in reference[2][2].values()}) == len(reference[2][2])


@pytest.mark.slow
def test_two_workers_give_the_same_bytes(tmp_path, videos, weights, reference):
    _, folder, _ = reference
    chain = Chain(tmp_path, videos, workers=2).clips()
    other = chain.encode(weights, SETS, staged=False)
    for name in ("00000.safetensors", "00000.ledger.parquet"):
        assert (other / name).read_bytes() == (folder / name).read_bytes()


def test_shards_do_not_show(tmp_path, videos, weights, reference):
    chain = Chain(tmp_path, videos, shards=2).clips()
    assert outcome(chain.encode(weights, SETS, staged=False), shards=2) == reference[2]


@pytest.mark.parametrize("staged", [False, True])
def test_an_empty_shard_works_through_all_stages(tmp_path, videos, weights, staged):
    (tmp_path / "list.csv").write_text(f"path\n{videos / 'good.mp4'}\n")
    chain = Chain(tmp_path, tmp_path / "list.csv", shards=2).clips()
    folder = chain.encode(weights, SETS[:1], staged=staged)
    sizes = [len(CodesShard(folder / f"{shard}.safetensors")) for shard in chain.shards]
    assert sorted(sizes) == [0, 1]
    empty = chain.shards[sizes.index(0)]
    assert read_ledger(folder / f"{empty}.ledger.parquet") == []


def test_a_second_run_decodes_nothing(videos, weights, reference, monkeypatch):
    chain, folder, _ = reference
    before = (folder / "00000.safetensors").read_bytes()

    def refuse(*_, **__):
        yield from ()
        raise AssertionError("nothing should be left to do")

    monkeypatch.setattr(reelpack.encode.single, "encode_clip", refuse)
    chain.encode(weights, SETS, staged=False)
    assert (folder / "00000.safetensors").read_bytes() == before


def test_other_weights_encode_again(tmp_path, videos, reference):
    chain, _, wanted = reference
    shutil.copytree(chain.folder, tmp_path / "copy")
    other = tiny_model(tmp_path / "other.safetensors", seed=4)
    found = outcome(Chain(tmp_path / "copy", videos).encode(other, SETS, staged=False))
    assert found[0] == wanted[0]
    assert all(found[2][clip_id] != wanted[2][clip_id] for clip_id in wanted[2])


def test_a_clip_whose_worker_dies_is_the_only_one_lost(tmp_path, videos, weights, monkeypatch):
    (tmp_path / "list.csv").write_text(
        f"path,clip_id\n{videos / 'good.mp4'},die\n{videos / 'wide.mkv'},lives\n"
    )
    chain = Chain(tmp_path, tmp_path / "list.csv").clips()
    monkeypatch.setattr(reelpack.encode.single, "encode_clip", workers.encode_or_die)
    failed, ids, tokens = outcome(chain.encode(weights, SETS, staged=False))
    message = "the worker process died on this clip (exit status 9)"
    assert failed == [("die", "encode_shard", "machine", message)]
    assert (ids, list(tokens)) == (["die", "lives"], ["lives"])


@pytest.mark.parametrize("batch", [5, 64])
def test_the_gpu_path_gives_the_cpus_tokens(
    tmp_path, videos, weights, reference, monkeypatch, batch
):
    encoder = VQVAEEncoder(weights, device="cpu")
    encoder.batch_size = batch
    monkeypatch.setattr(reelpack.encode.single, "_encoder", lambda *_: encoder)
    monkeypatch.setattr(
        reelpack.encode.single, "describe_software", lambda _: {"device": "pretended"}
    )
    chain = Chain(tmp_path, videos, workers=2).clips()
    found = outcome(chain.encode(weights, SETS, staged=False, device="cuda"))
    assert found == reference[2]
    journal = tmp_path / "journal" / "encoded" / "streamed" / "00000"
    assert not list(journal.glob("*.pixels"))


def test_batches_are_filled_across_clips(tmp_path):
    class Counting:
        name, batch_size, window, calls = "counting", 8, 1, 0

        def encode(self, frames):
            self.calls += 1
            assert frames.shape == (8, 4, 4, 3)
            return frames[:, :, :, 0].astype(np.int64)

    encoder, settings = Counting(), EncodeSettings({}, Path(), (SQUARE,), (), "cuda")
    tasks = [Task(None, str(n), tmp_path / f"{n}.clip", settings) for n in range(4)]
    for number, (task, count) in enumerate(zip(tasks, (3, 9, 1, 4), strict=True)):
        writer = PixelWriter(task.target, 1)
        for _ in range(count):
            writer.add([np.full((4, 4, 3), number, dtype=np.uint8)])
        writer.close()
    ended = list(encode_batches([(task, None) for task in tasks], encoder=encoder))
    assert [task.key for task, _ in ended] == ["0", "1", "2", "3"]
    assert encoder.calls == 3
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".clip"] * 4


SQUARE = Product({"every": True, "scaler": "bicubic", "square": 4}, None)


def test_long_clips_are_encoded_in_pieces(tmp_path, videos, weights):
    path = videos / "good.mp4"
    product = Product({"every": True, "square": 16, "scaler": "bicubic"}, None)
    settings = EncodeSettings({"name": "vqvae"}, weights, (product,), (), "cpu")
    clip = Clip("good", str(path), "", None, None)
    encode_clip(Task(clip, "k", tmp_path / "k.clip", settings))
    frames = [crops[0] for crops in read_pixels(clip, settings)]
    wanted = encode_batch(VQVAEEncoder(weights, device="cpu"), frames)
    np.testing.assert_array_equal(load_file(tmp_path / "k.clip")["00"], wanted)
    assert len(wanted) == 23


def test_frames_that_prove_wrong_late_begin_again_in_every_mode(
    tmp_path, videos, weights, monkeypatch
):
    product = Product({"every": True, "square": 16, "scaler": "bicubic"}, None)
    settings = EncodeSettings({"name": "vqvae"}, weights, (product,), (), "cpu")
    clip = Clip("long", str(videos / "long.mp4"), "", None, None)

    def results(folder):
        folder.mkdir()
        for work, given in (
            (encode_clip, settings),
            (decode_clip, settings),
            (extract_clip, product),
        ):
            work(Task(clip, work.__name__, folder / f"{work.__name__}.clip", given))
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def read_wrong_index(*call, **options):
        index = read_index(*call, **options)
        stamps = index.packet_pts.copy()
        stamps[[35, 36]] = stamps[[36, 35]]
        half = {"pts": index.pts[::2], "durations": 2 * index.durations[::2]}
        return dataclasses.replace(index, packet_pts=stamps, **half)

    right = results(tmp_path / "right")
    for found in ("INDEXED", "DECODED"):
        monkeypatch.setattr(kept, found, kept.KeptIndexes())
    monkeypatch.setattr(decode, "HELD_BYTES", 2000)
    monkeypatch.setattr(decode, "read_index", read_wrong_index)
    with pytest.raises(decode.ContradictionError):
        list(read_pixels(clip, settings))
    assert results(tmp_path / "wrong") == right
    assert len(right) == 3
