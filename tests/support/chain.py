"""The stages one after another in a folder, as the workflow runs them, for tests of several modules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reelpack.clips.download import download_shard
from reelpack.clips.trim import trim_shard
from reelpack.config.recipes import Product
from reelpack.core.results import canonical
from reelpack.encode.single import encode_shard
from reelpack.encoders.vqvae import VQVAE, Architecture, save_model, to_signed
from reelpack.frames.clip_pixels import EncodeSettings
from reelpack.frames.extract import CROP, EXTRACT, CropSettings, run_frames
from reelpack.frames.images import IMAGES, ImageSettings
from reelpack.jobs.job import Job
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

    def job(self, stage: str, output: str, result: str, *earlier: str) -> Job:
        """Return a job of a stage: `output` is its shard and ending, `earlier` are stages before."""
        shard = output.split(".")[0]
        return Job(
            result=result,
            output=self.folder / stage / output,
            ledger=self.ledger(stage, shard),
            journal=self.folder / "journal" / stage / shard,
            earlier=tuple(self.ledger(name, shard) for name in earlier),
            workers=self.workers,
        )

    def ledger(self, stage: str, shard: str) -> Path:
        """Return where a stage's ledger lies."""
        return self.folder / stage / f"{shard}.ledger.parquet"

    def clips(self) -> Chain:
        """Run make_manifest, download_shard and trim_shard."""
        tables = [self.folder / "shards" / f"{shard}.parquet" for shard in self.shards]
        make_manifest(
            self.videos, split="all", by_split=False, manifest=self.manifest, tables=tables
        )
        for shard, table in zip(self.shards, tables, strict=True):
            probing = self.job("download", f"{shard}.parquet", "d")
            download_shard(table, probing)
            trim_shard(
                table, probing.output, self.job("clips", f"{shard}.parquet", "t", "download")
            )
        return self

    def stage(self, shard: str, product: Product) -> str:
        """Run extract_frames and crop_frames; return the crop stage's folder."""
        clips = self.folder / "clips" / f"{shard}.parquet"
        frames, crops = f"frames/{product.sampling_slug}", f"crops/{product.name}"
        whole = Product(product.frames, None)
        extracting = self.job(frames, f"{shard}.tar", canonical(dict(whole.frames)), "clips")
        run_frames(EXTRACT, clips, whole, extracting)
        settings = CropSettings(extracting.output, product)
        run_frames(CROP, clips, settings, self.job(crops, f"{shard}.tar", product.name, frames))
        return crops

    def images(self, name: str, result: Mapping[str, Any]) -> Path:
        """Run encode_images on all shards; return the folder of its outputs."""
        folder = f"images/{name}"
        for shard in self.shards:
            clips = self.folder / "clips" / f"{shard}.parquet"
            job = self.job(folder, f"{shard}.tar", canonical(result), "clips")
            run_frames(IMAGES, clips, ImageSettings.of(result), job)
        return self.folder / folder

    def encode(
        self, weights: Path, products: list[Product], *, staged: bool, device: str = "cpu"
    ) -> Path:
        """Run encode_shard on all shards; return the folder of its outputs."""
        name = "encoded/" + ("staged" if staged else "streamed")
        for shard in self.shards:
            crops = [self.stage(shard, product) for product in products] if staged else []
            pixels = tuple(self.folder / crop / f"{shard}.tar" for crop in crops)
            encode_shard(
                self.folder / "clips" / f"{shard}.parquet",
                EncodeSettings({"name": "vqvae"}, weights, tuple(products), pixels, device),
                self.job(name, f"{shard}.safetensors", "e", *(crops or ["clips"])),
            )
        return self.folder / name
