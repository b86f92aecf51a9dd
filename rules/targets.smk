"""One target per dataset: `snakemake ucf101` builds all recipes that config.yaml lists for it."""

for dataset in SETTINGS.datasets:

    rule:
        name:
            dataset
        input:
            packs=get_packs([dataset]),
        localrule: True
