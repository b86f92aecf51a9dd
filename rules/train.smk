"""Training of the models that recipes encode with.

Inputs: the staged shards that the model's card names, or the published files that it names.
Outputs: resources/models/{dataset}/{model}/; of an imported one model.safetensors alone.
"""

from reelpack.workflow import train


rule train_vqvae:
    """Train a VQ-VAE on a dataset's own frames; a killed run goes on from its last checkpoint."""
    input:
        shards=bind(train.get_tables),
        frames=bind(train.get_pixels, ledger=False),
        ledgers=bind(train.get_pixels, ledger=True),
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
        model=get_others(SETTINGS.imported("model")),
    conda:
        "../envs/encode.yaml"
    threads: bind(train.get_threads)
    resources:
        gpu=bind(train.get_gpus),
    params:
        script=get_script("train_vqvae"),
        result=bind(train.get_result),
        folder=bind(train.get_folder),
        journal="resources/models/{dataset}/{model}/journal",
        tensorboard=bind(train.get_tensorboard),
        pictures=bind(train.get_pictures),
    shell:
        "python {params.script:q} --frames {params.folder:q}"
        " --params {params.result:q} --journal {params.journal:q} --model {output.model:q} --metrics {output.metrics:q}"
        " --picture {output.picture:q} --pictures-every {params.pictures} --tensorboard {params.tensorboard:q}"
        " --gpus {resources.gpu} > {log:q} 2>&1"


rule import_vqvae:
    """Take a VQ-VAE from the files that the published code wrote."""
    input:
        checkpoint=bind(train.get_checkpoint),
    output:
        model="resources/models/{dataset}/{model}/model.safetensors",
    log:
        "logs/import_vqvae/{dataset}/{model}.log",
    benchmark:
        "benchmarks/import_vqvae/{dataset}/{model}.tsv"
    wildcard_constraints:
        model=get_choice(SETTINGS.imported("model")),
    conda:
        "../envs/encode.yaml"
    params:
        script=get_script("import_vqvae"),
        result=bind(train.get_import_result),
        folder=bind(train.get_checkpoint_folder),
    shell:
        "python {params.script:q} --checkpoint {params.folder:q} --params {params.result:q}"
        " --model {output.model:q} > {log:q} 2>&1"
