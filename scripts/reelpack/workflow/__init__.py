"""What rules ask of the config: inputs, params and threads of every job, stage by stage.

Functions take the checked config and the wildcards of a job, as a plain mapping; none needs Snakemake.
"""
