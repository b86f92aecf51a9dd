"""Packs: the file sets that trainers open.

Inputs: all encoded shards of a split, or its image files or staged ones where the recipe has no encoder,
their ledgers, and the manifest for the order.
Outputs: results/{dataset}/{split}/packs/{recipe}/; the pack itself lies there under its original name,
published by rename and undeclared.
"""

from reelpack.workflow import encode, packs


rule write_pack:
    """Publish the pack by rename, then its listing; stop above max_failed."""
    input:
        manifest="results/{dataset}/{split}/manifest.parquet",
        learned=bind(encode.get_learned),
        shards=bind(packs.get_shards),
        ledgers=bind(packs.get_ledgers),
    output:
        failures=report(
            "results/{dataset}/{split}/packs/{recipe}/failures.csv",
            caption="report/failures.rst",
            category="{dataset}",
            subcategory="{split}",
            labels={"recipe": "{recipe}", "what": "failures"},
        ),
        entries="results/{dataset}/{split}/packs/{recipe}/entries.parquet",
        checksums="results/{dataset}/{split}/packs/{recipe}/checksums.sha256",
        provenance=report(
            "results/{dataset}/{split}/packs/{recipe}/provenance.json",
            caption="report/provenance.rst",
            category="{dataset}",
            subcategory="{split}",
            labels={"recipe": "{recipe}", "what": "provenance"},
        ),
    log:
        "logs/write_pack/{dataset}/{split}/{recipe}.log",
    benchmark:
        "benchmarks/write_pack/{dataset}/{split}/{recipe}.tsv"
    conda:
        "../envs/pack.yaml"
    threads: bind(packs.get_threads)
    params:
        script=get_script("write_pack"),
        result=bind(packs.get_result),
        folder=subpath(output.provenance, parent=True),
        # Recorded, and no more: packs are not written again when the mode changes.
        content=bind(packs.get_content),
        shards=bind(packs.get_folders),
    shell:
        "python {params.script:q} --manifest {input.manifest:q} --shards {params.shards:q}"
        " --params {params.result:q} --folder {params.folder:q} --threads {threads}"
        " > {log:q} 2>&1"
