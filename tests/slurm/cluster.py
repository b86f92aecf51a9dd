"""A throw-away SLURM cluster for tests, and a checkout whose profile is filled in for it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.support.helpers import ROOT

HERE = Path(__file__).parent
PROFILE = Path("profiles") / "slurm" / "profile.yaml"
LEFT_OUT = {".git", ".venv", ".snakemake", "resources", "results", "logs", "benchmarks"}
PORTS_APART = 30
Found = TypeVar("Found")


def wait_for(
    what: str, look: Callable[[], Found | None], *, process: subprocess.Popen, seconds: float = 240
) -> Found:
    """Return what `look` finds, while `process` runs.

    Raises:
        AssertionError: it did not come about.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert process.poll() is None, f"Snakemake ended before {what}"
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def end_processes(folder: Path) -> None:
    """End what is left of jobs in a folder: a lost node's job may have outlived its node."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(folder) in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue


@dataclass(frozen=True)
class Job:
    """One SLURM job, as `scontrol show job` tells it.

    Attributes:
        attempt: which of Snakemake's submissions of the same job it is, from 1.
        gpus: what it asked for, such as "gres:gpu:1"; "" for none.
        minutes: its time limit.
    """

    number: int
    rule: str
    wildcards: str
    attempt: int
    partition: str
    gpus: str
    state: str
    cpus: int
    megabytes: int
    minutes: int
    restarts: int
    nodes: str
    log: Path

    @property
    def line(self) -> str:
        """The job as a line of the table at the end."""
        return (
            f"{self.number:>4} {self.rule:<24} {self.wildcards:<36} {self.attempt:>3} "
            f"{self.partition:<9} {self.gpus or '-':<11} {self.cpus:>4} {self.megabytes:>6} "
            f"{self.minutes:>5} {self.restarts:>3} {self.nodes:<6} {self.state}"
        )


HEADER = (
    f"{'job':>4} {'rule':<24} {'wildcards':<36} try partition GPUs        CPUs     MB   min "
    f"req node   state"
)


def free_port() -> int:
    """Return the first of a row of ports that nobody listens on."""
    for port in range(26800, 32000, PORTS_APART):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port + 17)):
                return port
    raise RuntimeError("no free ports for a SLURM cluster")


class Cluster:
    """A cluster in a folder of its own.

    Raises:
        RuntimeError: it cannot be started; one line that says why.
    """

    def __init__(self, folder: Path, *, install: bool) -> None:
        self.folder = folder
        environment = {**os.environ, "SLURM_LAB_PORT": str(free_port())}
        if install:
            environment["SLURM_LAB_INSTALL"] = "1"
        start = subprocess.run(
            [HERE / "start_slurm.sh", folder],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if start.returncode:
            raise RuntimeError(start.stderr.strip())
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "etc" / "slurm.conf"),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def stop(self) -> None:
        """End its jobs and daemons."""
        subprocess.run([HERE / "stop_slurm.sh", self.folder], check=True)

    def ask(self, *command: str) -> str:
        """Run one of SLURM's programs and return what it prints."""
        return subprocess.run(
            command, capture_output=True, text=True, env=self.environment, check=True
        ).stdout

    def jobs(self) -> list[Job]:
        """Return all jobs so far, in the order of submission."""
        listed = sorted(self._listed(), key=lambda fields: int(fields["JobId"]))
        seen: dict[str, int] = {}
        found = []
        for fields in listed:
            comment = fields["Comment"]
            seen[comment] = seen.get(comment, 0) + 1
            rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
            hours, minutes, _ = fields["TimeLimit"].replace("1-00", "24").split(":")
            found.append(
                Job(
                    number=int(fields["JobId"]),
                    rule=rule,
                    wildcards=wildcards,
                    attempt=seen[comment],
                    partition=fields["Partition"],
                    gpus=fields.get("TresPerJob", ""),
                    state=fields["JobState"],
                    cpus=int(fields["NumCPUs"].split("-")[0]),
                    megabytes=int(re.search(r"mem=(\d+)M", fields["TRES"])[1]),
                    minutes=60 * int(hours) + int(minutes),
                    restarts=int(fields["Restarts"]),
                    nodes=fields.get("NodeList", ""),
                    log=Path(fields["StdOut"]),
                )
            )
        return found

    def _listed(self) -> Iterator[dict[str, str]]:
        for line in self.ask("scontrol", "show", "job", "--oneliner").splitlines():
            fields = dict(re.findall(r"(\S+?)=(\S*)", line))
            if fields.get("Comment", "").startswith("rule_"):
                yield fields

    def running(self, rule: str, wildcards: str = "", *, elsewhere: str = "") -> Job | None:
        """Return the running job of a rule, if there is one on another node than `elsewhere`."""
        for job in self.jobs():
            named = job.rule == rule and wildcards in job.wildcards
            if named and job.state == "RUNNING" and job.nodes != elsewhere:
                return job
        return None


class Checkout:
    """A copy of this checkout without anything built in it, as a fresh clone would be."""

    def __init__(self, folder: Path, *, config: str) -> None:
        def ignore(directory: str, names: list[str]) -> set[str]:
            top = Path(directory) == ROOT
            return {n for n in names if (top and n in LEFT_OUT) or n.endswith(("_cache", "__"))}

        shutil.copytree(ROOT, folder, symlinks=True, ignore=ignore)
        self.folder = folder
        (folder / "config.yaml").write_text(config)

    def fill_in(self, **values: str | int) -> None:
        """Fill in the marked place of the profile."""
        path = self.folder / PROFILE
        text = path.read_text()
        for name, value in values.items():
            text, count = re.subn(rf"(?m)^(  {name}:) \S+", rf"\1 {value}", text)
            assert count == 1, name
        path.write_text(text)

    def start(
        self, *arguments: str, log: Path, environment: dict[str, str], **variables: str
    ) -> subprocess.Popen:
        """Start Snakemake in the folder; its output goes to `log`."""
        environment = {k: v for k, v in environment.items() if k != "REELPACK_ALLOW_CPU"}
        with log.open("w") as stream:
            return subprocess.Popen(
                [sys.executable, HERE / "quick_snakemake.py", *arguments],
                cwd=self.folder,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**environment, **variables},
            )
