"""From videos to clips: windows that decoders keep to.

Inputs: shard table, probes and ledger of download_shard.
Outputs: results/{dataset}/{split}/clips/{shard}.parquet and its ledger.
"""


rule trim_shard:
    """Turn the videos of one shard into clips; no file is cut."""
    input:
        shard="results/{dataset}/{split}/shards/{shard}.parquet",
        probes="results/{dataset}/{split}/downloads/{shard}.parquet",
        earlier="results/{dataset}/{split}/downloads/{shard}.ledger.parquet",
    output:
        clips="results/{dataset}/{split}/clips/{shard}.parquet",
        ledger="results/{dataset}/{split}/clips/{shard}.ledger.parquet",
    log:
        "logs/trim_shard/{dataset}/{split}/{shard}.log",
    benchmark:
        "benchmarks/trim_shard/{dataset}/{split}/{shard}.tsv"
    conda:
        "../envs/frames.yaml"
    threads: 1
    params:
        script=get_script("trim_shard"),
        result=get_stage_result("trim_shard"),
        retries=get_retries,
    shell:
        "python {params.script:q} --shard {input.shard:q} --probes {input.probes:q}"
        " --earlier {input.earlier:q} --params {params.result:q} --output {output.clips:q}"
        " --ledger {output.ledger:q} > {log:q} 2>&1"
