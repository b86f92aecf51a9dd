"""How long a list of a million addresses takes to become manifest and shard tables.

Prints seconds, and the ratio to what reading the same file into a frame takes by itself.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.lists [--rows 1000000] [--shards 1000]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from reelpack.lists.fingerprints import signature
from reelpack.lists.manifest import make_manifest
from tests.support.measuring import bench_parser, wall_seconds


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


def main() -> None:
    """Time every step on every form."""
    parser = bench_parser(__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=1000)
    args = parser.parse_args()
    if args.tiny:
        args.rows, args.shards = 1000, 4
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("csv", "jsonl"):
            path = Path(folder) / f"list.{ending}"
            write_list(path, args.rows)
            out = Path(folder) / ending
            tables = [out / f"shards/{number:05d}.parquet" for number in range(args.shards)]
            plain = wall_seconds(
                lambda path=path: (
                    pd.read_csv(path) if path.suffix == ".csv" else pd.read_json(path, lines=True)
                )
            )
            whole = wall_seconds(
                lambda path=path, out=out, tables=tables: make_manifest(
                    path,
                    split="",
                    by_split=False,
                    manifest=out / "manifest.parquet",
                    tables=tables,
                    fetched=Path("resources/videos/far"),
                )
            )
            look = wall_seconds(lambda path=path: signature(path))
            print(
                f"{ending}: {args.rows} addresses into {args.shards} shards: {whole:.1f} s,"
                f" {whole / plain:.1f} times pandas' reading ({plain:.1f} s);"
                f" a look while planning {look:.2f} s"
            )


if __name__ == "__main__":
    main()
