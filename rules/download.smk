"""Videos of a shard: here, checksummed and probed.

Inputs: results/{dataset}/{split}/shards/{shard}.parquet, and the sources that a dataset's card names.
Outputs: results/{dataset}/{split}/downloads/{shard}.parquet and its ledger. The videos themselves lie,
undeclared, in resources/videos/{dataset}/ under their published names, or where the user has them.
"""

from reelpack.workflow import download


rule fetch_archives:
    """Fetch and unpack one part of a source's archives, unless every clip has its file already."""
    input:
        tables=bind(download.get_archives_tables),
    output:
        index="resources/archives/{dataset}/{source}/{part}.json",
    log:
        "logs/fetch_archives/{dataset}/{source}/{part}.log",
    benchmark:
        "benchmarks/fetch_archives/{dataset}/{source}/{part}.tsv"
    conda:
        "../envs/download.yaml"
    resources:
        downloads=1,
    params:
        script=get_script("fetch_archives"),
        result=bind(download.get_archives_result),
        options=bind(download.get_options),
        folder=subpath(output.index, parent=True),
    shell:
        "python {params.script:q} --params {params.result:q} --part {wildcards.part}"
        " --options {params.options:q} --tables {input.tables:q} --folder {params.folder:q}"
        " --index {output.index:q} > {log:q} 2>&1"


rule download_shard:
    """Fetch, checksum and probe the videos of one shard; a bad one becomes a ledger row."""
    input:
        shard="results/{dataset}/{split}/shards/{shard}.parquet",
        archives=bind(download.get_unpacked),
    output:
        probes="results/{dataset}/{split}/downloads/{shard}.parquet",
        ledger="results/{dataset}/{split}/downloads/{shard}.ledger.parquet",
    log:
        "logs/download_shard/{dataset}/{split}/{shard}.log",
    benchmark:
        "benchmarks/download_shard/{dataset}/{split}/{shard}.tsv"
    conda:
        "../envs/download.yaml"
    threads: 1
    resources:
        downloads=1,
    params:
        script=get_script("download_shard"),
        result=bind(download.get_result),
        sources=bind(download.get_sources),
        options=bind(download.get_options),
        limits=bind(download.get_limits),
        retries=bind(download.get_retries),
        journal="results/{dataset}/{split}/journal/download_shard/{shard}",
    shell:
        "python {params.script:q} --shard {input.shard:q} --params {params.result:q}"
        " --sources={params.sources:q} --archives {input.archives:q} --options {params.options:q}"
        " --limits {params.limits:q} --retries {params.retries:q} --journal {params.journal:q} --output {output.probes:q}"
        " --ledger {output.ledger:q} --threads {threads} > {log:q} 2>&1"
