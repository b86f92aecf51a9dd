"""All functions of the workflow: the config resolved, and what rules ask of it."""

import re
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError

sys.path.insert(0, f"{workflow.basedir}/scripts")

from reelpack.report.audit.asked import asked_of
from reelpack.report.audit.asked import state as audit_state
from reelpack.jobs.cli import use_this_interpreter
from reelpack.core.errors import UserError
from reelpack.config.recipes import Product, audio_slug, products
from reelpack.lists.fingerprints import watched_signature
from reelpack.report.asked import asked_for, state
from reelpack.core.results import Unrecorded, canonical, result
from reelpack.jobs.retries import read_retries
from reelpack.config.settings import Settings

use_this_interpreter()


def get_settings():
    """Check config.yaml and the cards it names; a mistake ends everything with one line."""
    try:
        settings = Settings(config, Path(workflow.basedir))
        for dataset in settings.datasets.values():
            dataset.check_videos()
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return settings


SETTINGS = get_settings()


def get_choice(names):
    """Return a pattern that matches exactly these names."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def get_others(names):
    """Return a pattern that matches any name of a model but these."""
    return rf"(?!(?:{get_choice(names)})(?:[/.]|$))[a-z0-9]+(?:[_-][a-z0-9]+)*"


def get_script(name):
    """Return a command of scripts/ as a Path: paths are not recorded, so moving or touching reruns nothing."""
    return Path(workflow.basedir) / "scripts" / f"{name}.py"


def get_products():
    """Return every product that a recipe or a model in use is made from, by its two slugs."""
    cards = [SETTINGS.recipe(r) for d in SETTINGS.datasets.values() for r in d.recipes]
    cards += [SETTINGS.model(name) for name in SETTINGS.models]
    found = [product for card in cards for product in products(card)]
    whole = [Product(product.frames, None) for product in found]
    return {(p.sampling_slug, p.crop_slug): p for p in found + whole}


PRODUCTS = get_products()
IMPORTED_MODELS = [
    name for name in SETTINGS.models if SETTINGS.checkpoint_files("model", name)
]
IMPORTED_TRANSFORMERS = [
    name
    for name in SETTINGS.transformers
    if SETTINGS.checkpoint_files("transformer", name)
]


# ---- targets -----------------------------------------------------------------------------------


def get_all():
    """Return the datasets that the target `all` builds."""
    return [name for name, data in SETTINGS.datasets.items() if data.in_all]


def get_splits(datasets):
    """Return (dataset, split) of all that is built of these datasets."""
    return [
        (name, split) for name in datasets for split in SETTINGS.datasets[name].shards
    ]


def get_packs(datasets):
    """Return the provenance files of all packs of these datasets: each is the last file of its pack."""
    return [
        f"results/{name}/{split}/packs/{recipe}/provenance.json"
        for name, split in get_splits(datasets)
        for recipe in SETTINGS.datasets[name].recipes
    ]


def get_samples(datasets):
    """Return the tables of what the transformers of these datasets generate."""
    pattern = "results/{dataset}/{split}/samples/{transformer}/samples.csv"
    cards = [
        (dataset, name, SETTINGS.transformer(name))
        for dataset in datasets
        for name in SETTINGS.datasets[dataset].transformers
    ]
    return [
        pattern.format(
            dataset=dataset, split=card["samples"]["split"], transformer=name
        )
        for dataset, name, card in cards
    ]


def get_measures(datasets):
    """Return the measures of all recipes of these datasets whose codes can be turned into pictures."""
    return [
        f"results/{name}/{split}/measures/{recipe}.json"
        for name, split in get_splits(datasets)
        for recipe in SETTINGS.datasets[name].recipes
        if SETTINGS.is_measured(recipe)
    ]


def get_weights():
    """Return the original files of all weights that `all` encodes with."""
    recipes = {r for name in get_all() for r in SETTINGS.datasets[name].recipes}
    encoders = [SETTINGS.recipe(recipe)["encoder"] or {} for recipe in sorted(recipes)]
    names = {encoder["weights"] for encoder in encoders if "weights" in encoder}
    return [f"resources/weights/{name}/original" for name in sorted(names)]


def get_downloads():
    """Return the ledgers of all downloads that `all` needs."""
    return [
        path
        for name, split in get_splits(get_all())
        for path in get_shard_files(
            name, split, "results/{dataset}/{split}/downloads/{shard}.ledger.parquet"
        )
    ]


def get_shard_files(dataset, split, pattern):
    """Return a pattern filled in for all shards of a split."""
    return expand(
        pattern, dataset=dataset, split=split, shard=SETTINGS.shards(dataset, split)
    )


def get_folders(patterns, wildcards):
    """Return the folders of files that are given by patterns, with their wildcards filled in."""
    place = dict(wildcards.items())
    return [str(Path(pattern).parent).format(**place) for pattern in patterns]


# ---- manifest and download ---------------------------------------------------------------------


def get_annotations_result(wildcards):
    """Return fetch_annotations' result string."""
    return canonical(SETTINGS.datasets[wildcards.dataset].annotations_result())


