"""Video transformers: trained on packs of codes, or imported, and what they make of first frames.

Inputs: the packs that a transformer's card names, or a published checkpoint, and the VQ-VAE of the codes.
Outputs: resources/transformers/{dataset}/{transformer}/ and results/{dataset}/{split}/samples/{transformer}/;
beside the sheet and the table lie the samples' frames and videos, put there by the same rename, undeclared.
"""

from reelpack.workflow import train, transformer


rule train_transformer:
    """Train a video transformer on a pack of codes; a killed run goes on from its last checkpoint."""
    input:
        tables=bind(transformer.get_tables),
        checksums=bind(transformer.get_packs, file="checksums.sha256"),
        provenance=bind(transformer.get_packs, file="provenance.json"),
    output:
        model="resources/transformers/{dataset}/{transformer}/model.safetensors",
        metrics="resources/transformers/{dataset}/{transformer}/metrics.csv",
    log:
        "logs/train_transformer/{dataset}/{transformer}.log",
    benchmark:
        "benchmarks/train_transformer/{dataset}/{transformer}.tsv"
    wildcard_constraints:
        transformer=get_others(SETTINGS.imported("transformer")),
    conda:
        "../envs/encode.yaml"
    threads: bind(train.get_threads)
    resources:
        gpu=bind(train.get_gpus),
    params:
        script=get_script("train_transformer"),
        result=bind(transformer.get_result),
        codes=bind(transformer.get_codes),
        held_out=bind(transformer.get_held_out),
        journal="resources/transformers/{dataset}/{transformer}/journal",
        tensorboard=bind(train.get_tensorboard),
    shell:
        "python {params.script:q} --codes {params.codes:q} {params.held_out:q}"
        " --params {params.result:q} --journal {params.journal:q} --model {output.model:q}"
        " --metrics {output.metrics:q} --tensorboard {params.tensorboard:q} --gpus {resources.gpu}"
        " > {log:q} 2>&1"


rule import_transformer:
    """Take a video transformer from the file that the published code wrote."""
    input:
        checkpoint=bind(train.get_checkpoint),
    output:
        model="resources/transformers/{dataset}/{transformer}/model.safetensors",
    log:
        "logs/import_transformer/{dataset}/{transformer}.log",
    benchmark:
        "benchmarks/import_transformer/{dataset}/{transformer}.tsv"
    wildcard_constraints:
        transformer=get_choice(SETTINGS.imported("transformer")),
    conda:
        "../envs/encode.yaml"
    params:
        script=get_script("import_transformer"),
        result=bind(train.get_import_result),
    shell:
        "python {params.script:q} --checkpoint {input.checkpoint:q} --params {params.result:q}"
        " --model {output.model:q} > {log:q} 2>&1"


rule generate_videos:
    """Continue the first videos of a split from their first frames."""
    input:
        tables=bind(transformer.get_samples_tables),
        checksums=bind(transformer.get_continued_file, file="checksums.sha256"),
        provenance=bind(transformer.get_continued_file, file="provenance.json"),
        vqvae=bind(transformer.get_vqvae),
        model="resources/transformers/{dataset}/{transformer}/model.safetensors",
    output:
        sheet=report(
            "results/{dataset}/{split}/samples/{transformer}/samples.png",
            caption="report/samples.rst",
            category="{dataset}",
            subcategory="{split}",
            labels={"transformer": "{transformer}", "what": "samples"},
        ),
        table=report(
            "results/{dataset}/{split}/samples/{transformer}/samples.csv",
            caption="report/samples_table.rst",
            category="{dataset}",
            subcategory="{split}",
            labels={"transformer": "{transformer}", "what": "figures"},
        ),
    log:
        "logs/generate_videos/{dataset}/{split}/{transformer}.log",
    benchmark:
        "benchmarks/generate_videos/{dataset}/{split}/{transformer}.tsv"
    conda:
        "../envs/encode.yaml"
    resources:
        gpu=1,
    params:
        script=get_script("generate_videos"),
        result=bind(transformer.get_samples_result),
        codes=bind(transformer.get_continued_codes),
        folder=subpath(output.sheet, parent=True),
        journal="results/{dataset}/{split}/journal/generate_videos/{transformer}",
    shell:
        "python {params.script:q} --codes {params.codes:q} --vqvae {input.vqvae:q}"
        " --model {input.model:q} --params {params.result:q} --journal {params.journal:q}"
        " --output {params.folder:q} --gpus {resources.gpu} > {log:q} 2>&1"
