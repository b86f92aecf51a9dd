"""Measures of the codes that VQ-VAEs give: reconstruction error, and how the codes are used.

Inputs: all encoded shards of a split and their ledgers, the manifest for the order, the model, and the
pixels: clip tables, and staged shards where the recipe has them.
Outputs: results/{dataset}/{split}/measures/{recipe}.json and {recipe}.png.
"""

from reelpack.workflow import encode, measure, packs


rule measure_codes:
    """Compare frames of some clips with what the model makes of their codes; count all codes."""
    input:
        manifest="results/{dataset}/{split}/manifest.parquet",
        learned=bind(encode.get_learned),
        clips=bind(measure.get_clips),
        pixels=bind(measure.get_pixels),
        codes=bind(packs.get_shards),
        ledgers=bind(packs.get_ledgers),
        weights=bind(encode.get_weights),
    output:
        values="results/{dataset}/{split}/measures/{recipe}.json",
        picture=report(
            "results/{dataset}/{split}/measures/{recipe}.png",
            caption="report/measures.rst",
            category="{dataset}",
            subcategory="{split}",
            labels={"recipe": "{recipe}", "what": "reconstructions"},
        ),
    log:
        "logs/measure_codes/{dataset}/{split}/{recipe}.log",
    benchmark:
        "benchmarks/measure_codes/{dataset}/{split}/{recipe}.tsv"
    conda:
        "../envs/encode.yaml"
    resources:
        gpu=1,
    params:
        script=get_script("measure_codes"),
        result=bind(measure.get_result),
        codes="results/{dataset}/{split}/encoded/{recipe}",
        clips="results/{dataset}/{split}/clips",
        pixels=bind(measure.get_folders),
    shell:
        "python {params.script:q} --manifest {input.manifest:q} --codes {params.codes:q}"
        " --clips {params.clips:q} --pixels {params.pixels:q} --weights {input.weights:q}"
        " --params {params.result:q} --output {output.values:q} --picture {output.picture:q}"
        " --gpus {resources.gpu} > {log:q} 2>&1"
