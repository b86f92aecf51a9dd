"""How long a list of a million addresses takes to become manifest and shard tables.

Prints seconds, and the ratio to what reading the same file into a frame takes by itself.

    python tests/bench/lists.py [--rows 1000000] [--shards 1000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from reelpack.lists.fingerprints import signature
from reelpack.lists.manifest import make_manifest


def write_list(path: Path, rows: int) -> None:
    """Write addresses with windows, labels and captions, as a csv or jsonl list."""
    numbers = pd.Series(range(rows), dtype="str")
    table = pd.DataFrame(
        {
            "url": "https://media.example.org/videos/" + numbers.str.zfill(9) + "/preview.mp4",
            "start": [number % 60 + 0.5 for number in range(rows)],
            "end": [number % 60 + 10 for number in range(rows)],
            "label": [number % 400 for number in range(rows)],
            "caption": "a person does thing number " + numbers + ", outside",
        }
    )
    if path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False)


def seconds(work: Callable[[], Any]) -> float:
    """Return how long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Time every step on every form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("csv", "jsonl"):
            path = Path(folder) / f"list.{ending}"
            write_list(path, args.rows)
            out = Path(folder) / ending
            tables = [out / f"shards/{number:05d}.parquet" for number in range(args.shards)]
            plain = seconds(
                lambda path=path: (
                    pd.read_csv(path) if path.suffix == ".csv" else pd.read_json(path, lines=True)
                )
            )
            whole = seconds(
                lambda path=path, out=out, tables=tables: make_manifest(
                    path,
                    split="",
                    by_split=False,
                    manifest=out / "manifest.parquet",
                    tables=tables,
                    fetched=Path("resources/videos/far"),
                )
            )
            look = seconds(lambda path=path: signature(path))
            print(
                f"{ending}: {args.rows} addresses into {args.shards} shards: {whole:.1f} s,"
                f" {whole / plain:.1f} times pandas' reading ({plain:.1f} s);"
                f" a look while planning {look:.2f} s"
            )


if __name__ == "__main__":
    main()
