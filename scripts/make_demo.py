"""Write the demo clips and demo.csv into a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from reelpack.demo.demo_clips import DEMO_CLIPS
from reelpack.demo.write_demo import write_demo


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the class folders and demo.csv go")
    folder = parser.parse_args().folder
    table = write_demo(folder)
    broken = sum(bool(clip.failures) for clip in DEMO_CLIPS)
    print(f"{table}: {len(DEMO_CLIPS)} clips, {broken} of them broken on purpose")


if __name__ == "__main__":
    main()
