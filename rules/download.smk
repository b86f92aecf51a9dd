"""Videos of a shard: here, checksummed and probed.

Inputs: results/{dataset}/{split}/shards/{shard}.parquet.
Outputs: results/{dataset}/{split}/downloads/{shard}.parquet and its ledger.
"""


rule download_shard:
    """Check, checksum and probe the videos of one shard; a bad one becomes a ledger row."""
    input:
        shard="results/{dataset}/{split}/shards/{shard}.parquet",
    output:
        probes="results/{dataset}/{split}/downloads/{shard}.parquet",
        ledger="results/{dataset}/{split}/downloads/{shard}.ledger.parquet",
    log:
        "logs/download_shard/{dataset}/{split}/{shard}.log",
    benchmark:
        "benchmarks/download_shard/{dataset}/{split}/{shard}.tsv"
    conda:
        "../envs/frames.yaml"
    threads: 1
    resources:
        downloads=1,
    params:
        script=get_script("download_shard"),
        result=get_stage_result("download_shard"),
        retries=get_retries,
        journal="results/{dataset}/{split}/journal/download_shard/{shard}",
    shell:
        "python {params.script:q} --shard {input.shard:q} --params {params.result:q}"
        " --retries {params.retries:q} --journal {params.journal:q} --output {output.probes:q}"
        " --ledger {output.ledger:q} --threads {threads} > {log:q} 2>&1"
