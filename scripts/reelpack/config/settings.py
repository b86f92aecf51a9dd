"""config.yaml and the cards it names, checked and resolved into what the rules ask for.

Only the cards that the config names are read, each when it is first asked for; never a manifest or
a ledger. Flows in: config mapping and project folder. Flows out: datasets, splits, recipes, models,
transformers, result strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from reelpack.config import recipes as recipe_rules
from reelpack.config.datasets import Dataset, card_dataset, own_dataset
from reelpack.config.encoder_cards import CARDS
from reelpack.config.lvt_files import vqvae_files
from reelpack.config.pack_rules import FORMAT_RULES
from reelpack.config.recipes import Product, products
from reelpack.config.schema import check, load_yaml
from reelpack.config.training import USUAL, check_sharing, decisive, without_usual
from reelpack.config.transformer_cards import check_recipe_of, check_transformer
from reelpack.config.weights_registry import WeightsEntry, load_registry
from reelpack.core.errors import UserError
from reelpack.core.results import STAGE_VERSIONS, result

NAME = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
RESERVED = frozenset(
    {
        *(
            "all",
            "make_demo",
            "make_bair_toy",
            "fetch_weights",
            "convert_weights",
            "report",
            "download",
        ),
        *STAGE_VERSIONS,
    }
)
# What says how a recipe is made, not what comes out.
NOT_IN_RESULTS = frozenset({"description", "mode", "group"})


class Settings:
    """The config with everything it refers to.

    Args:
        config: the mapping that Snakemake read.
        base: the project folder with `datasets/`, `recipes/`, `models/`, `transformers/` and
            `weights.tsv`.

    Raises:
        UserError: one line that names the key, what it may be, and where.
    """

    def __init__(self, config: Mapping[str, Any], base: Path) -> None:
        self.base = base
        self.config = check("config", dict(config), where="config")
        self._given = config
        self._cards: dict[tuple[str, str], dict[str, Any]] = {}
        self.datasets = {name: self._dataset(name) for name in self.config["datasets"]}
        for dataset in self.datasets.values():
            for name in dataset.recipes:
                self.recipe(name, where=f"config: datasets.{dataset.name}.recipes")
            for name in dataset.transformers:
                self._check_listed(name, dataset.name)
        if self.config["weights"]:
            _ = self.registry

    @property
    def max_failed(self) -> float:
        """Largest fraction of a split that may fail before write_pack stops."""
        return float(self.config["max_failed"])

    @cached_property
    def registry(self) -> Mapping[str, WeightsEntry]:
        """The rows of weights.tsv with the config's overrides laid over."""
        return load_registry(self.base / "weights.tsv", overrides=self.config["weights"])

    def weights_path(self, name: str) -> str | None:
        """The local file that stands in for the registry's address, if the config names one."""
        path = self.registry[name].path
        return str(path) if path else None

    def _dataset(self, name: str) -> Dataset:
        where = f"config: datasets.{name}"
        reserved = name in RESERVED or name.startswith(("make_manifest_", "audit_"))
        if not NAME.fullmatch(name) or reserved:
            reason = "is a rule's name" if reserved else "is no dataset name"
            raise UserError(
                f"{where}: {name!r} {reason}; allowed: {NAME.pattern}, and no rule's name"
            )
        asked = self.config["datasets"][name]
        path = self.base / "datasets" / f"{name}.yaml"
        if path.exists():
            return card_dataset(name, asked, path=path, given=self._given["datasets"][name])
        return own_dataset(name, asked, base=self.base)

    def _card(
        self, kind: str, name: str, *, where: str, chain: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Read a recipe, model or transformer with its `extends` resolved, not yet checked."""
        folder = f"{kind}s"
        own = self.config[folder].get(name) if name not in chain else None
        path = self.base / folder / f"{name}.yaml"
        if own is None:
            if not NAME.fullmatch(name) or not path.exists():
                known = {p.stem for p in (self.base / folder).glob("*.yaml")} | set(
                    self.config[folder]
                )
                raise UserError(
                    f"{where}: no {kind} {name!r}; one of: {', '.join(sorted(known, key=str))}"
                )
            own = load_yaml(path)
        if not isinstance(own, dict):
            raise UserError(f"{folder}: {name}: not a mapping")
        if "extends" not in own:
            return own
        change = {key: value for key, value in own.items() if key != "extends"}
        parent = str(own["extends"])
        extends = f"{kind} {name}: extends"
        if parent in chain or (parent == name and not path.exists()):
            raise UserError(f"{extends}: goes round in a circle: {parent}")
        base = self._card(kind, parent, where=extends, chain=(*chain, name))
        return recipe_rules.merge(base, change)

    def recipe(self, name: str, *, where: str = "config") -> dict[str, Any]:
        """Return a recipe, complete and checked; `where` it is asked for stands in errors."""
        if ("recipe", name) not in self._cards:
            if not NAME.fullmatch(name):
                raise UserError(f"{where}: {name!r} is no recipe name; allowed: {NAME.pattern}")
            card = self._card("recipe", name, where=where)
            where = f"recipe {name}"
            recipe = recipe_rules.one_spelling(check("recipe", card, where=where))
            recipe_rules.check_recipe(recipe, where=where)
            if recipe["encoder"] is None:
                recipe["mode"] = "staged"
            else:
                self._check_encoder(recipe, where)
                if self.config["frames_mode"] != "recipe":
                    recipe["mode"] = self.config["frames_mode"]
            self._cards["recipe", name] = recipe
        return self._cards["recipe", name]

    def _check_encoder(self, recipe: Mapping[str, Any], where: str) -> None:
        encoder = recipe["encoder"]
        if "weights" in encoder and encoder["weights"] not in self.registry:
            raise UserError(
                f"{where}: encoder.weights: no weights {encoder['weights']!r};"
                f" one of: {', '.join(sorted(self.registry))}"
            )
        if "model" in encoder:
            model = self.model(encoder["model"], where=f"{where}: encoder.model")
            books = model["architecture"]["codebooks"]
            packed = recipe["pack"]["format"]
            if FORMAT_RULES[packed].one_codebook and books != 1:
                raise UserError(
                    f"{where}: pack: {packed} holds one token per position, and model"
                    f" {encoder['model']} has {books} codebooks; allowed: 1"
                )

    def model(self, name: str, *, where: str = "config") -> dict[str, Any]:
        """Return a model card, complete and checked; `where` it is asked for stands in errors."""
        if ("model", name) not in self._cards:
            card = self._card("model", name, where=where)
            where = f"model {name}"
            model = recipe_rules.one_spelling(check("model", card, where=where))
            recipe_rules.check_frames(model, where=where)
            side = products(model)[0].side
            if len(products(model)) != 1 or side is None or side % CARDS["vqvae"].stride:
                raise UserError(f"{where}: frames: needs one crop set of squares, a multiple of 4")
            sizes = model["architecture"]
            if sizes["filters"] % 2 or sizes["filters"] % sizes["codebooks"]:
                raise UserError(
                    f"{where}: architecture.filters: {sizes['filters']}; allowed: multiples of 2 and"
                    f" of codebooks ({sizes['codebooks']})"
                )
            check_sharing(model["training"], where=f"{where}: training")
            place = f"{where}: dataset:"
            if model["checkpoint"]:
                self._check_built(model["dataset"], None, where=f"{place} belongs to")
                _check_files(self._model_files(model), where=f"{where}: checkpoint")
            else:
                self._check_built(model["dataset"], model["split"], where=f"{place} learns from")
            self._cards["model", name] = model
        return self._cards["model", name]

    def _check_built(self, dataset: str, split: str | None, *, where: str) -> None:
        data = self.datasets.get(dataset)
        if data is None or (split is not None and split not in data.shards):
            missing = dataset if split is None else f"{dataset}/{split}"
            raise UserError(
                f"{where} {missing}, which config.yaml does not build; add it to datasets"
            )

    def _model_files(self, model: Mapping[str, Any]) -> list[Path]:
        return vqvae_files(Path(model["checkpoint"]))

    def transformer(self, name: str, *, where: str = "config") -> dict[str, Any]:
        """Return a transformer's card, complete and checked; `where` it is asked for stands in errors.

        Its `samples.split` is filled in.
        """
        if ("transformer", name) not in self._cards:
            if not NAME.fullmatch(name):
                raise UserError(
                    f"{where}: {name!r} is no transformer name; allowed: {NAME.pattern}"
                )
            card = self._card("transformer", name, where=where)
            where = f"transformer {name}"
            card = check("transformer", card, where=where)
            self._check_splits(card, where=where)
            recipe = self._learned_recipe(card, where=where)
            model = self.model(recipe["encoder"]["model"], where=where)
            side, stride = products(recipe)[0].side, CARDS["vqvae"].stride
            assert side is not None
            check_transformer(card, model=model, side=side, stride=stride, where=where)
            if card["checkpoint"]:
                _check_files([Path(card["checkpoint"])], where=f"{where}: checkpoint")
            self._cards["transformer", name] = card
        return self._cards["transformer", name]

    def _check_splits(self, card: Mapping[str, Any], *, where: str) -> None:
        """Fill in `samples.split`, and check that all splits that are needed are built."""
        samples = card["samples"]
        samples["split"] = samples["split"] or card["held_out"] or card["split"]
        # Nothing is learned for an imported one.
        if not card["checkpoint"]:
            for key in ("split", "held_out"):
                place = f"{where}: {key}: learns from"
                self._check_built(card["dataset"], card[key], where=place)
        place = f"{where}: samples.split: needs"
        self._check_built(card["dataset"], samples["split"], where=place)
        if card["held_out"] == card["split"]:
            raise UserError(
                f"{where}: held_out: {card['split']}; allowed: another split than"
                f" {card['split']}, which is learned"
            )

    def _learned_recipe(self, card: Mapping[str, Any], *, where: str) -> dict[str, Any]:
        known = self.datasets[card["dataset"]].recipes
        if card["recipe"] not in known:
            raise UserError(
                f"{where}: recipe: {card['recipe']!r} is not built of {card['dataset']}; one of its"
                f" recipes in config.yaml: {', '.join(known)}"
            )
        recipe = self.recipe(card["recipe"], where=f"{where}: recipe")
        check_recipe_of(card, recipe, where=where)
        return recipe

    def _check_listed(self, name: str, dataset: str) -> None:
        where = f"config: datasets.{dataset}.transformers"
        card = self.transformer(name, where=where)
        if card["dataset"] != dataset:
            raise UserError(f"{where}: {name} learns from {card['dataset']}; list it there")

    def model_shards(self, name: str) -> list[str]:
        """Names of the shards that a model learns from."""
        model = self.model(name)
        names = self.shards(model["dataset"], model["split"])
        return names[: model.get("shards", len(names))]

    def shards(self, dataset: str, split: str) -> list[str]:
        """Names of a split's shards: five digits or more, from 00000."""
        return [f"{number:05d}" for number in range(self.datasets[dataset].shards[split])]

    # ---- result strings ------------------------------------------------------------------------

    def frames_result(self, product: Product) -> dict[str, Any]:
        """Result of extract_frames for one sampling and scale."""
        return result("extract_frames", {"frames": product.frames})

    def crop_result(self, product: Product) -> dict[str, Any]:
        """Result of crop_frames; it holds that of the frames it cuts."""
        return result("crop_frames", {"crop": product.crop, "frames": self.frames_result(product)})

    def audio_result(self, audio: Mapping[str, Any]) -> dict[str, Any]:
        """Result of extract_audio for a recipe's `audio`."""
        return result("extract_audio", {"audio": audio})

    def _pixels_result(self, product: Product) -> dict[str, Any]:
        """Result of the stage that staged pixels come from."""
        return self.frames_result(product) if product.crop is None else self.crop_result(product)

    def model_result(self, name: str) -> dict[str, Any]:
        """Result of train_vqvae, or what is known of an imported model before it is read."""
        model = self.model(name)
        if model["checkpoint"]:
            return result("import_vqvae", {"architecture": model["architecture"]})
        card = {k: v for k, v in model.items() if k not in ("description", "checkpoint")}
        card["training"] = decisive(card["training"])
        pixels = self.crop_result(products(model)[0])
        return result("train_vqvae", {"model": card, "pixels": pixels})

    def checkpoint_files(self, kind: str, name: str) -> list[str]:
        """Return the published files that a model or a transformer is imported from, none if trained.

        Args:
            kind: model or transformer.
            name: its name.
        """
        card = self.model(name) if kind == "model" else self.transformer(name)
        if not card["checkpoint"]:
            return []
        files = self._model_files(card) if kind == "model" else [Path(card["checkpoint"])]
        return [str(path) for path in files]

    def import_result(self, kind: str, name: str) -> dict[str, Any]:
        """Result of import_vqvae or import_transformer, with the state of the published files in it."""
        card = self.model(name) if kind == "model" else self.transformer(name)
        stage = "import_vqvae" if kind == "model" else "import_transformer"
        stats = [(path, Path(path).stat()) for path in self.checkpoint_files(kind, name)]
        files = [[path, stat.st_size, stat.st_mtime_ns] for path, stat in stats]
        return result(stage, {"architecture": card["architecture"], "files": files})

    def transformer_result(self, name: str) -> dict[str, Any]:
        """Result of train_transformer; what the codes are stands in the packs' checksums."""
        card = self.transformer(name)
        packs = {key: card[key] for key in ("dataset", "split", "recipe", "held_out")}
        training = without_usual(card["training"], USUAL)
        model = {"architecture": card["architecture"], "training": training}
        return result("train_transformer", {"model": model, **packs})

    def generate_result(self, name: str) -> dict[str, Any]:
        """Result of generate_videos, beside its models and the pack."""
        card = self.transformer(name)
        samples = {key: value for key, value in card["samples"].items() if key != "split"}
        return result("generate_videos", {"samples": samples, "recipe": card["recipe"]})

    def weights_key(self, name: str) -> dict[str, str]:
        """What identifies a weights file: name and checksum (address where none is published)."""
        entry = self.registry[name]
        return {
            "name": name,
            "sha256": entry.sha256 or "",
            "url": "" if entry.sha256 else entry.url,
        }

    def encode_result(self, name: str) -> dict[str, Any]:
        """Result of encode_shard; the mode is no part of it, both modes give the same."""
        recipe = self.recipe(name)
        encoder = recipe["encoder"]
        source: Any = (
            self.weights_key(encoder["weights"])
            if "weights" in encoder
            else self.model_result(encoder["model"])
        )
        return result(
            "encode_shard",
            {
                "encoder": {**encoder, "version": CARDS[encoder["name"]].result_version},
                "weights": source,
                "pixels": [self.crop_result(product) for product in products(recipe)],
            },
        )

    def group(self, dataset: str, name: str) -> list[str]:
        """Return the recipes of a dataset that share a decode with recipe `name`, sorted.

        They name the same group and are streamed; a recipe alone in its group shares nothing.
        """
        group = self.recipe(name).get("group")
        if group is None:
            return []
        members = sorted(
            other
            for other in set(self.datasets[dataset].recipes)
            if self.recipe(other).get("group") == group and self.recipe(other)["mode"] == "streamed"
        )
        return members if name in members and len(members) > 1 else []

    def group_members(self, dataset: str, group: str) -> list[str]:
        """Return the recipes of a dataset's group, sorted; none where nothing is shared."""
        names = self.datasets[dataset].recipes
        shared = [self.group(dataset, n) for n in names if self.recipe(n).get("group") == group]
        return max(shared, key=len, default=[])

    def group_result(self, dataset: str, group: str) -> dict[str, Any]:
        """Result of encode_group: those of its recipes' encode_shard."""
        members = self.group_members(dataset, group)
        return result("encode_group", {"members": {m: self.encode_result(m) for m in members}})

    def pack_result(self, dataset: str, split: str, name: str) -> dict[str, Any]:
        """Result of write_pack."""
        recipe = self.recipe(name)
        card = {key: value for key, value in recipe.items() if key not in NOT_IN_RESULTS}
        made_from: dict[str, Any] = (
            {"pixels": [self._pixels_result(product) for product in products(recipe)]}
            if recipe["encoder"] is None
            else {"encoded": self.encode_result(name)}
        )
        if recipe["audio"] is not None:
            made_from["audio"] = self.audio_result(recipe["audio"])
        return result(
            "write_pack",
            {
                "dataset": dataset,
                "split": split,
                "recipe": name,
                "card": card,
                "format_version": FORMAT_RULES[recipe["pack"]["format"]].version,
                **made_from,
                "shards": len(self.shards(dataset, split)),
                "max_failed": self.max_failed,
            },
        )

    def is_measured(self, name: str) -> bool:
        """Whether a recipe's codes are measured: those of models that pictures can be made with."""
        return (self.recipe(name)["encoder"] or {}).get("name") == "vqvae"

    def measure_result(self, dataset: str, split: str, name: str) -> dict[str, Any]:
        """Result of measure_codes; the mode is no part of it, as of encode_shard's."""
        shards = len(self.shards(dataset, split))
        return result("measure_codes", {"encoded": self.encode_result(name), "shards": shards})

    @property
    def transformers(self) -> list[str]:
        """Names of the transformers that the configured datasets list."""
        return sorted({name for data in self.datasets.values() for name in data.transformers})

    @property
    def models(self) -> list[str]:
        """Names of the models that the configured recipes encode with."""
        recipes = [self.recipe(name) for data in self.datasets.values() for name in data.recipes]
        names = [(recipe["encoder"] or {}).get("model") for recipe in recipes]
        return sorted({name for name in names if name})

    def is_watched(self, dataset: str) -> bool:
        """Whether the state of a dataset's own videos counts."""
        return bool(self.config["watch_sources"]) and not self.datasets[dataset].made_by

    def manifest_result(self, dataset: str, split: str, *, signature: str) -> dict[str, Any]:
        """Result of make_manifest; see `Dataset.manifest_result`."""
        return self.datasets[dataset].manifest_result(split, signature=signature)

    def sources(self, dataset: str, split: str) -> list[dict[str, Any]]:
        """Return where videos that are not here come from, in the order of trial.

        A video's size on YouTube, and whether it has sound, is what the dataset's recipes need, where
        its source says nothing of it.
        """
        data = self.datasets[dataset]
        found = data.fetched_sources(split)
        sound = [self.recipe(name)["audio"] for name in data.recipes]
        for source in found:
            if "youtube" in source:
                needed: dict[str, Any] = {"audio": True} if {} in sound else {}
                if "wanted_side" not in source["youtube"]:
                    needed["wanted_side"] = self._wanted_side(data)
                source["youtube"] = {**needed, **source["youtube"]}
        return found

    def _wanted_side(self, data: Dataset) -> int | None:
        """Return the shorter side that serves all recipes, None when one takes full size."""
        sets = [product for name in data.recipes for product in products(self.recipe(name))]
        sides = [each.frames.get("shorter_side", each.frames.get("square")) for each in sets]
        return None if None in sides else max(sides)

    def download_options(self) -> dict[str, Any]:
        """How to download; no part of any result."""
        return dict(self.config["downloads"])


def _check_files(paths: list[Path], *, where: str) -> None:
    for path in paths:
        if not path.is_file():
            raise UserError(f"{where}: {path}: no such file")
