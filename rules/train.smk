"""Training of the models that recipes encode with.

Inputs: the staged shards that the model's card names.
Outputs: resources/models/{dataset}/{model}/.
"""


rule train_vqvae:
    """Train a VQ-VAE on a dataset's own frames; a killed run goes on from its last checkpoint."""
    input:
        shards=get_train_tables,
        frames=get_train_pixels("tar"),
        ledgers=get_train_pixels("ledger.parquet"),
    output:
        model="resources/models/{dataset}/{model}/model.safetensors",
        metrics="resources/models/{dataset}/{model}/metrics.csv",
        picture=report(
            "resources/models/{dataset}/{model}/reconstructions.png",
            caption="report/reconstructions.rst",
            category="{dataset}",
            subcategory="models",
            labels={"model": "{model}", "what": "reconstructions"},
        ),
    log:
        "logs/train_vqvae/{dataset}/{model}.log",
    benchmark:
        "benchmarks/train_vqvae/{dataset}/{model}.tsv"
    conda:
        "../envs/encode.yaml"
    threads: get_model_threads
    resources:
        gpu=1,
    params:
        script=get_script("train_vqvae"),
        result=get_model_result,
        folder=get_train_folder,
        journal="resources/models/{dataset}/{model}/journal",
    shell:
        "python {params.script:q} --frames {params.folder:q}"
        " --params {params.result:q} --journal {params.journal:q} --model {output.model:q} --metrics {output.metrics:q}"
        " --picture {output.picture:q} --gpus {resources.gpu} > {log:q} 2>&1"
