"""List the shipped recipes and config.yaml's own, with the format of their packs."""

from pathlib import Path

from reelpack.config.schema import load_yaml
from reelpack.config.settings import Settings
from reelpack.jobs import cli
from reelpack.report.cards import list_recipes
from reelpack.report.words import print_table

BASE = Path(__file__).resolve().parents[1]


def main() -> None:
    """Parse the arguments and print the table."""
    parser = cli.command_parser("recipes", __doc__, examples=["", "| grep webdataset"])
    parser.add_argument("--configfile", type=Path, default=BASE / "config.yaml", help="the config")
    args = parser.parse_args()
    print_table(list_recipes(Settings(load_yaml(args.configfile), BASE)))


if __name__ == "__main__":
    cli.run(main)