def get_made_files(wildcards):
    """Return the annotation files of a dataset that a rule makes."""
    return SETTINGS.datasets[wildcards.dataset].made_files()


def get_access(wildcards):
    """Return what the card says of how to get at the data."""
    return Unrecorded(SETTINGS.datasets[wildcards.dataset].card.get("access", ""))


def get_download_options(wildcards):
    """Return how to download; another way of it runs nothing again."""
    return Unrecorded(canonical(SETTINGS.download_options()))


def get_list(dataset):
    """Return the file that lists a dataset; a folder is no input, its state is a param."""
    data = SETTINGS.datasets[dataset]
    if data.is_annotated:
        return [f"resources/annotations/{dataset}.json"]
    return [data.videos] if data.is_list else []


def get_annotations_option(dataset):
    """Return the option that tells make_manifest where annotations are, if the dataset has any."""
    if not SETTINGS.datasets[dataset].is_annotated:
        return []
    return ["--annotations", f"resources/annotations/{dataset}"]


@cache
def get_signature(dataset):
    """Return the state of a dataset's own videos, "" where nobody watches them."""
    return watched_signature(SETTINGS, dataset)


def get_manifest_result(dataset, split):
    """Return make_manifest's result string, with the state of own videos in it."""

    def manifest_result(wildcards):
        try:
            result = SETTINGS.manifest_result(
                dataset, split, signature=get_signature(dataset)
            )
            return canonical(result)
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return manifest_result


def get_archives(wildcards):
    """Return one archives source of a dataset, by its number."""
    found = SETTINGS.datasets[wildcards.dataset].archives()
    return next(each for each in found if each.number == int(wildcards.source))


def get_archives_result(wildcards):
    """Return fetch_archives' result string."""
    data = SETTINGS.datasets[wildcards.dataset]
    return canonical(data.archives_result(get_archives(wildcards)))


def get_archives_tables(wildcards):
    """Return the shard tables of the splits that an archives source serves."""
    served = get_archives(wildcards).source
    pattern = "results/{dataset}/{split}/shards/{shard}.parquet"
    return [
        path
        for name, split in get_splits([wildcards.dataset])
        if split in served.get("splits", [split])
        for path in get_shard_files(name, split, pattern)
    ]


def get_unpacked(wildcards):
    """Return the indexes of all archives that a split's clips may come from."""
    return [
        f"resources/archives/{wildcards.dataset}/{each.number}/{part}.json"
        for each in SETTINGS.datasets[wildcards.dataset].archives(wildcards.split)
        for part in range(each.parts)
    ]


def get_sources(wildcards):
    """Return where videos that are not here come from, "" for own videos."""
    data = SETTINGS.datasets[wildcards.dataset]
    sources = data.fetched_sources(wildcards.split)
    return canonical({"sources": sources, "windows": data.windows}) if sources else ""


def get_stage_result(stage):
    """Return the result string of a stage that no recipe changes."""
    return canonical(result(stage, {}))


def get_trim_result(wildcards):
    """Return trim_shard's result string."""
    return canonical(SETTINGS.datasets[wildcards.dataset].trim_result())


def get_trim_threads(wildcards):
    """Return how many clips are cut at a time; windows alone cost nothing."""
    return 1 if SETTINGS.datasets[wildcards.dataset].trim == "virtual" else 8


