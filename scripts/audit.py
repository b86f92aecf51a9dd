"""Say of a dataset's clips how many are published, listed, obtained, failed and missing.

Looks also at the files: missing, empty, unreadable, of another length than listed, or listed nowhere.
Fetches nothing. Writes results/{dataset}/audit.json, audit.txt and audit_files.csv.
"""

import argparse
import json
from pathlib import Path

from reelpack.config.schema import load_yaml
from reelpack.config.settings import Settings
from reelpack.core.errors import UserError
from reelpack.jobs import cli
from reelpack.report.audit.asked import Asked, asked_of
from reelpack.report.audit.page import write_audit

BASE = Path(__file__).resolve().parents[1]


def configured(name: str, configfile: Path) -> Asked:
    """Return what config.yaml asks for of a dataset.

    Raises:
        UserError: a mistake in the config, or a dataset that it does not name.
    """
    settings = Settings(load_yaml(configfile), BASE)
    if name not in settings.datasets:
        known = ", ".join(settings.datasets)
        raise UserError(f"{configfile}: no dataset {name!r}; one of: {known}")
    return asked_of(settings.datasets[name])


def main() -> None:
    """Parse the arguments, look, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="its name in config.yaml")
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder")
    parser.add_argument("--configfile", type=Path, default=BASE / "config.yaml", help="the config")
    parser.add_argument(
        "--asked", metavar="JSON", help="what there should be, from the workflow, not the config"
    )
    parser.add_argument("--no-files", action="store_true", help="do not look at the videos' files")
    parser.add_argument("--threads", type=int, default=1, help="worker processes (default: 1)")
    args = parser.parse_args()
    asked = (
        Asked.from_json(json.loads(args.asked))
        if args.asked
        else configured(args.dataset, args.configfile)
    )
    text = write_audit(
        args.results / args.dataset, asked, with_files=not args.no_files, workers=args.threads
    )
    print(text, end="")


if __name__ == "__main__":
    cli.run_job(main)
