"""Snakemake with its arguments, asking SLURM every second what became of its jobs.

The executor plugin waits ten seconds longer after every answer without news, which is right for jobs of
hours. Jobs themselves start Snakemake as ever.
"""

import sys

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
sys.exit(main())
