"""Kill builds at random moments, start them again, and compare what comes out with an undisturbed build.

A build (`scripts/run.py` on a small project) is started in a process group of its own and the whole group
is killed with SIGKILL after a random time; then it is started again, and so on. When a build ends, its
packs must be the same bytes as those of a build that nobody disturbed, and no clip that was finished may
have been worked on again. Ends with status 1 where that is not so.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "scripts")]

from reelpack.jobs.ledger import read_ledger  # noqa: E402
from tests.support.project import Project  # noqa: E402

TRACE = Path(__file__).parent / "trace"
Clip = tuple[str, str]


@dataclass
class Outcome:
    """What many kills led to.

    Attributes:
        kills: builds that were killed.
        builds: builds that were killed again and again until one went to its end.
        worked: clips that worker processes began to work on.
        kept: clips that were finished when a build was killed.
        lost: clips that were finished once and no longer are; none is right.
        repeated: clips that were worked on again after they were finished; none is right.
        different: pack files that differ from the undisturbed build's; none is right.
        leftovers: temporary files after the end; none is right.
        lingering: processes that outlived a kill; none is right.
    """

    kills: int = 0
    builds: int = 0
    worked: int = 0
    kept: int = 0
    lost: list[Clip] = field(default_factory=list)
    repeated: list[Clip] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    lingering: list[int] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether all is as it must be."""
        wrong = (self.lost, self.repeated, self.different, self.leftovers, self.lingering)
        return not any(wrong)


class Chaos:
    """Kills builds of copies of one project.

    Args:
        project: not built yet.
        folder: an empty folder for the copies.
        expected: what `Project.packs` gives for an undisturbed build.
        seed: of the moments.
        seconds: the shortest and the longest time between start and kill.
    """

    def __init__(
        self,
        project: Project,
        folder: Path,
        *,
        expected: dict[str, str],
        seed: int,
        seconds: tuple[float, float],
    ) -> None:
        self.project = project
        self.folder = folder
        self.expected = expected
        self.random = random.Random(seed)
        self.seconds = seconds
        self.outcome = Outcome()
        self.trace = folder / "trace.txt"

    def run(self, kills: int) -> Outcome:
        """Kill this many times, and let the last build go to its end."""
        while self.outcome.kills < kills or not self.outcome.builds:
            self._one_build(kills)
        return self.outcome

    def _one_build(self, kills: int) -> None:
        project = self.project.copy(self.folder / f"build{self.outcome.builds}")
        finished: set[Clip] = set()
        ended = False
        while not ended:
            self.trace.unlink(missing_ok=True)
            wait = self.random.uniform(*self.seconds) if self.outcome.kills < kills else None
            ended = self._start(project, wait)
            begun = begun_clips(self.trace)
            self.outcome.worked += begun.total()
            self.outcome.repeated += [
                clip for clip, n in begun.items() if clip in finished or n > 1
            ]
            now = finished_clips(project.folder)
            self.outcome.lost += sorted(finished - now)
            self.outcome.kept += 0 if ended else len(now)
            finished = now
        self.outcome.builds += 1
        self._compare(project)
        shutil.rmtree(project.folder)

    def _start(self, project: Project, wait: float | None) -> bool:
        """Start a build; return whether it came to its end before it was killed."""
        output = self.folder / "output.txt"
        build = start_build(project, output, trace=self.trace)
        try:
            status = build.wait(wait)
        except subprocess.TimeoutExpired:
            os.killpg(build.pid, signal.SIGKILL)
            build.wait()
            self.outcome.kills += 1
            self.outcome.lingering += wait_for_end(build.pid, seconds=10)
            return False
        if status:
            raise RuntimeError(output.read_text())
        return True

    def _compare(self, project: Project) -> None:
        packs = project.packs()
        names = sorted(packs.keys() | self.expected.keys())
        self.outcome.different += [n for n in names if packs.get(n) != self.expected.get(n)]
        for place in ("results", "resources"):
            self.outcome.leftovers += [str(p) for p in (project.folder / place).rglob(".*.tmp*")]


def start_build(
    project: Project, output: Path, *, trace: Path | None = None, pause_seconds: float = 0
) -> subprocess.Popen[bytes]:
    """Start a build as a process group of its own.

    Args:
        project: where.
        output: file for what it prints.
        trace: file for the clips that are worked on, see `begun_clips`.
        pause_seconds: how long workers rest over each clip, when there is a trace.
    """
    environment = dict(os.environ)
    if trace is not None:
        environment |= {"PYTHONPATH": str(TRACE), "REELPACK_TRACE": str(trace)}
        environment["REELPACK_PAUSE"] = str(pause_seconds)
    with output.open("w") as stream:
        return subprocess.Popen(
            [sys.executable, "scripts/run.py", "--cores", "2"],
            cwd=project.folder,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def begun_clips(trace: Path) -> Counter[Clip]:
    """Count how often each clip was begun, by (journal folder, key)."""
    lines = trace.read_text().splitlines() if trace.exists() else []
    return Counter((place, key) for place, key in (line.rsplit(" ", 1) for line in lines))


def finished_clips(folder: Path) -> set[Clip]:
    """Return (journal folder, key) of all clips that a project's journals hold, sealed or not."""
    found: set[Clip] = set()
    for place in folder.glob("results/*/*/journal/**/"):
        name = str(place.relative_to(folder))
        found |= {(name, path.stem) for path in place.glob("*.clip")}
        if (place / "ledger.sha256").exists() and (place / "ledger.parquet").exists():
            rows = read_ledger(place / "ledger.parquet")
            found |= {(name, row.key) for row in rows if row.ok and row.key}
    return found


def group_members(group: int) -> list[int]:
    """Return the living processes of a process group."""
    listed = subprocess.run(
        ["ps", "-wweo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and state[0] != "Z"]


def wait_for_end(group: int, *, seconds: float) -> list[int]:
    """Wait until a process group is gone; return who is still there in the end."""
    end = time.monotonic() + seconds
    while (left := group_members(group)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def small_project(folder: Path) -> Project:
    """Make a project with one dataset in two shards."""
    project = Project.make(folder, weights=False)
    project.configure("datasets.kites.shards", 2)
    return project


def main() -> int:
    """Kill, print what came of it, and return 1 when something was not right."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30, help="how many (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    parser.add_argument(
        "--seconds",
        type=float,
        nargs=2,
        default=(0.5, 8.0),
        metavar=("MIN", "MAX"),
        help="time between start and kill (default: 0.5 8)",
    )
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        project = small_project(folder / "project")
        undisturbed = project.copy(folder / "undisturbed")
        undisturbed.build()
        chaos = Chaos(
            project,
            folder,
            expected=undisturbed.packs(),
            seed=args.seed,
            seconds=tuple(args.seconds),
        )
        outcome = chaos.run(args.kills)
    for key, value in vars(outcome).items():
        print(f"{key}: {value}")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
