"""Turn the videos of one shard into clips: windows that decoders keep to, or files that are cut out."""

import json
from pathlib import Path

from reelpack.clips.trim import trim_shard
from reelpack.clips.trim_files import CutSettings, cut_shard
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and write the clip table."""
    parser = cli.shard_parser(__doc__)
    parser.add_argument("--shard", required=True, type=Path, help="shard table of the manifest")
    parser.add_argument("--probes", required=True, type=Path, help="output of download_shard")
    parser.add_argument("--earlier", required=True, type=Path, help="ledger of download_shard")
    parser.add_argument("--folder", required=True, type=Path, help="folder for files that are cut")
    parser.add_argument("--split", required=True, help="the split that the shard is of")
    args = parser.parse_args()
    params = json.loads(args.params)
    windows = params.get("windows", "inside")
    tables = {"probes": args.probes, "earlier": args.earlier, "result": args.params}
    outputs = {"output": args.output, "ledger": args.ledger}
    if "trim" not in params:
        rows = trim_shard(args.shard, windows=windows, **tables, **outputs)
        print(f"trim_shard: {sum(row.ok for row in rows)} of {len(rows)} clips ok")
        return
    cut_shard(
        args.shard,
        settings=CutSettings(params["trim"], windows, args.folder, args.split),
        retries=args.retries,
        journal=args.journal,
        workers=args.threads,
        **tables,
        **outputs,
    )


if __name__ == "__main__":
    cli.run_job(main)
