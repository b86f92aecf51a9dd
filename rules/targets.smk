"""One target per dataset: `snakemake ucf101` builds all recipes that config.yaml lists for it, and the
samples of its transformers.

`snakemake download` stops when all videos and weights are here, for machines that alone reach the internet.
"""

from reelpack.workflow import targets


rule download:
    """Bring the lists, videos and weights of all that config.yaml names; the rest needs no internet."""
    input:
        ledgers=targets.get_downloads(SETTINGS),
        weights=targets.get_weights(SETTINGS),


for dataset in SETTINGS.datasets:

    rule:
        name:
            dataset
        input:
            packs=targets.get_packs(SETTINGS, [dataset]),
            samples=targets.get_samples(SETTINGS, [dataset]),
            measures=targets.get_measures(SETTINGS, [dataset]),
        localrule: True
