"""Say of a dataset's clips how many are published, listed, obtained, failed and missing.

Looks also at the files: missing, empty, unreadable, of another length than listed, or listed nowhere.
Lists that are not there yet are made first; no video is fetched. Writes results/{dataset}/audit.json,
audit.txt and audit_files.csv.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from reelpack.config.schema import load_yaml
from reelpack.config.settings import Settings
from reelpack.core.errors import UserError
from reelpack.jobs import cli
from reelpack.report.ask_snakemake import ask_snakemake
from reelpack.report.asked import AuditRequest, request_audit
from reelpack.report.audit import write_audit

BASE = Path(__file__).resolve().parents[1]
RESULTS = Path("results")


def read_request(name: str, configfile: Path) -> AuditRequest:
    """Return what config.yaml asks for of a dataset.

    Raises:
        UserError: a mistake in the config, or a dataset that it does not name.
    """
    settings = Settings(load_yaml(configfile), BASE)
    if name not in settings.datasets:
        known = ", ".join(settings.datasets)
        raise UserError(f"{configfile}: no dataset {name!r}; one of: {known}")
    return request_audit(settings.datasets[name])


def make_lists(dataset: str, splits: Iterable[str], configfile: Path) -> None:
    """Have the workflow make the lists of splits that are not there yet.

    Raises:
        UserError: Snakemake refused, or a list could not be made.
    """
    manifests = [f"results/{dataset}/{split}/manifest.parquet" for split in splits]
    missing = [path for path in manifests if not Path(path).exists()]
    if missing:
        arguments = ["--cores", "1", "--", *missing]
        ask_snakemake(arguments, base=BASE, folder=Path(), configfile=configfile)


def main() -> None:
    """Parse the arguments, look, and print."""
    parser = cli.command_parser("audit", __doc__, examples=["ucf101", "mine --no-files"])
    parser.add_argument("dataset", help="its name in config.yaml")
    parser.add_argument("--results", type=Path, default=RESULTS, help="results folder")
    parser.add_argument("--configfile", type=Path, default=BASE / "config.yaml", help="the config")
    parser.add_argument(
        "--asked", metavar="JSON", help="what there should be, from the workflow, not the config"
    )
    parser.add_argument("--no-files", action="store_true", help="do not look at the videos' files")
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="worker processes (default: 1)"
    )
    args = cli.parse_in_folder(parser)
    if args.asked:
        asked = AuditRequest.from_json(json.loads(args.asked))
    else:
        asked = read_request(args.dataset, args.configfile)
        if args.results == RESULTS:
            make_lists(args.dataset, asked.splits, args.configfile)
    text = write_audit(
        args.results / args.dataset, asked, with_files=not args.no_files, workers=args.threads
    )
    print(text, end="")


if __name__ == "__main__":
    cli.run_job(main)