def get_trim_folder(name):
    """Return a param function for one of trim_shard's folders: where files lie is no result."""
    pattern = {
        "journal": "results/{dataset}/{split}/journal/trim_shard/{shard}",
        "clips": "resources/clips/{dataset}",
    }[name]
    return lambda wildcards: Unrecorded(pattern.format(**dict(wildcards.items())))


def get_retries(wildcards):
    """Return how often failures of this shard were to be retried, as JSON."""
    return read_retries(
        Path(f"results/{wildcards.dataset}/{wildcards.split}/retries.json"),
        wildcards.shard,
    )


# ---- weights -----------------------------------------------------------------------------------


def get_weights_result(wildcards):
    """Return what identifies a weights file."""
    return canonical(SETTINGS.weights_key(wildcards.weights))


def get_weights_entry(wildcards):
    """Return where a weights file comes from and what its checksum must be, as JSON."""
    entry = SETTINGS.registry[wildcards.weights]
    return canonical(
        {
            **SETTINGS.weights_key(wildcards.weights),
            "url": entry.url,
            "path": str(entry.path or ""),
        }
    )


def get_weights_file(wildcards):
    """Return the local file that the config names for these weights, if any.

    Where its checksum is known that decides; without one only its time can tell that it changed.
    """
    entry = SETTINGS.registry[wildcards.weights]
    path = SETTINGS.weights_path(wildcards.weights)
    if path is None:
        return []
    return [ancient(path) if entry.sha256 else path]


# ---- frames ------------------------------------------------------------------------------------


def get_frames_result(wildcards):
    """Return extract_frames' result string."""
    return canonical(SETTINGS.frames_result(PRODUCTS[wildcards.sampling, "whole"]))


def get_crop_result(wildcards):
    """Return crop_frames' result string."""
    return canonical(SETTINGS.crop_result(PRODUCTS[wildcards.sampling, wildcards.crop]))


def get_pixels(product, ending):
    """Return the path, still with wildcards, of a product's staged shard or its ledger."""
    folder = "results/{dataset}/{split}"
    if product.crop is None:
        return f"{folder}/frames/{product.sampling_slug}/{{shard}}.{ending}"
    return (
        f"{folder}/crops/{product.sampling_slug}/{product.crop_slug}/{{shard}}.{ending}"
    )


# ---- sound -------------------------------------------------------------------------------------


def get_audio_result(wildcards):
    """Return extract_audio's result string."""
    cards = [SETTINGS.recipe(r) for d in SETTINGS.datasets.values() for r in d.recipes]
    sounds = [card["audio"] for card in cards if card["audio"] is not None]
    found, *_ = (s for s in sounds if audio_slug(s) == wildcards.audio)
    return canonical(SETTINGS.audio_result(found))


# ---- training ----------------------------------------------------------------------------------


def get_train_folder(wildcards):
    """Return the folder of the staged shards that a model learns from."""
    model = SETTINGS.model(wildcards.model)
    pattern = str(Path(get_pixels(products(model)[0], "tar")).parent)
    return pattern.format(dataset=model["dataset"], split=model["split"])


def get_train_pixels(ending):
    """Return an input function for the staged shards, or their ledgers, that a model learns from."""

    def train_pixels(wildcards):
        model = SETTINGS.model(wildcards.model)
        pattern = get_pixels(products(model)[0], ending)
        shards = SETTINGS.model_shards(wildcards.model)
        return expand(
            pattern, dataset=model["dataset"], split=model["split"], shard=shards
        )

    return train_pixels


def get_train_tables(wildcards):
    """Return the tables of the shards that a model learns from."""
    model = SETTINGS.model(wildcards.model)
    folder = f"results/{model['dataset']}/{model['split']}/shards"
    return [
        f"{folder}/{shard}.parquet" for shard in SETTINGS.model_shards(wildcards.model)
    ]


def get_first_table(dataset, split):
    """Return one table of a split; see manifest.smk for why."""
    return (
        f"results/{dataset}/{split}/shards/{SETTINGS.shards(dataset, split)[0]}.parquet"
    )


