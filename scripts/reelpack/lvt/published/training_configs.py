"""The configurations of github rakhimovv/lvt, read into this project's model cards.

They are YAML in detectron2's manner: `_BASE_` names a file to lay them over, tuples stand as text, and
what a file leaves out has a default in the published code. Settings that our models have no place
for must have the one value that they stand for.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reelpack.config.schema import load_yaml
from reelpack.core.errors import UserError

BASE = "_BASE_"
Config = dict[str, Any]

_VQVAE_FIXED: Mapping[str, tuple[Any, Any]] = {
    # key: (default, the value that is supported)
    "MODEL.META_ARCHITECTURE": ("ACAIModel", "VQVAEModel"),
    "MODEL.INIT_TYPE": ("normal", "xavier_uniform"),
    "MODEL.PIXEL_MEAN": ([0.0], [0.5, 0.5, 0.5]),
    "MODEL.PIXEL_STD": ([1.0], [0.5, 0.5, 0.5]),
    "MODEL.ENCODER.NAME": ("", "ResEncoder"),
    "MODEL.ENCODER.NORM": ("", ""),
    "MODEL.ENCODER.SPECTRAL": (False, False),
    "MODEL.ENCODER.OUT_ACTIVATION": ("", ""),
    "MODEL.ENCODER.IN_CHANNELS": (1, 3),
    "MODEL.GENERATOR.NAME": ("", "ResDecoder"),
    "MODEL.GENERATOR.NORM": ("", ""),
    "MODEL.GENERATOR.SPECTRAL": (False, False),
    "MODEL.GENERATOR.OUT_ACTIVATION": ("", "tanh"),
    "MODEL.GENERATOR.OUT_CHANNELS": (3, 3),
    "MODEL.CODEBOOK.EMA": (False, True),
    "MODEL.CODEBOOK.BETA": (1.0, 1.0),
    "INPUT.FORMAT": ("L", "RGB"),
    "INPUT.SCALE_TO_ZEROONE": (True, True),
    "SOLVER.OPTIMIZER_NAME": ("adam", "adam"),
    "SOLVER.ADAM.BETA1_G": (0.9, 0.9),
    "SOLVER.ADAM.BETA2_G": (0.9, 0.9),
    "SOLVER.LR_SCHEDULER_NAME": ("Identity", "Identity"),
}
_TRANSFORMER_FIXED: Mapping[str, tuple[Any, Any]] = {
    "MODEL.META_ARCHITECTURE": ("ACAIModel", "VideoTransformerModel"),
    "MODEL.INIT_TYPE": ("normal", "xavier_uniform"),
    "MODEL.AUTOREGRESSIVE.NAME": ("", "VideoTransformer"),
    "MODEL.AUTOREGRESSIVE.VT.SHARE_P": (True, False),
    "MODEL.AUTOREGRESSIVE.VT.SHARE_EMBEDDINGS": (False, False),
    "MODEL.AUTOREGRESSIVE.VT.CLASS_NUM": (0, 0),
    "SOLVER.OPTIMIZER_NAME": ("adam", "rmsprop"),
    "SOLVER.LR_SCHEDULER_NAME": ("Identity", "Identity"),
}
_SEED = 29871897


def read_config(path: Path) -> Config:
    """Return a configuration with what it is laid over, texts of tuples as lists.

    Raises:
        UserError: a file is missing or not a mapping, or the bases go round in a circle.
    """
    return _read(path, ())


def make_vqvae_card(
    config: Config, *, dataset: str, split: str, frames: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a model card (`models/*.yaml`) for a VQ-VAE's configuration.

    Args:
        config: what `read_config` gave.
        dataset: the dataset to learn from, which the configuration knows under its own name only.
        split: its split.
        frames: which frames, as a card's `frames:`.

    Raises:
        UserError: the configuration is of another kind of model.
    """
    _check(config, _VQVAE_FIXED)
    filters = _get_equal(
        config,
        "MODEL.ENCODER.NF",
        "MODEL.GENERATOR.NF",
        "MODEL.GENERATOR.IN_CHANNELS",
        "MODEL.CODEBOOK.DIM",
        defaults=(16, 16, 16, 256),
    )
    parts = ("MODEL.ENCODER", "MODEL.GENERATOR")
    # From lists of videos it takes this many frames of each, anew in every round.
    of_videos = any(str(name).endswith("_seq") for name in _get(config, "DATASETS.TRAIN", []))
    if of_videos and (count := _get(config, "INPUT.N_FRAMES_PER_VIDEO_TRAIN", -1)) != 1:
        raise UserError(f"INPUT.N_FRAMES_PER_VIDEO_TRAIN: {count}; supported: 1")
    return {
        "dataset": dataset,
        "split": split,
        "frames": dict(frames),
        "architecture": {
            "filters": filters,
            "residual_channels": _get_equal(config, *(f"{p}.RES_CHANNELS" for p in parts)),
            "layers": _get_equal(config, *(f"{part}.N_LAYERS" for part in parts)),
            "codebooks": _get(config, "MODEL.CODEBOOK.NUM", 1),
            "codes": _get(config, "MODEL.CODEBOOK.SIZE", 512),
        },
        "training": {
            "steps": _get(config, "SOLVER.MAX_ITER", 40_000),
            "batch": _get(config, "SOLVER.IMS_PER_BATCH", 32),
            "learning_rate": _get(config, "SOLVER.LR_G", 1e-4),
            "seed": _read_seed(config),
            **({"per_clip": True} if of_videos else {}),
        },
    }


