"""reelpack: from video datasets to training-ready packs."""

from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config.yaml"


report: "rules/report/workflow.rst"


include: "rules/common.smk"


from reelpack.workflow import targets

ALL = targets.get_all(SETTINGS)


wildcard_constraints:
    dataset=get_choice(SETTINGS.datasets),
    split=r"[a-z0-9]+(_[a-z0-9]+)*",
    shard=r"\d+",
    source=r"\d+",
    part=r"\d+",
    recipe=r"[a-z0-9]+([_-][a-z0-9]+)*",
    group=r"[a-z0-9]+([_-][a-z0-9]+)*",
    model=r"[a-z0-9]+([_-][a-z0-9]+)*",
    transformer=r"[a-z0-9]+([_-][a-z0-9]+)*",
    weights=r"[A-Za-z0-9._-]+",
    sampling=r"[a-z0-9.-]+(_[a-z0-9.-]+)*",
    crop=r"[a-z0-9.-]+(_[a-z0-9.-]+)*",
    audio=r"[a-z0-9.-]+",


rule all:
    """Build every dataset in config.yaml, but for those with `in_all: false`."""
    input:
        packs=targets.get_packs(SETTINGS, ALL),
        samples=targets.get_samples(SETTINGS, ALL),
        measures=targets.get_measures(SETTINGS, ALL),


include: "rules/manifest.smk"
include: "rules/weights.smk"
include: "rules/download.smk"
include: "rules/trim.smk"
include: "rules/frames.smk"
include: "rules/audio.smk"
include: "rules/train.smk"
include: "rules/encode.smk"
include: "rules/measure.smk"
include: "rules/pack.smk"
include: "rules/transformer.smk"
include: "rules/report.smk"
include: "rules/audit.smk"
include: "rules/targets.smk"


localrules:
    all,
    download,
    report,