def get_learned_table(wildcards):
    """Return one table of what a recipe's model learned from; see manifest.smk for why."""
    encoder = SETTINGS.recipe(wildcards.recipe)["encoder"]
    if encoder is None or "model" not in encoder or encoder["model"] in IMPORTED_MODELS:
        return []
    model = SETTINGS.model(encoder["model"])
    return [get_first_table(model["dataset"], model["split"])]


def get_model_result(wildcards):
    """Return train_vqvae's result string."""
    shards = SETTINGS.model_shards(wildcards.model)
    return canonical({**SETTINGS.model_result(wildcards.model), "shards": shards})


def get_training(wildcards):
    """Return what the card of a model or of a transformer says of its training."""
    if "model" in wildcards.keys():
        return SETTINGS.model(wildcards.model)["training"]
    return SETTINGS.transformer(wildcards.transformer)["training"]


def get_training_threads(wildcards):
    """Return the threads that a card fixes, of all processes of its training together."""
    training = get_training(wildcards)
    return training["threads"] * training["devices"]


def get_training_gpus(wildcards):
    """Return how many GPUs a card trains on, all on one node."""
    return get_training(wildcards)["devices"]


def get_model_pictures(wildcards):
    """Return the steps between pictures; they are no part of the result."""
    return Unrecorded(str(get_training(wildcards)["pictures_every"]))


def get_tensorboard(wildcards):
    """Return the folder for a training's event files, which bear times and are no result."""
    name = wildcards.get("model") or wildcards.transformer
    return Unrecorded(f"logs/tensorboard/{wildcards.dataset}/{name}")


def get_checkpoint(kind):
    """Return an input function for the published files that a model or a transformer is imported from."""
    return lambda wildcards: SETTINGS.checkpoint_files(kind, wildcards[kind])


def get_checkpoint_folder(wildcards):
    """Return the folder of published files that a model is imported from."""
    return SETTINGS.model(wildcards.model)["checkpoint"]


def get_import_result(kind):
    """Return a param function for the result string of import_vqvae or import_transformer."""
    return lambda wildcards: canonical(SETTINGS.import_result(kind, wildcards[kind]))


# ---- encoding ----------------------------------------------------------------------------------


def get_encode_pixels(wildcards):
    """Return the staged shards to encode; none when streamed."""
    recipe = SETTINGS.recipe(wildcards.recipe)
    return (
        [get_pixels(p, "tar") for p in products(recipe)]
        if recipe["mode"] == "staged"
        else []
    )


def get_encode_earlier(wildcards):
    """Return the ledgers of the stage before encoding."""
    recipe = SETTINGS.recipe(wildcards.recipe)
    if recipe["mode"] == "staged":
        return [get_pixels(product, "ledger.parquet") for product in products(recipe)]
    return ["results/{dataset}/{split}/clips/{shard}.ledger.parquet"]


def get_encode_weights(wildcards):
    """Return the safetensors file that a recipe encodes with."""
    encoder = SETTINGS.recipe(wildcards.recipe)["encoder"]
    if "weights" in encoder:
        return f"resources/weights/{encoder['weights']}/model.safetensors"
    model = encoder["model"]
    dataset = SETTINGS.model(model)["dataset"]
    return f"resources/models/{dataset}/{model}/model.safetensors"


def get_encode_group(wildcards):
    """Return the file that says that the recipe's group has been encoded, if it shares a decode.

    What was encoded before does not wait for its group: a recipe that joins a group, and has it run
    again, is to leave the others as they are.
    """
    place = "results/{dataset}/{split}"
    codes = f"{place}/encoded/{{recipe}}/{{shard}}.safetensors"
    shared = SETTINGS.group(wildcards.dataset, wildcards.recipe)
    if not shared or Path(codes.format(**dict(wildcards.items()))).exists():
        return []
    group = SETTINGS.recipe(wildcards.recipe)["group"]
    return [f"{place}/groups/{group}/{{shard}}.done"]


def get_group_members(wildcards):
    """Return the recipes of a group, sorted."""
    return SETTINGS.group_members(wildcards.dataset, wildcards.group)


