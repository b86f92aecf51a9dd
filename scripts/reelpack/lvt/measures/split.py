"""measure_codes: all measures of a split's codes, as one JSON object and one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from reelpack.clips.table import Clip, read_clips
from reelpack.config.recipes import product_of
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError, UserError
from reelpack.core.evenly import evenly
from reelpack.core.files import sha256_file
from reelpack.encode.codes import CodesShard
from reelpack.encode.single import describe_software
from reelpack.encoders.vqvae import VQVAEEncoder
from reelpack.frames.clip_pixels import EncodeSettings
from reelpack.images.contact_sheet import contact_sheet
from reelpack.jobs.device import set_deterministic
from reelpack.lvt.measures.choice import ChosenClip, choose_clips
from reelpack.lvt.measures.codebooks import count_codes, describe_codebooks
from reelpack.lvt.measures.reconstruction import ErrorSums, compare

CLIPS = 64
FRAMES = 16
SHOWN_CLIPS = 6
SHOWN_FRAMES = 8
_THUMB_HEIGHT = 72
_CHOICE = (
    f"reconstruction: at most {CLIPS} finished clips, evenly spaced in list order, and at most"
    f" {FRAMES} frames of each, evenly spaced; codebooks: all codes of all clips"
)


@dataclass(frozen=True)
class ClipLook:
    """What was seen of a chosen clip.

    Attributes:
        errors: of each crop set; empty where the clip is left out.
        left_out: why it could not be compared, "" when it could.
        shown: frames of one crop set as they were given and as they are made, for the sheet.
    """

    clip_id: str
    errors: list[ErrorSums]
    left_out: str = ""
    shown: tuple[Frame, Frame] | None = None


@dataclass(frozen=True)
class SplitFiles:
    """Where a split's files lie.

    Attributes:
        manifest: `manifest.parquet`.
        codes: folder of codes shards and their ledgers.
        clips: folder of clip tables.
        pixels: folders of staged shards, one per crop set; none where clips are decoded.
        shards: number of shards.
    """

    manifest: Path
    codes: Path
    clips: Path
    pixels: tuple[Path, ...]
    shards: int

    @property
    def names(self) -> list[str]:
        """Names of the shards."""
        return [f"{number:05d}" for number in range(self.shards)]

    def list_codes(self, ending: str) -> list[Path]:
        """Return the codes shards, `safetensors`, or their ledgers, `ledger.parquet`."""
        return [self.codes / f"{name}.{ending}" for name in self.names]


def measure_split(
    files: SplitFiles, *, weights: Path, params: Mapping[str, Any], device: str
) -> tuple[dict[str, Any], Image.Image]:
    """Measure a split's codes.

    Args:
        files: where the split lies.
        weights: the VQ-VAE's safetensors file.
        params: measure_codes' result, see `Settings.measure_result`.
        device: "cpu" or "cuda".

    Returns:
        The measures as JSON values, and a picture: frames of a few clips, and below them what the
        model makes of their codes.

    Raises:
        DamagedError: a file cannot be read.
        UserError: files do not belong together.
    """
    set_deterministic()
    codec = VQVAEEncoder(weights, device=device)
    sizes = codec.model.architecture
    products = tuple(product_of(result) for result in params["encoded"]["pixels"])
    settings = EncodeSettings(params["encoded"]["encoder"], weights, products, (), device)
    chosen, total = choose_clips(files.manifest, files.list_codes("ledger.parquet"), CLIPS)
    looks = _look_at(chosen, files, settings, codec)
    counts = count_codes(
        files.list_codes("safetensors"), codebooks=sizes.codebooks, codes=sizes.codes
    )
    names = [product.name.replace("/", "_") for product in products]
    values = {
        "choice": _CHOICE,
        "clips": {
            "finished": total,
            "chosen": len(chosen),
            "left_out": [
                {"clip_id": look.clip_id, "reason": look.left_out}
                for look in looks
                if look.left_out
            ],
        },
        "reconstruction": _collect_figures([look for look in looks if look.errors], names),
        "codebooks": describe_codebooks(counts),
        "made_with": {**describe_software(device), "weights_sha256": sha256_file(weights)},
    }
    return values, _make_sheet(looks, names)


def _look_at(
    chosen: Sequence[ChosenClip], files: SplitFiles, settings: EncodeSettings, codec: VQVAEEncoder
) -> list[ClipLook]:
    """Look at clips shard by shard, since opening one reads all of its index."""
    weights_sha256 = sha256_file(settings.weights)
    shown = evenly(chosen, SHOWN_CLIPS)
    looks: dict[ChosenClip, ClipLook] = {}
    for number in sorted({clip.shard for clip in chosen}):
        name = files.names[number]
        staged = tuple(folder / f"{name}.tar" for folder in files.pixels)
        codes = CodesShard(files.codes / f"{name}.safetensors")
        if codes.made_with["weights_sha256"] != weights_sha256:
            raise UserError(f"{codes.path}: was made with another model than {settings.weights}")
        table = {clip.clip_id: clip for clip in read_clips(files.clips / f"{name}.parquet")}
        for clip in chosen:
            if clip.shard == number:
                looks[clip] = _look(
                    table[clip.clip_id],
                    codes.clip(clip.number),
                    replace(settings, shards=staged),
                    codec,
                    shown_as=shown.index(clip) if clip in shown else None,
                )
    return [looks[clip] for clip in chosen]


def _look(
    clip: Clip,
    codes: Sequence[Any],
    settings: EncodeSettings,
    codec: VQVAEEncoder,
    *,
    shown_as: int | None,
) -> ClipLook:
    """Compare one clip; the sheet's rows take the crop sets in turn."""
    try:
        pairs = compare(clip, codes, settings, codec=codec, most=FRAMES)
    except ClipError as error:
        return ClipLook(clip.clip_id, [], left_out=str(error))
    shown = None if shown_as is None else pairs[shown_as % len(pairs)]
    return ClipLook(clip.clip_id, [ErrorSums.between(*pair) for pair in pairs], shown=shown)


def _collect_figures(looks: Sequence[ClipLook], names: Sequence[str]) -> dict[str, Any]:
    sets = [sum((look.errors[n] for look in looks), ErrorSums()) for n in range(len(names))]
    return {
        **sum(sets, ErrorSums()).compute_figures(),
        "crop_sets": [
            {"name": name, **errors.compute_figures()}
            for name, errors in zip(names, sets, strict=True)
        ],
        "clips": [
            {"clip_id": look.clip_id, **sum(look.errors, ErrorSums()).compute_figures()}
            for look in looks
        ],
    }


def _make_sheet(looks: Sequence[ClipLook], names: Sequence[str]) -> Image.Image:
    rows: list[tuple[str, Sequence[Frame]]] = []
    for number, look in enumerate(evenly(looks, SHOWN_CLIPS)):
        if look.shown is None:
            rows.append((f"{look.clip_id} - left out: {look.left_out}", []))
            continue
        given, made = (list(frames) for frames in look.shown)
        rows.append((f"{look.clip_id} - {names[number % len(names)]}", given))
        rows.append(("from its codes", made))
    if not rows:
        rows.append(("no clip is finished", []))
    return contact_sheet(rows, columns=SHOWN_FRAMES, thumb_height=_THUMB_HEIGHT)
