"""Packs of many small token clips: writing and reading, against the LMDB that VIMPAC reads.

A pack is published as a job does it: digests, checksums and rename with it; writing is told in clips
per second of CPU time, so that what else runs does not show. Each format runs in a process of its own;
memory is by how much that one grows while it writes.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.pack_formats [CLIPS]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, RandomSampler

from reelpack.packs import Entry, get_format, publish
from reelpack.packs.readers import open_pack
from tests.packs.samples import ONE, context
from tests.support.helpers import ROOT
from tests.support.measuring import bench_parser, peak_mib

FORMATS = ("vimpac_lmdb", "webdataset", "parquet", "hdf5")
CLIPS = 1_000_000
SHAPE = (2, 16, 16)
WORKERS = 2
BATCH = 64
RANDOM_READS = 2_000


def entries(count: int) -> Iterator[Entry]:
    """Clips whose ids do not come in sorted order."""
    tokens = np.random.default_rng(0).integers(0, 8192, (997, *SHAPE), np.int16)
    for order in range(count):
        arrays = {ONE[0].name: tokens[order % len(tokens)]}
        yield Entry(f"class/clip_{order * 7919 % 10_000_019}", order, order % 600, None, arrays)


def read(data: Any, *, shuffled: bool) -> float:
    """Clips per second through a loader."""
    sampler = RandomSampler(data, num_samples=min(RANDOM_READS, len(data))) if shuffled else None
    loader = DataLoader(
        data, batch_size=BATCH, num_workers=WORKERS, collate_fn=list, sampler=sampler
    )
    start = time.perf_counter()
    count = sum(len(batch) for batch in loader)
    return count / (time.perf_counter() - start)


def measure(name: str, count: int) -> dict[str, float]:
    """Write and read one pack."""
    with tempfile.TemporaryDirectory() as folder:
        pack = Path(folder) / "pack"
        before = peak_mib()
        start = time.process_time()
        publish(pack, get_format(name), entries(count), context(ONE), provenance={})
        written = count / (time.process_time() - start)
        memory = peak_mib() - before
        size = sum(path.stat().st_size for path in pack.rglob("*") if path.is_file())
        data = open_pack(pack)
        found = {
            "written": written,
            "memory": memory,
            "bytes": size / count,
            "in order": read(data, shuffled=False),
        }
        if not isinstance(data, IterableDataset):
            found["shuffled"] = read(data, shuffled=True)
        return found


def measure_apart(name: str, count: int) -> dict[str, float]:
    """Write and read one pack in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.pack_formats", str(count), "--format", name]
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print what each format does, and its ratio to LMDB."""
    parser = bench_parser(__doc__)
    parser.add_argument("clips", nargs="?", type=int, default=CLIPS)
    parser.add_argument("--format", choices=FORMATS, help="this one alone, its figures as JSON")
    args = parser.parse_args()
    count = 200 if args.tiny else args.clips
    if args.format:
        print(json.dumps(measure(args.format, count)))
        return
    base: dict[str, float] = {}
    print(f"{count:,} clips of {SHAPE} int16 tokens, {WORKERS} loader workers")
    for name in FORMATS:
        found = measure(name, count) if args.tiny else measure_apart(name, count)
        base = base or found
        parts = [
            f"written {found['written']:,.0f}/s ({found['written'] / base['written']:.2f})",
            f"{found['memory']:,.0f} MiB ({found['memory'] / max(base['memory'], 1):.2f})",
            f"{found['bytes']:,.0f} bytes each",
            *(
                f"read {how} {found[how]:,.0f}/s ({found[how] / base[how]:.2f})"
                for how in ("in order", "shuffled")
                if how in found
            ),
        ]
        print(f"{name}: {', '.join(parts)}", flush=True)


if __name__ == "__main__":
    main()
