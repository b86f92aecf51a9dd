"""One target per dataset: `snakemake ucf101` builds all recipes that config.yaml lists for it.

`snakemake download` stops when all videos are here, for machines that alone reach the internet.
"""


rule download:
    """Bring the videos of every dataset in config.yaml."""
    input:
        ledgers=get_downloads(),


for dataset in SETTINGS.datasets:

    rule:
        name:
            dataset
        input:
            packs=get_packs([dataset]),
        localrule: True
