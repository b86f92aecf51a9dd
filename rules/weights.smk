"""Weights: fetched, checked by checksum before anything opens them, and converted once.

Inputs: none, or the local file that config.yaml names.
Outputs: resources/weights/{weights}/original and model.safetensors.
"""

from reelpack.workflow import weights


rule fetch_weights:
    """Fetch a weights file of weights.tsv and check its SHA-256."""
    input:
        checked=ancient(bind(weights.get_local_file, checked=True)),
        unchecked=bind(weights.get_local_file, checked=False),
    output:
        original="resources/weights/{weights}/original",
    log:
        "logs/fetch_weights/{weights}.log",
    benchmark:
        "benchmarks/fetch_weights/{weights}.tsv"
    conda:
        "../envs/weights.yaml"
    resources:
        downloads=1,
    params:
        script=get_script("fetch_weights"),
        result=bind(weights.get_result),
        entry=bind(weights.get_entry),
    shell:
        "python {params.script:q} --entry {params.entry:q} --output {output.original:q}"
        " > {log:q} 2>&1"


rule convert_weights:
    """Read the original file without running code in it, and write safetensors."""
    input:
        original="resources/weights/{weights}/original",
    output:
        model="resources/weights/{weights}/model.safetensors",
    log:
        "logs/convert_weights/{weights}.log",
    benchmark:
        "benchmarks/convert_weights/{weights}.tsv"
    conda:
        "../envs/weights.yaml"
    params:
        script=get_script("convert_weights"),
        result=bind(weights.get_result),
    shell:
        "python {params.script:q} --kind {wildcards.weights:q} --original {input.original:q}"
        " --output {output.model:q} > {log:q} 2>&1"
