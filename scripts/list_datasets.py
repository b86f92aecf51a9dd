"""List the datasets with a card and config.yaml's own: splits, clips, and whether a build makes them.

built: yes, named (only `./reelpack build NAME` does), or no.
"""

from pathlib import Path

from reelpack.config.schema import load_yaml
from reelpack.config.settings import Settings
from reelpack.jobs import cli
from reelpack.report.cards import list_datasets
from reelpack.report.words import print_table

BASE = Path(__file__).resolve().parents[1]


def main() -> None:
    """Parse the arguments and print the table."""
    parser = cli.command_parser("datasets", __doc__, examples=["", "| grep kinetics"])
    parser.add_argument("--configfile", type=Path, default=BASE / "config.yaml", help="the config")
    args = parser.parse_args()
    print_table(list_datasets(Settings(load_yaml(args.configfile), BASE)), right={2})


if __name__ == "__main__":
    cli.run(main)
