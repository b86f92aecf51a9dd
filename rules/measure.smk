"""Measures of the codes that VQ-VAEs give: reconstruction error, and how the codes are used.

Inputs: all encoded shards of a split and their ledgers, the manifest for the order, the model, and the
pixels: clip tables, and staged shards where the recipe has them.
Outputs: results/{dataset}/{split}/measures/{recipe}.json and {recipe}.png.
"""


rule measure_codes:
    """Compare frames of some clips with what the model makes of their codes; count all codes."""
    input:
        manifest="results/{dataset}/{split}/manifest.parquet",
        learned=get_learned_table,
        clips=get_measured_clips,
        pixels=get_measured_pixels,
        codes=get_pack_shards,
        ledgers=get_pack_ledgers,
        weights=get_encode_weights,
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
        result=get_measure_result,
        codes="results/{dataset}/{split}/encoded/{recipe}",
        clips="results/{dataset}/{split}/clips",
        pixels=get_measured_folders,
    shell:
        "python {params.script:q} --manifest {input.manifest:q} --codes {params.codes:q}"
        " --clips {params.clips:q} --pixels {params.pixels:q} --weights {input.weights:q}"
        " --params {params.result:q} --output {output.values:q} --picture {output.picture:q}"
        " --gpus {resources.gpu} > {log:q} 2>&1"
