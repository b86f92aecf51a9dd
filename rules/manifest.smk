"""Manifests: from a folder, a list of videos or published annotations to one table per shard.

Inputs: a list named in config.yaml or a card, none for a folder, or the addresses in a card's annotations.
Outputs: results/{dataset}/{split}/manifest.parquet and shards/{shard}.parquet.
"""

from pathlib import Path

from reelpack.workflow import download, manifest
from reelpack.workflow.paths import list_splits


rule make_demo:
    """Make the demo dataset's clips and their list."""
    output:
        clips="resources/videos/demo/demo.csv",
    log:
        "logs/make_demo.log",
    benchmark:
        "benchmarks/make_demo.tsv"
    conda:
        "../envs/frames.yaml"
    params:
        script=get_script("make_demo"),
        folder=subpath(output.clips, parent=True),
    shell:
        "python {params.script:q} {params.folder:q} > {log:q} 2>&1"


rule make_bair_toy:
    """Make a small tar of BAIR's format."""
    output:
        tar="resources/annotations/bair_toy/bair_robot_pushing_dataset_v0.tar",
    log:
        "logs/make_bair_toy.log",
    benchmark:
        "benchmarks/make_bair_toy.tsv"
    conda:
        "../envs/manifest.yaml"
    params:
        script=get_script("make_bair_toy"),
    shell:
        "python {params.script:q} {output.tar:q} > {log:q} 2>&1"


rule fetch_annotations:
    """Fetch a dataset's published lists, or say which of them a person has to bring."""
    input:
        made=bind(manifest.get_made_files),
    output:
        listing="resources/annotations/{dataset}.json",
    log:
        "logs/fetch_annotations/{dataset}.log",
    benchmark:
        "benchmarks/fetch_annotations/{dataset}.tsv"
    conda:
        "../envs/download.yaml"
    resources:
        downloads=1,
    params:
        script=get_script("fetch_annotations"),
        result=bind(manifest.get_annotations_result),
        access=bind(manifest.get_access),
        options=bind(download.get_options),
        folder="resources/annotations/{dataset}",
    shell:
        "python {params.script:q} --params {params.result:q} --access={params.access:q}"
        " --options {params.options:q} --folder {params.folder:q} --listing {output.listing:q}"
        " > {log:q} 2>&1"


# Checkpoints that nobody queries: after one has run, Snakemake looks again at the jobs that take one of
# its outputs, so that a grown list reruns only the shards that new clips fall into. It looks only at jobs
# that take one directly; so every rule behind a checkpoint has a shard table or the manifest among its
# inputs, and one table of each dataset that it depends on by way of a model.
for dataset, split in list_splits(SETTINGS, SETTINGS.datasets):

    checkpoint:
        name:
            f"make_manifest_{dataset}_{split}"
        input:
            videos=manifest.get_list(SETTINGS, dataset),
        output:
            manifest=f"results/{dataset}/{split}/manifest.parquet",
            shards=manifest.get_tables(SETTINGS, dataset, split),
        log:
            f"logs/make_manifest/{dataset}/{split}.log",
        benchmark:
            f"benchmarks/make_manifest/{dataset}/{split}.tsv"
        conda:
            "../envs/manifest.yaml"
        params:
            script=get_script("make_manifest"),
            result=bind(manifest.get_result, dataset=dataset, split=split),
            annotations=manifest.get_annotations_option(SETTINGS, dataset),
            folder=subpath(output.manifest, parent=True),
            fetched=Path("resources/videos") / dataset,
        shell:
            "python {params.script:q} --params {params.result:q} --fetched {params.fetched:q}"
            " --manifest {output.manifest:q} --shards {params.folder:q}/shards"
            " {params.annotations:q} > {log:q} 2>&1"