def get_of_group(get):
    """Return an input function that gives for a group what `get` gives for each of its recipes."""

    def of_group(wildcards):
        place = dict(wildcards.items())
        found = []
        for recipe in get_group_members(wildcards):
            paths = get(SimpleNamespace(**place, recipe=recipe))
            found += [paths] if isinstance(paths, str) else paths
        return found

    return of_group


def get_group_result(wildcards):
    """Return encode_group's result string."""
    return canonical(SETTINGS.group_result(wildcards.dataset, wildcards.group))


def get_group_journals(wildcards):
    """Return the journals of the recipes' own jobs."""
    folder = f"results/{wildcards.dataset}/{wildcards.split}/journal/encode_shard"
    return [f"{folder}/{r}/{wildcards.shard}" for r in get_group_members(wildcards)]


get_group_weights = get_of_group(get_encode_weights)
get_group_tables = get_of_group(get_learned_table)


def get_encode_result(wildcards):
    """Return encode_shard's result string."""
    return canonical(SETTINGS.encode_result(wildcards.recipe))


# ---- packs -------------------------------------------------------------------------------------


def get_pack_patterns(recipe, ending):
    """Return the paths, still with wildcards, of the shards or ledgers that a pack is made from."""
    card = SETTINGS.recipe(recipe)
    if card["encoder"] is None:
        patterns = [get_pixels(product, ending) for product in products(card)]
        if card["audio"] is not None:
            audio = audio_slug(card["audio"])
            patterns.append(
                f"results/{{dataset}}/{{split}}/audio/{audio}/{{shard}}.{ending}"
            )
        return patterns
    ending = "safetensors" if ending == "tar" else ending
    return [f"results/{{dataset}}/{{split}}/encoded/{recipe}/{{shard}}.{ending}"]


def get_pack_files(wildcards, ending):
    """Return the shards, or the ledgers, that a pack is made from."""
    place = dict(wildcards.items())
    shards = SETTINGS.shards(wildcards.dataset, wildcards.split)
    patterns = get_pack_patterns(wildcards.recipe, ending)
    return [
        path for pattern in patterns for path in expand(pattern, **place, shard=shards)
    ]


def get_pack_shards(wildcards):
    """Return the shards that a pack is made from."""
    return get_pack_files(wildcards, "tar")


def get_pack_ledgers(wildcards):
    """Return the ledgers of the shards that a pack is made from."""
    return get_pack_files(wildcards, "ledger.parquet")


def get_pack_folders(wildcards):
    """Return the folders of the shards that a pack is made from, in the order of its crop sets."""
    return get_folders(get_pack_patterns(wildcards.recipe, "tar"), wildcards)


def get_pack_threads(wildcards):
    """Return how many cores a pack is written with: several where pictures are encoded for it."""
    image = SETTINGS.recipe(wildcards.recipe)["pack"].get("image", "png")
    return 1 if image == "png" else 4


def get_pack_result(wildcards):
    """Return write_pack's result string."""
    return canonical(
        SETTINGS.pack_result(wildcards.dataset, wildcards.split, wildcards.recipe)
    )


# ---- transformers ------------------------------------------------------------------------------


def get_learned_packs(transformer):
    """Return the packs that a transformer learns from and is measured on."""
    card = SETTINGS.transformer(transformer)
    splits = [card["split"], card["held_out"]]
    return [
        f"results/{card['dataset']}/{split}/packs/{card['recipe']}"
        for split in splits
        if split is not None
    ]


def get_transformer_packs(name):
    """Return an input function for one file of each pack that a transformer depends on."""
    return lambda wildcards: [
        f"{pack}/{name}" for pack in get_learned_packs(wildcards.transformer)
    ]


def get_transformer_codes(wildcards):
    """Return the pack that a transformer learns from."""
    return get_learned_packs(wildcards.transformer)[0]


def get_transformer_held_out(wildcards):
    """Return the option that names the pack that a transformer is measured on, if there is one."""
    return [
        part
        for pack in get_learned_packs(wildcards.transformer)[1:]
        for part in ("--held-out", pack)
    ]


