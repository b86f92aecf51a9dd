"""Training of the models that recipes encode with.

Inputs: the staged shards that the model's card names, or the published files that it names.
Outputs: resources/models/{dataset}/{model}/; of an imported one model.safetensors alone.
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
    wildcard_constraints:
        model=get_others(IMPORTED_MODELS),
    conda:
        "../envs/encode.yaml"
    threads: get_training_threads
    resources:
        gpu=get_training_gpus,
    params:
        script=get_script("train_vqvae"),
        result=get_model_result,
        folder=get_train_folder,
        journal="resources/models/{dataset}/{model}/journal",
        tensorboard=get_tensorboard,
        pictures=get_model_pictures,
    shell:
        "python {params.script:q} --frames {params.folder:q}"
        " --params {params.result:q} --journal {params.journal:q} --model {output.model:q} --metrics {output.metrics:q}"
        " --picture {output.picture:q} --pictures-every {params.pictures} --tensorboard {params.tensorboard:q}"
        " --gpus {resources.gpu} > {log:q} 2>&1"


rule import_vqvae:
    """Take a VQ-VAE from the files that the published code wrote."""
    input:
        checkpoint=get_checkpoint("model"),
    output:
        model="resources/models/{dataset}/{model}/model.safetensors",
    log:
        "logs/import_vqvae/{dataset}/{model}.log",
    benchmark:
        "benchmarks/import_vqvae/{dataset}/{model}.tsv"
    wildcard_constraints:
        model=get_choice(IMPORTED_MODELS),
    conda:
        "../envs/encode.yaml"
    params:
        script=get_script("import_vqvae"),
        result=get_import_result("model"),
        folder=get_checkpoint_folder,
    shell:
        "python {params.script:q} --checkpoint {params.folder:q} --params {params.result:q}"
        " --model {output.model:q} > {log:q} 2>&1"
