"""Decode a sample of a dataset's clips both ways, and count the frames that are equal.

The library's frames, which packs are made of, are compared with those of the ffmpeg program that
config.yaml names, by the sampling and scale of each recipe, JPEG files left aside. Exit status: 0 all
are equal, 1 something differs, 2 a mistake. A clip that fails both ways is equal.
"""

from __future__ import annotations

from pathlib import Path

import av

from reelpack.config.ffmpeg_program import find_program, read_version
from reelpack.config.schema import load_yaml
from reelpack.config.settings import Settings
from reelpack.core.errors import UserError
from reelpack.jobs import cli
from reelpack.report.check_frames import HEADER, compare_dataset, sample_clips
from reelpack.report.words import print_table

BASE = Path(__file__).resolve().parents[1]


def main() -> int:
    """Parse the arguments, compare, print, and return the exit status."""
    parser = cli.command_parser("check-frames", __doc__, examples=["demo", "ucf101 --clips 200"])
    parser.add_argument("dataset", help="its name in config.yaml")
    parser.add_argument("--clips", type=int, default=50, metavar="N", help="clips (default: 50)")
    parser.add_argument("--configfile", type=Path, default=BASE / "config.yaml", help="the config")
    args = cli.parse_in_folder(parser)
    if args.clips < 1:
        raise UserError(f"--clips: {args.clips}; allowed: 1 or more")
    settings = Settings(load_yaml(args.configfile), BASE)
    clips = sample_clips(settings, args.dataset, args.clips)
    program = find_program(settings.config["ffmpeg"])
    print(f"library: FFmpeg {av.ffmpeg_version_info}; program: {read_version(program)}, {program}")
    compared = compare_dataset(settings, args.dataset, clips)
    print_table([HEADER, *(each.row for each in compared)], right=range(1, len(HEADER)))
    differences = [line for each in compared for line in each.differences]
    print("\n".join(differences or ["no difference"]))
    return 1 if differences else 0


if __name__ == "__main__":
    cli.run(main)
