"""config.yaml and the cards it names, checked and resolved into what the rules ask for.

Only the cards that the config names are read, each when it is first asked for; never a manifest or
a ledger. Flows in: config mapping and project folder. Flows out: datasets, splits, recipes, models,
transformers; what the stages' results depend on is in `stage_results`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from reelpack.config import recipes as recipe_rules
from reelpack.config.datasets import Dataset, make_own_dataset, read_card_dataset
from reelpack.config.encoder_cards import CARDS
from reelpack.config.ffmpeg_program import find_program, read_version
from reelpack.config.lvt_files import vqvae_files
from reelpack.config.pack_rules import FORMAT_RULES
from reelpack.config.recipes import products
from reelpack.config.schema import check, load_yaml
from reelpack.config.stages import RULES
from reelpack.config.training import check_sharing
from reelpack.config.transformer_cards import check_recipe_of, check_transformer
from reelpack.config.weights_registry import WeightsEntry, load_registry
from reelpack.core.errors import UserError

NAME = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
RESERVED = frozenset(RULES)
# Prefixes of the names of rules that are generated.
_GENERATED = ("make_manifest_", "audit_")
CardKind = Literal["model", "transformer"]


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
        reserved = name in RESERVED or name.startswith(_GENERATED)
        if not NAME.fullmatch(name) or reserved:
            reason = "is a rule's name" if reserved else "is not a dataset name"
            raise UserError(
                f"{where}: {name!r} {reason}; allowed: {NAME.pattern}, and no rule's name"
            )
        asked = self.config["datasets"][name]
        path = self.base / "datasets" / f"{name}.yaml"
        if path.exists():
            return read_card_dataset(name, asked, path=path, given=self._given["datasets"][name])
        return make_own_dataset(name, asked, base=self.base)

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

    def unchecked_card(self, kind: str, name: str) -> dict[str, Any]:
        """Return a recipe, model or transformer with its `extends` resolved, for people to look at."""
        return self._card(kind, name, where="config")

    def recipe(self, name: str, *, where: str = "config") -> dict[str, Any]:
        """Return a recipe, complete and checked; `where` it is asked for stands in errors."""
        if ("recipe", name) not in self._cards:
            if not NAME.fullmatch(name):
                raise UserError(f"{where}: {name!r} is not a recipe name; allowed: {NAME.pattern}")
            card = self._card("recipe", name, where=where)
            where = f"recipe {name}"
            recipe = check("recipe", card, where=where)
            recipe_rules.check_recipe(recipe, where=where)
            recipe = self._complete_frames(recipe)
            if recipe["encoder"] is not None:
                self._check_encoder(recipe, where)
            if self.config["frames_mode"] != "recipe":
                recipe["mode"] = self.config["frames_mode"]
            self._cards["recipe", name] = recipe
        return self._cards["recipe", name]

    def _complete_frames(self, card: dict[str, Any]) -> dict[str, Any]:
        """Spell `frames` in one way; the ffmpeg program's version stands in it where that decodes."""
        card = recipe_rules.spell_one_way(card)
        if "decoder" in card["frames"]:
            card["frames"]["ffmpeg"] = read_version(find_program(self.config["ffmpeg"]))
        return card

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
            model = check("model", card, where=where)
            recipe_rules.check_frames(model, where=where)
            model = self._complete_frames(model)
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
                    f"{where}: {name!r} is not a transformer name; allowed: {NAME.pattern}"
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

    def card(self, kind: CardKind, name: str) -> dict[str, Any]:
        """Return the card of a model or of a transformer, complete and checked."""
        return self.model(name) if kind == "model" else self.transformer(name)

    def checkpoint_files(self, kind: CardKind, name: str) -> list[str]:
        """Return the published files that a model or a transformer is imported from, none if trained."""
        card = self.card(kind, name)
        if not card["checkpoint"]:
            return []
        files = self._model_files(card) if kind == "model" else [Path(card["checkpoint"])]
        return [str(path) for path in files]

    def imported(self, kind: CardKind) -> list[str]:
        """Return the names of the models or transformers in use that are imported, not trained."""
        names = self.models if kind == "model" else self.transformers
        return [name for name in names if self.card(kind, name)["checkpoint"]]

    def group(self, dataset: str, name: str) -> list[str]:
        """Return the recipes of a dataset that share a decode with recipe `name`, sorted.

        They name the same group, are streamed, and are not decoded by the ffmpeg program; a recipe
        alone in its group shares nothing.
        """
        group = self.recipe(name).get("group")
        if group is None:
            return []
        members = sorted(
            other
            for other in set(self.datasets[dataset].recipes)
            if self.recipe(other).get("group") == group
            and self.recipe(other)["mode"] == "streamed"
            and "decoder" not in self.recipe(other)["frames"]
        )
        return members if name in members and len(members) > 1 else []

    def group_members(self, dataset: str, group: str) -> list[str]:
        """Return the recipes of a dataset's group, sorted; none where nothing is shared."""
        names = self.datasets[dataset].recipes
        shared = [self.group(dataset, n) for n in names if self.recipe(n).get("group") == group]
        return max(shared, key=len, default=[])

    def is_measured(self, name: str) -> bool:
        """Whether a recipe's codes are measured: those of models that can turn them into frames."""
        return (self.recipe(name)["encoder"] or {}).get("name") == "vqvae"

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
