"""The stages one after another in a folder, as the workflow runs them, for tests of several modules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from reelpack.clips.download import download_shard
from reelpack.clips.trim import trim_shard
from reelpack.config.recipes import Product
from reelpack.core.results import canonical
from reelpack.encode.encode import encode_shard
from reelpack.encoders.vqvae import VQVAE, Architecture, save_model, to_signed
from reelpack.frames.clip_pixels import EncodeSettings
from reelpack.frames.extract import CROP, EXTRACT, CropSettings, run_frames
from reelpack.jobs.retries import Retries
from reelpack.lists.manifest import make_manifest
from tests.support.clips import picture


def tiny_model(path: Path, *, seed: int = 3) -> Path:
    """Write a VQ-VAE whose codes are features of a picture, so that its tokens follow what is seen."""
    torch.manual_seed(seed)
    model = VQVAE(Architecture(filters=8, residual_channels=4, layers=1, codebooks=2, codes=16))
    seen = torch.from_numpy(np.stack([picture(number, 64, 48) for number in range(2)]))
    with torch.no_grad():
        vectors = model.codebook.split(model.encoder(to_signed(seen)))
        for part, of_part in zip(model.codebook.parts(), vectors, strict=True):
            part.embedding.weight.copy_(of_part[torch.randperm(len(of_part))[:16]])
    save_model(model, path)
    return path


class Chain:
    """One split of own videos below a folder."""

    def __init__(self, folder: Path, videos: Path, *, shards: int = 1, workers: int = 1) -> None:
        self.folder, self.videos, self.workers = folder, videos, workers
        self.shards = [f"{number:05d}" for number in range(shards)]
        self.manifest = folder / "manifest.parquet"

    def common(self, stage: str, shard: str, ending: str) -> dict:
        """Return the arguments that all clip-by-clip stages take."""
        return {
            "retries": Retries(),
            "journal": self.folder / "journal" / stage / shard,
            "output": self.folder / stage / f"{shard}.{ending}",
            "ledger": self.folder / stage / f"{shard}.ledger.parquet",
            "workers": self.workers,
        }

    def clips(self) -> Chain:
        """Run make_manifest, download_shard and trim_shard."""
        tables = [self.folder / "shards" / f"{shard}.parquet" for shard in self.shards]
        make_manifest(
            self.videos, split="all", by_split=False, manifest=self.manifest, tables=tables
        )
        for shard, table in zip(self.shards, tables, strict=True):
            probes = self.folder / "download" / shard
            download_shard(table, result="d", **self.common("download", shard, "parquet"))
            trim_shard(
                table,
                probes=probes.with_suffix(".parquet"),
                earlier=probes.with_suffix(".ledger.parquet"),
                result="t",
                output=self.folder / "clips" / f"{shard}.parquet",
                ledger=self.folder / "clips" / f"{shard}.ledger.parquet",
            )
        return self

    def stage(self, shard: str, product: Product) -> str:
        """Run extract_frames and crop_frames; return the crop stage's folder."""
        clips = self.folder / "clips" / f"{shard}.parquet"
        frames, crops = f"frames/{product.sampling_slug}", f"crops/{product.name}"
        whole = Product(product.frames, None)
        run_frames(
            EXTRACT,
            clips,
            earlier=clips.with_suffix(".ledger.parquet"),
            settings=whole,
            result=canonical(dict(whole.frames)),
            **self.common(frames, shard, "tar"),
        )
        run_frames(
            CROP,
            clips,
            earlier=self.folder / frames / f"{shard}.ledger.parquet",
            settings=CropSettings(self.folder / frames / f"{shard}.tar", product),
            result=product.name,
            **self.common(crops, shard, "tar"),
        )
        return crops

    def encode(
        self, weights: Path, products: list[Product], *, staged: bool, device: str = "cpu"
    ) -> Path:
        """Run encode_shard on all shards; return the folder of its outputs."""
        name = "encoded/" + ("staged" if staged else "streamed")
        for shard in self.shards:
            earlier = [self.folder / "clips" / f"{shard}.ledger.parquet"]
            pixels: list[Path] = []
            if staged:
                places = [self.folder / self.stage(shard, product) for product in products]
                pixels = [place / f"{shard}.tar" for place in places]
                earlier = [place / f"{shard}.ledger.parquet" for place in places]
            encode_shard(
                self.folder / "clips" / f"{shard}.parquet",
                earlier=earlier,
                settings=EncodeSettings(
                    {"name": "vqvae"}, weights, tuple(products), tuple(pixels), device
                ),
                result="e",
                **self.common(name, shard, "safetensors"),
            )
        return self.folder / name