def make_transformer_card(config: Config) -> dict[str, Any]:
    """Return `architecture:` and `training:` of a transformer's card.

    Raises:
        UserError: the configuration is of another kind of model.
    """
    _check(config, _TRANSFORMER_FIXED)
    model = "MODEL.AUTOREGRESSIVE.VT"
    blocks = [
        *_get(config, f"{model}.BLOCKS_E", []),
        *_get(config, f"{model}.BLOCKS_D", []),
    ]
    if not blocks or any(list(block) != list(blocks[0]) for block in blocks):
        raise UserError(
            f"{model}.BLOCKS_E, BLOCKS_D: {blocks}; supported: one block for all layers"
        )
    names = {
        "codebooks": "NC",
        "codes": "NV",
        "stride": "STRIDE",
        "kernel": "KERNEL",
        "embedding": "DE",
        "width": "D",
        "head_width": "DA",
        "encoder_heads": "N_HEAD_E",
        "decoder_heads": "N_HEAD_D",
    }
    sizes = {ours: _get(config, f"{model}.{theirs}", None) for ours, theirs in names.items()}
    if missing := [names[name] for name, value in sizes.items() if value is None]:
        raise UserError(f"{model}.{missing[0]}: missing")
    return {
        "architecture": {**sizes, "block": list(blocks[0])},
        "training": {
            "steps": _get(config, "SOLVER.MAX_ITER", 40_000),
            "frames": _get(config, "INPUT.N_FRAMES_PER_VIDEO_TRAIN", -1),
            "primed_frames": _get(config, f"{model}.N_PRIME", 0),
            "batch": _get(config, "SOLVER.IMS_PER_BATCH", 32),
            "learning_rate": _get(config, "SOLVER.LR_G", 1e-4),
            "alpha": _get(config, "SOLVER.RMSPROP.ALPHA_G", 0.99),
            "momentum": _get(config, "SOLVER.RMSPROP.MOMENTUM_G", 0.0),
            "seed": _read_seed(config),
        },
    }


def _read(path: Path, above: Sequence[Path]) -> Config:
    path = path.resolve()
    if path in above:
        raise UserError(f"{path}: is its own {BASE}")
    config = load_yaml(path)
    if not isinstance(config, dict):
        raise UserError(f"{path}: not a mapping")
    base = config.pop(BASE, None)
    change: Config = _parse_literals(config)
    if base is None:
        return change
    return _lay_over(_read(path.parent / Path(base).expanduser(), (*above, path)), change)


def _lay_over(base: Config, change: Config) -> Config:
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _lay_over(merged[key], value) if both else value
    return merged


def _parse_literals(value: Any) -> Any:
    """Turn texts that Python would read as a tuple or a number into what they say."""
    if isinstance(value, dict):
        return {key: _parse_literals(part) for key, part in value.items()}
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return value
    if isinstance(value, list | tuple):
        return [_parse_literals(part) for part in value]
    return value


def _get(config: Config, key: str, default: Any) -> Any:
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict):
            raise UserError(f"{key}: stands below something that is not a mapping")
        if part not in value:
            return default
        value = value[part]
    return value


def _read_seed(config: Config) -> Any:
    """Return the seed; -1 and none leave it to chance there, and here give the published one."""
    seed = _get(config, "SEED", -1)
    return _SEED if seed == -1 else seed


def _get_equal(config: Config, *keys: str, defaults: Sequence[Any] | None = None) -> Any:
    """Return the one value that all of these keys must have."""
    values = [
        _get(config, key, default)
        for key, default in zip(keys, defaults or (0,) * len(keys), strict=True)
    ]
    if any(value != values[0] for value in values):
        shown = ", ".join(f"{key} {value}" for key, value in zip(keys, values, strict=True))
        raise UserError(f"{shown}; supported: one value for all of these")
    return values[0]


def _check(config: Config, fixed: Mapping[str, tuple[Any, Any]]) -> None:
    for key, (default, supported) in fixed.items():
        if (value := _get(config, key, default)) != supported:
            raise UserError(f"{key}: {value!r}; supported: {supported!r}")
