"""Audits: what of a dataset is published, listed, obtained, failed and missing, and the state of its files.

Inputs: the manifests alone, so that an audit fetches no video; the state of the downloads is a param.
Outputs: results/{dataset}/audit.json, audit.txt and audit_files.csv.
"""

from reelpack.workflow import looks, targets

for dataset in SETTINGS.datasets:

    rule:
        name:
            f"audit_{dataset}"
        input:
            manifests=targets.get_manifests(SETTINGS, dataset),
        output:
            values=f"results/{dataset}/audit.json",
            text=f"results/{dataset}/audit.txt",
            files=f"results/{dataset}/audit_files.csv",
        log:
            f"logs/audit/{dataset}.log",
        benchmark:
            f"benchmarks/audit/{dataset}.tsv"
        conda:
            "../envs/report.yaml"
        threads: 4
        params:
            script=get_script("audit"),
            dataset=dataset,
            asked=looks.get_audit_asked(SETTINGS, dataset),
            state=bind(looks.get_audit_state, dataset=dataset),
        shell:
            "python {params.script:q} {params.dataset:q} --asked {params.asked:q}"
            " --threads {threads} 2> {log:q}"
