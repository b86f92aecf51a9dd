"""Two ways to pixels: straight to a pack's image files, or staged as frames, then crops, that recipes share.

Inputs: results/{dataset}/{split}/clips/{shard}.parquet and its ledger.
Outputs: results/{dataset}/{split}/images/{recipe}/{shard}.tar, or
results/{dataset}/{split}/frames/{sampling}/{shard}.tar and
results/{dataset}/{split}/crops/{sampling}/{crop}/{shard}.tar, and their ledgers.
"""

from reelpack.workflow import download, frames


rule encode_images:
    """Decode, crop and encode the image files of a recipe without an encoder; a bad clip becomes a ledger row."""
    input:
        shard="results/{dataset}/{split}/shards/{shard}.parquet",
        clips="results/{dataset}/{split}/clips/{shard}.parquet",
        earlier="results/{dataset}/{split}/clips/{shard}.ledger.parquet",
    output:
        images="results/{dataset}/{split}/images/{recipe}/{shard}.tar",
        ledger="results/{dataset}/{split}/images/{recipe}/{shard}.ledger.parquet",
    log:
        "logs/encode_images/{dataset}/{split}/{recipe}/{shard}.log",
    benchmark:
        "benchmarks/encode_images/{dataset}/{split}/{recipe}/{shard}.tsv"
    conda:
        "../envs/frames.yaml"
    threads: 2
    params:
        script=get_script("encode_images"),
        result=bind(frames.get_images_result),
        ffmpeg=bind(frames.get_ffmpeg),
        retries=bind(download.get_retries),
        journal="results/{dataset}/{split}/journal/encode_images/{recipe}/{shard}",
    shell:
        "python {params.script:q} --clips {input.clips:q} --earlier {input.earlier:q}"
        " --params {params.result:q} --retries {params.retries:q} --journal {params.journal:q}"
        " --output {output.images:q} --ledger {output.ledger:q} --ffmpeg={params.ffmpeg:q}"
        " --threads {threads} > {log:q} 2>&1"


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
        " --output {output.frames:q} --ledger {output.ledger:q} --ffmpeg={params.ffmpeg:q}"
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
