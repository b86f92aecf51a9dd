"""Results as a run leaves them: a finished dataset and one on its way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from reelpack.clips.table import Clip, write_clips
from reelpack.core.files import sha256_file
from reelpack.encode.codes import clip_bytes, join_codes
from reelpack.encoders.vqvae import VQVAE, Architecture, save_model
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.lists.manifest import MANIFEST_COLUMNS
from reelpack.packs.write import write_pack
from reelpack.report.page import render_report
from tests.support.clips import write_clip
from tests.support.helpers import ROOT

CODES = 32
HOSTILE = "<script>document.title='taken'</script>\"'&amp;"
PIXELS = "https://example.org/leak.png"
FRAMES = {"fps": "5", "shorter_side": 32, "scaler": "bicubic"}
CROP = {"size": 32, "position": "center", "hflip": False}
CARD = {
    "frames": FRAMES,
    "crop": CROP,
    "encoder": {"name": "vqvae", "model": "tiny"},
    "pack": {"format": "lvt_codes"},
}
MODEL = {"architecture": {"codes": CODES}}
PARAMS = {
    "stage": "write_pack",
    "dataset": "alpha",
    "split": "all",
    "recipe": "codes",
    "card": CARD,
    "format_version": 1,
    "encoded": {"weights": {"model": MODEL}},
    "shards": 2,
    "max_failed": 0.9,
}
ALPHA = {
    0: {"one/good": "ok", "two/gone": "gone", "three/late": "timeout"},
    1: {"four/good": "ok", HOSTILE: "corrupt"},
}
MANY = 70
NONE = "\N{EN DASH}"


def write_verdicts(path: Path, clips: dict[str, str], stage: str, digests=None) -> None:
    rows = [
        LedgerRow(clip, stage, "ok", digest=(digests or {}).get(clip, ""))
        if failure == "ok"
        else LedgerRow(clip, "download_shard", "failed", failure, f"<img src={PIXELS}> {failure}")
        for clip, failure in clips.items()
    ]
    write_ledger(rows, path)


def make_list(split: Path, shards: dict[int, list[str]]) -> None:
    rows = [(clip, shard) for shard, clips in shards.items() for clip in clips]
    table = pd.DataFrame(rows, columns=["clip_id", "shard"])
    table = table.reindex(columns=MANIFEST_COLUMNS.names).assign(captions=[[]] * len(rows))
    split.mkdir(parents=True)
    pq.write_table(
        pa.Table.from_pandas(table, MANIFEST_COLUMNS, preserve_index=False),
        split / "manifest.parquet",
    )
    (split / "shards").mkdir()
    for shard in shards:
        (split / "shards" / f"{shard:05d}.parquet").touch()


def write_benchmark(path: Path, seconds: str, rss: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{rss}\n")


def write_codes(path: Path, clips: list[str], folder: Path, model: Path) -> dict[str, str]:
    """Write a codes shard and return the digests that its ledger holds."""
    rng = np.random.default_rng(len(clips[0]))
    files = []
    for number, clip in enumerate(clips):
        tokens = rng.integers(0, CODES // 2, (5, 1, 8, 8))
        part = folder / f"{path.stem}.{number}"
        part.write_bytes(clip_bytes([tokens]))
        files.append((clip, part))
    path.parent.mkdir(parents=True, exist_ok=True)
    join_codes(path, files, made_with={"weights_sha256": sha256_file(model)})
    return {clip: sha256_file(part) for clip, part in files}


def make_alpha(run: Path) -> None:
    """A finished dataset: two shards, all stages, a pack, a model."""
    model = run / "resources" / "models" / "alpha" / "tiny"
    model.mkdir(parents=True)
    weights = model / "model.safetensors"
    torch.manual_seed(1)
    save_model(
        VQVAE(Architecture(filters=8, residual_channels=4, layers=1, codebooks=1, codes=CODES)),
        weights,
    )
    split = run / "results" / "alpha" / "all"
    make_list(split, {shard: list(clips) for shard, clips in ALPHA.items()})
    for shard, clips in ALPHA.items():
        for place, stage in (("downloads", "download_shard"), ("clips", "trim_shard")):
            write_verdicts(split / place / f"{shard:05d}.ledger.parquet", clips, stage)
        encoded = split / "encoded" / "codes"
        good = [clip for clip, failure in clips.items() if failure == "ok"]
        digests = write_codes(encoded / f"{shard:05d}.safetensors", good, run, weights)
        write_verdicts(encoded / f"{shard:05d}.ledger.parquet", clips, "encode_shard", digests)
        video = write_clip(run / f"{shard}.mp4", frames=30, width=64, height=48)
        write_clips(
            [Clip(good[0], str(video), "cd" * 32, None, None)],
            split / "clips" / f"{shard:05d}.parquet",
        )
        write_benchmark(
            run / f"benchmarks/encode_shard/alpha/all/codes/{shard:05d}.tsv", "2.5", "10.5"
        )
    write_benchmark(run / "benchmarks/make_demo.tsv", "NA", "NA")
    write_pack(
        split / "manifest.parquet",
        [split / "encoded" / "codes"],
        params=PARAMS,
        folder=split / "packs" / "codes",
    )
    write_measures(split)
    (model / "metrics.csv").write_text("step,loss,empty\n1,8.0,\n2,4.0,\n3,nan,\n4,2.0,\n")
    (model / "reconstructions.png").write_bytes(b"no picture")


def write_measures(split: Path) -> None:
    """Measures of two crop sets, one of them without error, and of two codebooks."""
    figures = {"frames": 1234, "mse": 0.00725, "mae_255": 7.661, "psnr_db": 27.4123}
    exact = {"frames": 1234, "mse": 0.0, "mae_255": 0.0, "psnr_db": None}
    sets = [{"name": "first", **figures}, {"name": "second", **exact}]
    clips = [{"clip_id": "one/good", **figures}]
    use = {"size": 512, "used": 490, "perplexity": 356.2, "top_share": 0.0125, "counted": 61184}
    values = {
        "clips": {
            "finished": 2,
            "chosen": 2,
            "left_out": [{"clip_id": HOSTILE, "reason": "missing: no such file"}],
        },
        "reconstruction": {**figures, "frames": 2468, "crop_sets": sets, "clips": clips},
        "codebooks": [{"codebook": number, **use} for number in (0, 1)],
    }
    folder = split / "measures"
    folder.mkdir()
    (folder / "codes.json").write_text(json.dumps(values))
    Image.new("RGB", (40, 30)).save(folder / "codes.png")


def make_beta(run: Path) -> None:
    """A dataset in the middle of its run: one shard of two, many failures."""
    split = run / "results" / "beta" / "train"
    clips = {f"clip{number}": "network" for number in range(MANY)}
    make_list(split, {0: list(clips), 1: ["later"]})
    write_verdicts(split / "downloads" / "00000.ledger.parquet", clips, "download_shard")


def make_page(run: Path, base: Path = ROOT, asked: object = None) -> str:
    return render_report(
        run / "results",
        models=run / "resources" / "models",
        transformers=run / "resources" / "transformers",
        benchmarks=run / "benchmarks",
        base=base,
        asked=asked or {},
    )
