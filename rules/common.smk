"""What all rules share: the config, checked, and how functions of the library get it."""

import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, f"{workflow.basedir}/scripts")

from reelpack.config.settings import Settings
from reelpack.core.errors import UserError
from reelpack.jobs.cli import use_this_interpreter
from reelpack.workflow.download import export_worker_limit

use_this_interpreter()


def get_settings():
    """Check config.yaml and the cards it names; a mistake ends everything with one line."""
    try:
        settings = Settings(config, Path(workflow.basedir))
        for dataset in settings.datasets.values():
            dataset.check_videos()
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return settings


SETTINGS = get_settings()
export_worker_limit(SETTINGS)


def bind(function, **options):
    """Return a function of wildcards for an input, a param or threads, from one of reelpack.workflow."""

    def call(wildcards):
        try:
            return function(SETTINGS, dict(wildcards.items()), **options)
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return call


def get_choice(names):
    """Return a pattern that matches exactly these names."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def get_others(names):
    """Return a pattern that matches any name of a model but these."""
    return rf"(?!(?:{get_choice(names)})(?:[/.]|$))[a-z0-9]+(?:[_-][a-z0-9]+)*"


def get_script(name):
    """Return a command of scripts/ as a Path: paths are not recorded, so moving or touching reruns nothing."""
    return Path(workflow.basedir) / "scripts" / f"{name}.py"
