"""Snakemake asked for something, quietly: what it prints, or its own words in one error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from reelpack.core.errors import UserError


def ask_snakemake(
    arguments: Sequence[str], *, base: Path, folder: Path, configfile: Path | None = None
) -> str:
    """Run the workflow with some arguments and return what Snakemake prints.

    Args:
        arguments: Snakemake's own.
        base: the project folder with the Snakefile and its profile.
        folder: the run's folder.
        configfile: laid over config.yaml.

    Raises:
        UserError: Snakemake refused; its own words come with it.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(base / "Snakefile")]
    command += ["--directory", str(folder.resolve())]
    command += ["--configfile", str(configfile.resolve())] if configfile else []
    # From the project folder, where its profile lies.
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, cwd=base
    )
    if done.returncode:
        raise UserError(f"snakemake cannot do this:\n{done.stderr.strip()}")
    return done.stdout
