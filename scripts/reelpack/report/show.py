"""Packs for people: where they are, what is in them, and pictures of a few clips.

Flows in: the results folder of one dataset. Flows out: one line of counts, sampled clips, and one
contact sheet per pack.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from reelpack.clips.table import Clip
from reelpack.config.recipes import products
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError
from reelpack.core.files import sha256_file
from reelpack.frames.clip_pixels import EncodeSettings, read_pixels
from reelpack.images.contact_sheet import contact_sheet, token_image
from reelpack.images.files import decode_picture
from reelpack.packs import AUDIO, PackEntry, Pictures, get_format

SHOWN_CLIPS = 6
SHOWN_FRAMES = 8
_LARGEST_STEP = 20


@dataclass(frozen=True)
class PackView:
    """A published pack.

    Attributes:
        folder: `results/{dataset}/{split}/packs/{recipe}`.
        provenance: its provenance.json.
    """

    folder: Path
    provenance: dict[str, Any]

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe it was made by."""
        card: dict[str, Any] = self.provenance["result"]["card"]
        return card

    @property
    def split(self) -> Path:
        """The results folder of its split."""
        return self.folder.parent.parent

    def failures(self) -> Counter[str]:
        """Count the failed clips by class."""
        with (self.folder / "failures.csv").open(encoding="utf-8", newline="") as stream:
            return Counter(row["class"] for row in csv.DictReader(stream))

    def line(self) -> str:
        """Return one line: place, clips, failures by class."""
        counts = self.provenance["counts"]
        failed = ", ".join(f"{number} {name}" for name, number in sorted(self.failures().items()))
        note = f" ({failed})" if failed else ""
        done = f"{counts['entries']} of {counts['clips']} clips, {counts['failed']} failed{note}"
        return f"{self.folder}: {done}"


@dataclass(frozen=True)
class SampledClip:
    """One clip of a pack, to be looked at.

    Attributes:
        variant: the crop set that its tokens belong to.
        frames: its first frames as the encoder saw them, uint8[H, W, 3]; empty when the video is
            not there any more.
        decoded: what the pack keeps of them, one picture per frame: its pictures, or what its tokens
            stand for.
        made_by_model: whether `decoded` are a model's reconstructions, else false colours.
        note: why there are no frames, "" when there are.
    """

    clip_id: str
    variant: str
    frames: list[Frame]
    decoded: list[Frame]
    made_by_model: bool
    note: str = ""


def find_packs(results: Path) -> Iterator[PackView]:
    """Yield the published packs below a folder, in sorted order."""
    for path in sorted(results.glob("**/packs/*/provenance.json")):
        yield PackView(path.parent, json.loads(path.read_bytes()))


def read_samples(view: PackView, models: Path) -> Iterator[SampledClip]:
    """Yield a few clips of a pack with what it keeps of them.

    The pictures of a pack of frames; of tokens, with the very VQ-VAE that gave them, its
    reconstruction, else a picture of the tokens in false colours; nothing for features.

    Args:
        view: the pack.
        models: `resources/models`.
    """
    entries = _spread_entries(view)
    clips = _find_clips(view.split, {entry.clip_id for entry in entries})
    weights = _find_weights(view, models)
    decode = _make_decoder(weights) if weights else _draw_false_colours
    for entry in entries:
        frames: list[Frame] = []
        note = ""
        try:
            if entry.clip_id in clips:
                frames = _decode_frames(clips[entry.clip_id], view, entry.variant)
            else:
                note = "no clip table names it any more"
        except ClipError as error:
            note = str(error)
        decoded = _decode_entry(entry, decode)
        yield SampledClip(entry.clip_id, entry.variant, frames, decoded, weights is not None, note)


def _decode_entry(entry: PackEntry, decode: Callable[[Any], list[Frame]]) -> list[Frame]:
    if isinstance(entry.array, Pictures):
        return [decode_picture(data) for data in entry.array]
    tokens = entry.array[:SHOWN_FRAMES]
    return decode(tokens) if tokens.dtype.kind in "iu" and tokens.ndim in (3, 4) else []


def draw_sheet(view: PackView, models: Path) -> Image.Image:
    """Draw a few clips of a pack: the frames, and below them what the pack keeps of these.

    Args:
        view: the pack.
        models: `resources/models`.
    """
    rows: list[tuple[str, list[Frame]]] = []
    kept = "from its tokens" if view.recipe.get("encoder") else "in the pack"
    for sample in read_samples(view, models):
        note = f" - {sample.note}" if sample.note else ""
        rows.append((f"{sample.clip_id} - {sample.variant}{note}", sample.frames))
        rows.append((kept, sample.decoded))
    return contact_sheet(rows, columns=SHOWN_FRAMES, thumb_height=64)


def _spread_entries(view: PackView) -> list[PackEntry]:
    """Take entries evenly spread over a small pack, and over the first ones of a large pack."""
    step = min(max(view.provenance["counts"]["entries"] // SHOWN_CLIPS, 1), _LARGEST_STEP)
    entries = get_format(view.provenance["format"]).read(view.folder)
    good = (entry for entry in entries if isinstance(entry, PackEntry) and entry.variant != AUDIO)
    return [_keep_shown(entry) for entry in itertools.islice(good, 0, step * SHOWN_CLIPS, step)]


def _keep_shown(entry: PackEntry) -> PackEntry:
    """Return an entry whose first pictures are in memory: the pack is closed when they are drawn."""
    if not isinstance(entry.array, Pictures):
        return entry
    shown = [entry.array[number] for number in range(min(SHOWN_FRAMES, len(entry.array)))]
    return replace(entry, array=Pictures(len(shown), shown.__getitem__))


def _find_clips(split: Path, wanted: Collection[str]) -> dict[str, Clip]:
    """Look clips up table by table, so that memory does not grow with the dataset."""
    found: dict[str, Clip] = {}
    for table in sorted((split / "clips").glob("*.parquet")):
        if len(found) == len(wanted):
            break
        if not table.name.endswith(".ledger.parquet"):
            rows = pq.read_table(table, filters=[("clip_id", "in", wanted)]).to_pylist()
            found |= {row["clip_id"]: Clip(**row) for row in rows}
    return found


def _find_weights(view: PackView, models: Path) -> Path | None:
    """Find the model that a pack was made with; one trained again since would decode nonsense."""
    model = (view.recipe.get("encoder") or {}).get("model")
    if model is None:
        return None
    wanted = {made.get("weights_sha256") for made in view.provenance["made_with"]}
    paths = sorted(models.glob(f"*/{model}/model.safetensors"))
    return next((path for path in paths if sha256_file(path) in wanted), None)


def _decode_frames(clip: Clip, view: PackView, variant: str) -> list[Frame]:
    chosen = [p for p in products(view.recipe) if p.name.replace("/", "_") == variant]
    settings = EncodeSettings({}, Path(), tuple(chosen), (), "cpu")
    return [crops[0] for crops in itertools.islice(read_pixels(clip, settings), SHOWN_FRAMES)]


def _make_decoder(weights: Path) -> Any:
    from reelpack.encoders.vqvae import VQVAEEncoder

    model = VQVAEEncoder(weights, device="cpu")

    def decode(tokens: Any) -> list[Frame]:
        codes = tokens[:, None] if tokens.ndim == 3 else tokens
        return list(model.decode(codes.astype(np.int64)))

    return decode


def _draw_false_colours(tokens: Any) -> list[Frame]:
    maps = tokens if tokens.ndim == 3 else tokens[:, 0]
    return [token_image(one, vocabulary=int(tokens.max()) + 1) for one in maps]