def get_code_tables(transformer, splits):
    """Return one table of each of these splits, and of what the VQ-VAE of the codes learned from."""
    card = SETTINGS.transformer(transformer)
    own = [get_first_table(card["dataset"], split) for split in splits if split]
    learned = get_learned_table(SimpleNamespace(recipe=card["recipe"]))
    return sorted({*own, *learned})


def get_transformer_tables(wildcards):
    """Return one table of each split that a transformer depends on; see manifest.smk for why."""
    card = SETTINGS.transformer(wildcards.transformer)
    return get_code_tables(wildcards.transformer, [card["split"], card["held_out"]])


def get_transformer_result(wildcards):
    """Return train_transformer's result string."""
    return canonical(SETTINGS.transformer_result(wildcards.transformer))


def get_generate_codes(wildcards):
    """Return the pack whose videos are continued."""
    recipe = SETTINGS.transformer(wildcards.transformer)["recipe"]
    return f"results/{wildcards.dataset}/{wildcards.split}/packs/{recipe}"


def get_generate_files(name):
    """Return an input function for one file of the pack whose videos are continued."""
    return lambda wildcards: f"{get_generate_codes(wildcards)}/{name}"


def get_generate_tables(wildcards):
    """Return one table of each split that samples depend on; see manifest.smk for why."""
    splits = [wildcards.split]
    if wildcards.transformer not in IMPORTED_TRANSFORMERS:
        card = SETTINGS.transformer(wildcards.transformer)
        splits += [card["split"], card["held_out"]]
    return get_code_tables(wildcards.transformer, splits)


def get_generate_vqvae(wildcards):
    """Return the VQ-VAE that a transformer's codes are of."""
    card = SETTINGS.transformer(wildcards.transformer)
    return get_encode_weights(SimpleNamespace(recipe=card["recipe"]))


def get_generate_result(wildcards):
    """Return generate_videos' result string."""
    return canonical(SETTINGS.generate_result(wildcards.transformer))


# ---- measures ----------------------------------------------------------------------------------


def get_measured_patterns(recipe):
    """Return the paths, still with wildcards, of a recipe's staged shards; none when streamed."""
    card = SETTINGS.recipe(recipe)
    is_staged = card["mode"] == "staged"
    return [get_pixels(p, "tar") for p in products(card)] if is_staged else []


def get_measured_clips(wildcards):
    """Return the clip tables of a split."""
    pattern = "results/{dataset}/{split}/clips/{shard}.parquet"
    return get_shard_files(wildcards.dataset, wildcards.split, pattern)


def get_measured_pixels(wildcards):
    """Return the staged shards of a split that a recipe's codes are compared with."""
    return [
        path
        for pattern in get_measured_patterns(wildcards.recipe)
        for path in get_shard_files(wildcards.dataset, wildcards.split, pattern)
    ]


def get_measured_folders(wildcards):
    """Return the folders of these staged shards, as JSON: both modes measure the same."""
    patterns = get_measured_patterns(wildcards.recipe)
    return Unrecorded(canonical(get_folders(patterns, wildcards)))


def get_measure_result(wildcards):
    """Return measure_codes' result string."""
    return canonical(
        SETTINGS.measure_result(wildcards.dataset, wildcards.split, wildcards.recipe)
    )


# ---- report ------------------------------------------------------------------------------------


def get_asked():
    """Return what config.yaml asks for, as the report reads it."""
    return canonical(asked_for(SETTINGS, Path()))


def get_report_state(wildcards):
    """Return the state of all that a report reads: with other results it is another report."""
    return state(Path())


# ---- audits ------------------------------------------------------------------------------------


def get_manifests(dataset):
    """Return the manifests of all splits of a dataset."""
    return [
        f"results/{name}/{split}/manifest.parquet"
        for name, split in get_splits([dataset])
    ]


def get_audit_asked(dataset):
    """Return what there should be of a dataset, as JSON."""
    return asked_of(SETTINGS.datasets[dataset]).to_json()


def get_audit_state(dataset):
    """Return the state of a dataset's downloads and of own videos: with another one it is another audit."""

    def state_of_dataset(wildcards):
        lists = [
            get_manifest_result(dataset, split)(wildcards)
            for _, split in get_splits([dataset])
        ]
        return canonical([audit_state(Path("results") / dataset), *lists])

    return state_of_dataset
