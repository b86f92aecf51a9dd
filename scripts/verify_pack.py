"""Reread packs and compare them with their own records.

Every file is compared with checksums.sha256, every entry is read as a trainer would and compared
with entries.parquet. Exit status: 0 all is well, 1 something differs, 2 a folder is not a finished
pack. With --mend a pack that differs loses its provenance.json: for the workflow it is then not
finished, and the next run writes it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from reelpack.core.errors import UserError
from reelpack.jobs import cli
from reelpack.packs.publish import PROVENANCE
from reelpack.packs.verify import verify_pack

_SHOWN = 20


def main() -> int:
    """Run the command and return its exit status."""
    parser = cli.command_parser("verify", __doc__, examples=["results/demo/all/packs/vimpac_demo"])
    parser.add_argument(
        "pack", type=Path, nargs="+", help="a pack folder, which holds provenance.json"
    )
    parser.add_argument(
        "--mend", action="store_true", help="have the next run write packs that differ again"
    )
    args = cli.parse_in_folder(parser)
    return max(_verify(folder, mend=args.mend) for folder in args.pack)


def _verify(folder: Path, *, mend: bool) -> int:
    try:
        found = verify_pack(folder)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    for line in found.differences[:_SHOWN]:
        print(f"{folder}: {line}")
    if (more := len(found.differences) - _SHOWN) > 0:
        print(f"{folder}: and {more} more")
    verdict = f"{len(found.differences)} differences" if found.differences else "ok"
    print(
        f"{folder}: {verdict}; {found.files} files, {found.entries} clips, "
        f"{found.arrays} arrays read back"
    )
    if found.differences and mend:
        (folder / PROVENANCE).unlink()
        print(f"{folder}: {PROVENANCE} is removed: the next run writes this pack again")
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())
