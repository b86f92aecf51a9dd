"""Fetch, check, checksum and probe the videos of one shard; a bad one becomes a ledger row."""

import json
from collections import defaultdict
from pathlib import Path

from reelpack.clips.download import VideoLimits, download_shard
from reelpack.jobs import cli
from reelpack.sources.archives import ArchiveIndex
from reelpack.sources.fetching import FetchPlan


def main() -> None:
    """Parse the arguments, fetch and probe the shard."""
    parser = cli.build_parser(__doc__, *cli.JOB, "--shard")
    parser.add_argument(
        "--sources", default="", metavar="JSON", help="where videos that are not here come from"
    )
    parser.add_argument(
        "--archives", type=Path, nargs="*", default=[], help="indexes of unpacked archives"
    )
    parser.add_argument("--options", default="{}", metavar="JSON", help="config's downloads")
    parser.add_argument("--limits", default="{}", metavar="JSON", help="config's limits")
    args = parser.parse_args()
    plan = _build_plan(args.sources, args.archives, args.options) if args.sources else None
    download_shard(
        args.shard, cli.read_job(args), plan=plan, limits=VideoLimits(**json.loads(args.limits))
    )


def _build_plan(sources: str, archives: list[Path], options: str) -> FetchPlan:
    """Build the plan; an index of archives lies in {source's number}/{part}.json."""
    indexes: dict[Path, list[Path]] = defaultdict(list)
    for path in archives:
        indexes[path.parent].append(path)
    return FetchPlan(
        **json.loads(sources),
        archives={int(f.name): ArchiveIndex(f, paths) for f, paths in indexes.items()},
        options=json.loads(options),
    )


if __name__ == "__main__":
    cli.run_job(main)
