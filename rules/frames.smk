"""The staged way to pixels: frames, then crops, kept as shards that recipes share.

Inputs: results/{dataset}/{split}/clips/{shard}.parquet and its ledger.
Outputs: results/{dataset}/{split}/frames/{sampling}/{shard}.tar,
results/{dataset}/{split}/crops/{sampling}/{crop}/{shard}.tar, and their ledgers.
"""

from reelpack.workflow import download, frames


rule extract_frames:
    """Decode the chosen frames of every clip of one shard, scaled; a bad clip becomes a ledger row."""
    input:
        shard="results/{dataset}/{split}/shards/{shard}.parquet",
        clips="results/{dataset}/{split}/clips/{shard}.parquet",
        earlier="results/{dataset}/{split}/clips/{shard}.ledger.parquet",
    output:
        frames="results/{dataset}/{split}/frames/{sampling}/{shard}.tar",
        ledger="results/{dataset}/{split}/frames/{sampling}/{shard}.ledger.parquet",
    log:
        "logs/extract_frames/{dataset}/{split}/{sampling}/{shard}.log",
    benchmark:
        "benchmarks/extract_frames/{dataset}/{split}/{sampling}/{shard}.tsv"
    conda:
        "../envs/frames.yaml"
    threads: 2
    params:
        script=get_script("extract_frames"),
        result=bind(frames.get_frames_result),
        ffmpeg=bind(frames.get_ffmpeg),
        retries=bind(download.get_retries),
        journal="results/{dataset}/{split}/journal/extract_frames/{sampling}/{shard}",
    shell:
        "python {params.script:q} --clips {input.clips:q} --earlier {input.earlier:q}"
        " --params {params.result:q} --retries {params.retries:q} --journal {params.journal:q}"
        " --output {output.frames:q} --ledger {output.ledger:q} --ffmpeg {params.ffmpeg:q}"
        " --threads {threads} > {log:q} 2>&1"


rule crop_frames:
    """Crop the frames of one shard."""
    input:
        shard="results/{dataset}/{split}/shards/{shard}.parquet",
        clips="results/{dataset}/{split}/clips/{shard}.parquet",
        frames="results/{dataset}/{split}/frames/{sampling}/{shard}.tar",
        earlier="results/{dataset}/{split}/frames/{sampling}/{shard}.ledger.parquet",
    output:
        frames="results/{dataset}/{split}/crops/{sampling}/{crop}/{shard}.tar",
        ledger="results/{dataset}/{split}/crops/{sampling}/{crop}/{shard}.ledger.parquet",
    log:
        "logs/crop_frames/{dataset}/{split}/{sampling}/{crop}/{shard}.log",
    benchmark:
        "benchmarks/crop_frames/{dataset}/{split}/{sampling}/{crop}/{shard}.tsv"
    conda:
        "../envs/frames.yaml"
    threads: 2
    params:
        script=get_script("crop_frames"),
        result=bind(frames.get_crop_result),
        retries=bind(download.get_retries),
        journal="results/{dataset}/{split}/journal/crop_frames/{sampling}/{crop}/{shard}",
    shell:
        "python {params.script:q} --clips {input.clips:q} --frames {input.frames:q}"
        " --earlier {input.earlier:q} --params {params.result:q}"
        " --retries {params.retries:q} --journal {params.journal:q} --output {output.frames:q}"
        " --ledger {output.ledger:q} --threads {threads} > {log:q} 2>&1"
