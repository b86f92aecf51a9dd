"""The sound of clips, for packs that hold it.

Inputs: results/{dataset}/{split}/clips/{shard}.parquet and its ledger.
Outputs: results/{dataset}/{split}/audio/{audio}/{shard}.tar and its ledger.
"""

from reelpack.workflow import download, frames


rule extract_audio:
    """Take the sound of every clip of one shard as mp3; a clip without becomes a ledger row."""
    input:
        shard="results/{dataset}/{split}/shards/{shard}.parquet",
        clips="results/{dataset}/{split}/clips/{shard}.parquet",
        earlier="results/{dataset}/{split}/clips/{shard}.ledger.parquet",
    output:
        audio="results/{dataset}/{split}/audio/{audio}/{shard}.tar",
        ledger="results/{dataset}/{split}/audio/{audio}/{shard}.ledger.parquet",
    log:
        "logs/extract_audio/{dataset}/{split}/{audio}/{shard}.log",
    benchmark:
        "benchmarks/extract_audio/{dataset}/{split}/{audio}/{shard}.tsv"
    conda:
        "../envs/frames.yaml"
    threads: 2
    params:
        script=get_script("extract_audio"),
        result=bind(frames.get_audio_result),
        retries=bind(download.get_retries),
        journal="results/{dataset}/{split}/journal/extract_audio/{audio}/{shard}",
    shell:
        "python {params.script:q} --clips {input.clips:q} --earlier {input.earlier:q}"
        " --params {params.result:q} --retries {params.retries:q} --journal {params.journal:q}"
        " --output {output.audio:q} --ledger {output.ledger:q} --threads {threads}"
        " > {log:q} 2>&1"
