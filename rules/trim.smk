"""From videos to clips: windows that decoders keep to, or files that are cut out.

Inputs: shard table, probes and ledger of download_shard.
Outputs: results/{dataset}/{split}/clips/{shard}.parquet and its ledger. Files that are cut lie in
resources/clips/{dataset}/, outside the workflow's outputs, as downloads do.
"""

from reelpack.workflow import download, trim


rule trim_shard:
    """Turn the videos of one shard into clips; how is the dataset's key trim."""
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
    threads: bind(trim.get_threads)
    params:
        script=get_script("trim_shard"),
        result=bind(trim.get_result),
        retries=bind(download.get_retries),
        journal=bind(trim.get_journal),
        folder=bind(trim.get_folder),
    shell:
        "python {params.script:q} --shard {input.shard:q} --probes {input.probes:q}"
        " --earlier {input.earlier:q} --params {params.result:q} --retries {params.retries:q}"
        " --journal {params.journal:q} --folder {params.folder:q} --split {wildcards.split:q}"
        " --output {output.clips:q} --ledger {output.ledger:q} --threads {threads} > {log:q} 2>&1"
