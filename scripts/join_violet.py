"""Put the files of several VIOLET packs into one folder, as its trainers open them.

A pack holds one split, and frames or tokens; VIOLET reads the texts, dictionaries and tokens of all splits
from one file each. Dictionaries are joined entry by entry, so memory stays small; TSV files are copied.
"""

from pathlib import Path

from reelpack.jobs import cli
from reelpack.packs.violet_join import join_violet


def main() -> None:
    """Parse the arguments and join the packs."""
    parser = cli.command_parser(
        "join-violet", __doc__, examples=["results/web/*/packs/violet_4 --to VIOLET/_data"]
    )
    parser.add_argument("packs", nargs="+", type=Path, help="violet_frames and violet_vq packs")
    parser.add_argument("--to", required=True, type=Path, help="VIOLET's _data folder")
    args = parser.parse_args()
    for name in join_violet(args.packs, args.to):
        print(args.to / name)


if __name__ == "__main__":
    cli.run(main)
