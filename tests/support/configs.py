"""Small configs, as mappings."""

import copy

RECIPE = {
    "frames": {"fps": 2, "shorter_side": 64},
    "crop": {"size": 64},
    "encoder": {"name": "vqvae", "model": "vqvae_demo"},
    "pack": {"format": "lvt_codes"},
}


def config(datasets=None, **parts):
    """Return a config of one dataset, or of these."""
    datasets = {"demo": {"recipes": ["lvt_codes_demo"]}} if datasets is None else datasets
    return {"datasets": datasets, **parts}


def mine(**keys):
    """Return a config of own videos."""
    own = {"mine": {"videos": "/data", "recipes": ["vimpac_256"], **keys}}
    return config(own)


def own_recipe(**parts):
    """Return a config of one recipe, `RECIPE` but for some parts."""
    recipe = copy.deepcopy(RECIPE) | parts
    return config({"demo": {"recipes": ["x"]}}, recipes={"x": recipe})


def frame_recipe(crop=None, **pack):
    """Return a config of a recipe without an encoder."""
    return own_recipe(encoder=None, crop=crop, pack=pack)


def recipes(**cards):
    """Return a config of these recipes, of which `x` is built."""
    return config({"demo": {"recipes": ["x"]}}, recipes=cards)


def features(encoder="clip_vitb32", pack=None, group=None, **frames):
    """Return a config of a recipe of features."""
    frames = {"windows": {"clip_len": "3/2"}, **frames}
    recipe = {
        "frames": {"shorter_side": 224, **frames},
        "crop": {"size": 224},
        "encoder": {"name": encoder, "weights": encoder},
        "pack": pack or {"format": "hero_npz"},
    }
    return recipes(x=recipe | ({"group": group} if group else {}))


def own_model(**change):
    """Return a config whose model is changed."""
    return config(models={"vqvae_demo": {"extends": "vqvae_demo", **change}})
