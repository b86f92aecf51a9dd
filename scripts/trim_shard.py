"""Turn the videos of one shard into clips: windows that decoders keep to, or files that are cut out."""

import json
from pathlib import Path

from reelpack.clips.trim import trim_shard
from reelpack.clips.trim_files import CutSettings, cut_shard
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and write the clip table."""
    parser = cli.build_parser(__doc__, *cli.JOB, "--shard", "--earlier")
    parser.add_argument("--probes", required=True, type=Path, help="output of download_shard")
    parser.add_argument("--folder", required=True, type=Path, help="folder for files that are cut")
    parser.add_argument("--split", required=True, help="the split that the shard is of")
    args = parser.parse_args()
    params = json.loads(args.params)
    windows = params.get("windows", "inside")
    if "trim" in params:
        settings = CutSettings(params["trim"], windows, args.folder, args.split)
        cut_shard(args.shard, args.probes, settings, cli.read_job(args))
        return
    rows = trim_shard(args.shard, args.probes, cli.read_job(args), windows=windows)
    print(f"trim_shard: {sum(row.ok for row in rows)} of {len(rows)} clips ok")


if __name__ == "__main__":
    cli.run_job(main)
