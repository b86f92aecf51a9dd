"""write_pack: from the codes shards of a split to a published pack, in list order.

Flows in: the manifest for the order, codes shards and ledgers. Flows out: see `packs.publish`.
"""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from . import __version__
from .codes import CodesShard, clip_bytes
from .errors import DamagedError, UserError
from .files import reading
from .ledger import LedgerRow
from .packs import Entry, PackContext, Variant, get_format, publish
from .recipes import Product, products

_BATCH_ROWS = 65536
_LEDGER_ROWS = 64


def variant_of(product: Product) -> Variant:
    """Return a crop set as packs name it."""
    crop = product.crop or {}
    return Variant(
        name=product.name.replace("/", "_"),
        shorter_side=product.frames.get("shorter_side"),
        square=product.frames.get("square"),
        **crop,
    )


class SplitCodes:
    """The codes of a whole split, read shard by shard as the list asks for them.

    Args:
        encoded: folder of `{shard}.safetensors` and `{shard}.ledger.parquet`.
        shards: number of shards.

    Raises:
        DamagedError: a codes shard or a ledger cannot be read.
        UserError: a codes shard and its ledger do not belong together.
    """

    def __init__(self, encoded: Path, shards: int) -> None:
        _allow_open_files(shards)
        names = [f"{number:05d}" for number in range(shards)]
        self._paths = [encoded / f"{name}.safetensors" for name in names]
        self._codes = [CodesShard(path) for path in self._paths]
        self._ledgers = [read_rows(encoded / f"{name}.ledger.parquet") for name in names]
        for name, codes, ledger in zip(names, self._codes, self._ledgers, strict=True):
            if len(codes) != ledger["status"].to_pylist().count("ok"):
                raise UserError(f"{encoded / name}: codes and ledger do not belong together")

    @property
    def made_with(self) -> list[dict[str, str]]:
        """What the tokens were made with; one entry unless shards differ."""
        seen = {tuple(sorted(shard.made_with.items())) for shard in self._codes}
        return [dict(items) for items in sorted(seen)]

    def failures(self, manifest: Path) -> Iterator[dict[str, Any]]:
        """Yield the failed clips with their place in the list, in list order.

        Raises:
            UserError: shards and manifest do not belong together.
        """
        for order, clip, row in self._walk(manifest):
            if not row.ok:
                yield {
                    "clip_id": clip["clip_id"],
                    "order": order,
                    "stage": row.stage,
                    "class": row.failure,
                    "message": row.message,
                }

    def _walk(self, manifest: Path) -> Iterator[tuple[int, dict[str, Any], LedgerRow]]:
        """Yield the clips in list order with their places and ledger rows."""
        ledgers = [_rows(ledger) for ledger in self._ledgers]
        for order, clip in enumerate(read_manifest(manifest)):
            row = next(ledgers[clip["shard"]], None) if clip["shard"] < len(ledgers) else None
            if row is None or row.clip_id != clip["clip_id"]:
                raise self._other_list(manifest, clip["shard"])
            yield order, clip, row
        for shard, rest in enumerate(ledgers):
            if next(rest, None) is not None:
                raise self._other_list(manifest, shard)

    def _other_list(self, manifest: Path, shard: int) -> UserError:
        return UserError(f"{manifest}: shard {shard:05d} was made from another list")

    def entries(self, manifest: Path, names: list[str]) -> Iterator[Entry]:
        """Yield the finished clips in list order.

        Args:
            manifest: `manifest.parquet`.
            names: names of the crop sets.

        Raises:
            DamagedError: tokens are not those that the ledger holds the checksum of.
            UserError: shards and manifest do not belong together.
        """
        taken = [0] * len(self._codes)
        for order, clip, row in self._walk(manifest):
            if row.ok:
                shard = clip["shard"]
                tokens = self._codes[shard].clip(taken[shard])
                taken[shard] += 1
                if hashlib.sha256(clip_bytes(tokens)).hexdigest() != row.digest:
                    raise DamagedError(str(self._paths[shard]), f"tokens of {row.clip_id} changed")
                arrays = dict(zip(names, tokens, strict=True))
                yield Entry(
                    clip["clip_id"],
                    order,
                    clip["label"],
                    clip["caption"],
                    arrays,
                    label_name=clip["label_name"],
                    captions=tuple(clip["captions"] or ()),
                    video=clip["video"],
                )


def read_rows(path: Path) -> pa.Table:
    """Read a ledger as a table."""
    with reading(path):
        return pq.read_table(path)


def _rows(ledger: pa.Table) -> Iterator[LedgerRow]:
    # All shards are walked at once, so each gives few rows at a time.
    for batch in ledger.to_batches(_LEDGER_ROWS):
        for row in batch.to_pylist():
            yield LedgerRow(**row)


def read_manifest(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a manifest in list order."""
    with reading(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, soft), hard))


def write_pack(
    manifest: Path, encoded: Path, *, params: Mapping[str, Any], folder: Path
) -> dict[str, int]:
    """Write and publish a split's pack.

    Args:
        manifest: the split's `manifest.parquet`.
        encoded: folder of its codes shards and ledgers.
        params: write_pack's result, see `Settings.pack_result`.
        folder: the pack's place.

    Returns:
        The counts of clips, entries and failures.

    Raises:
        UserError: more than max_failed of the split is missing.
    """
    card = params["card"]
    variants = tuple(variant_of(product) for product in products(card))
    fps = str(Fraction(str(card["frames"]["fps"]))) if "fps" in card["frames"] else None
    context = PackContext(
        params["dataset"],
        params["split"],
        params["recipe"],
        fps,
        variants,
        settings={**card, **card["pack"]},
    )
    codes = SplitCodes(encoded, params["shards"])
    result = {key: value for key, value in params.items() if key not in ("shards", "max_failed")}
    return publish(
        folder,
        get_format(card["pack"]["format"]),
        codes.entries(manifest, [variant.name for variant in variants]),
        context,
        failures=codes.failures(manifest),
        provenance={"reelpack": __version__, "result": result, "made_with": codes.made_with},
        expected=pq.ParquetFile(manifest).metadata.num_rows,
        max_failed=params["max_failed"],
    )
