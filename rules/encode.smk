"""From clips, or their staged pixels, to tokens or features.

Inputs: results/{dataset}/{split}/clips/{shard}.parquet, or staged shards, and a model's weights.
Outputs: results/{dataset}/{split}/encoded/{recipe}/{shard}.safetensors and its ledger.
Recipes of one group are first encoded together, into the journals of their own jobs:
results/{dataset}/{split}/groups/{group}/{shard}.done only says that this is over.
"""

from reelpack.workflow import download, encode, frames


rule encode_group:
    """Decode the clips of one shard once for all recipes of a group; what fails is left to their own jobs."""
    input:
        shard="results/{dataset}/{split}/shards/{shard}.parquet",
        learned=bind(encode.get_group_learned),
        clips="results/{dataset}/{split}/clips/{shard}.parquet",
        earlier="results/{dataset}/{split}/clips/{shard}.ledger.parquet",
        weights=bind(encode.get_group_weights),
    output:
        done="results/{dataset}/{split}/groups/{group}/{shard}.done",
    log:
        "logs/encode_group/{dataset}/{split}/{group}/{shard}.log",
    benchmark:
        "benchmarks/encode_group/{dataset}/{split}/{group}/{shard}.tsv"
    conda:
        "../envs/encode.yaml"
    threads: 2
    resources:
        gpu=1,
    params:
        script=get_script("encode_group"),
        result=bind(encode.get_group_result),
        retries=bind(download.get_retries),
        journals=bind(encode.get_group_journals),
    shell:
        "python {params.script:q} --clips {input.clips:q} --earlier {input.earlier:q}"
        " --weights {input.weights:q} --params {params.result:q} --retries {params.retries:q}"
        " --journals {params.journals:q} --output {output.done:q} --threads {threads}"
        " --gpus {resources.gpu} > {log:q} 2>&1"


rule encode_shard:
    """Encode every clip of one shard; a clip that fails becomes a ledger row."""
    input:
        shard="results/{dataset}/{split}/shards/{shard}.parquet",
        learned=bind(encode.get_learned),
        clips="results/{dataset}/{split}/clips/{shard}.parquet",
        pixels=bind(encode.get_pixels),
        earlier=bind(encode.get_earlier),
        weights=bind(encode.get_weights),
        group=bind(encode.get_group),
    output:
        codes="results/{dataset}/{split}/encoded/{recipe}/{shard}.safetensors",
        ledger="results/{dataset}/{split}/encoded/{recipe}/{shard}.ledger.parquet",
    log:
        "logs/encode_shard/{dataset}/{split}/{recipe}/{shard}.log",
    benchmark:
        "benchmarks/encode_shard/{dataset}/{split}/{recipe}/{shard}.tsv"
    conda:
        "../envs/encode.yaml"
    threads: 2
    resources:
        gpu=1,
    params:
        script=get_script("encode_shard"),
        result=bind(encode.get_result),
        ffmpeg=bind(frames.get_ffmpeg),
        retries=bind(download.get_retries),
        journal="results/{dataset}/{split}/journal/encode_shard/{recipe}/{shard}",
    shell:
        "python {params.script:q} --clips {input.clips:q} --pixels {input.pixels:q}"
        " --earlier {input.earlier:q} --weights {input.weights:q} --params {params.result:q}"
        " --retries {params.retries:q} --journal {params.journal:q} --output {output.codes:q}"
        " --ledger {output.ledger:q} --ffmpeg={params.ffmpeg:q} --threads {threads}"
        " --gpus {resources.gpu} > {log:q} 2>&1"
