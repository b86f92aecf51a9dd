"""One target per dataset: `snakemake ucf101` builds all recipes that config.yaml lists for it, and the
samples of its transformers.

`snakemake download` stops when all videos and weights are here, for machines that alone reach the internet.
"""


rule download:
    """Bring the lists, videos and weights of all that config.yaml names; the rest needs no internet."""
    input:
        ledgers=get_downloads(),
        weights=get_weights(),


for dataset in SETTINGS.datasets:

    rule:
        name:
            dataset
        input:
            packs=get_packs([dataset]),
            samples=get_samples([dataset]),
            measures=get_measures([dataset]),
        localrule: True
