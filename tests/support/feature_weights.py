"""Weights of the feature encoders' published files, by name and format, with fixed random values.

Names and shapes are spelled out here from the published architectures, not asked from our models.
"""

import dataclasses
import io
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from safetensors.torch import save_file

from reelpack.config import encoder_cards as cards
from reelpack.config.weights_registry import WeightsEntry
from reelpack.encoders import load_encoder
from reelpack.encoders.weights import convert
from reelpack.sources.weights import fetch_weights

SLOWFAST_BLOCKS = (3, 4, 6, 3)


def valued(shapes, *, seed=0, gain=2.0):
    """Values as after training: activations keep their size, batch norms are not trivial."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes.items():
        new = torch.empty(shape)
        if len(shape) > 1:
            new.normal_(0, (gain / np.prod(shape[1:])) ** 0.5, generator=generator)
        elif name.endswith(("running_var", "_riv")):
            new.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith(("weight", "gamma", "_s")):
            new.uniform_(0.7, 1.2, generator=generator)
        else:
            new.normal_(0, 0.05, generator=generator)
        tensors[name] = new
    return tensors


def light(shapes):
    """Tensors of these shapes that take no room, in memory or in a file of torch.save."""
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


def _norm(shapes, name, channels):
    for part in ("weight", "bias", "running_mean", "running_var"):
        shapes[f"{name}.{part}"] = (channels,)


def resnext_shapes(*, blocks=(3, 4, 23, 3)):
    """3D ResNeXt-101 of github.com/kenshohara/3D-ResNets-PyTorch."""
    shapes = {"conv1.weight": (64, 3, 7, 7, 7)}
    _norm(shapes, "bn1", 64)
    inputs = 64
    for stage, count in enumerate(blocks, 1):
        channels = 64 << stage
        for number in range(count):
            block = f"layer{stage}.{number}"
            shapes[f"{block}.conv1.weight"] = (channels, inputs, 1, 1, 1)
            shapes[f"{block}.conv2.weight"] = (channels, channels // 32, 3, 3, 3)
            shapes[f"{block}.conv3.weight"] = (2 * channels, channels, 1, 1, 1)
            for part, size in (("bn1", channels), ("bn2", channels), ("bn3", 2 * channels)):
                _norm(shapes, f"{block}.{part}", size)
            if number == 0:
                shapes[f"{block}.downsample.0.weight"] = (2 * channels, inputs, 1, 1, 1)
                _norm(shapes, f"{block}.downsample.1", 2 * channels)
            inputs = 2 * channels
    return {**shapes, "fc.weight": (400, 2048), "fc.bias": (400,)}


def s3d_shapes():
    """S3D-G of github.com/antoine77340/S3D_HowTo100M, with its text tower cut short."""
    shapes = {}

    def conv(name, inputs, outputs, first, second=None):
        shapes[f"{name}.conv1.weight"] = (outputs, inputs, *first)
        _norm(shapes, f"{name}.bn1", outputs)
        if second:
            shapes[f"{name}.conv2.weight"] = (outputs, outputs, *second)
            _norm(shapes, f"{name}.bn2", outputs)

    def gate(name, channels):
        shapes[f"{name}.fc.weight"], shapes[f"{name}.fc.bias"] = (channels, channels), (channels,)

    conv("conv1", 24, 64, (2, 4, 4))
    conv("conv_2b", 64, 64, (1, 1, 1))
    conv("conv_2c", 64, 192, (1, 3, 3), (3, 1, 1))
    gate("gating", 192)
    inputs = 192
    for name, b0, a1, b1, a2, b2, b3 in (
        ("3b", 64, 96, 128, 16, 32, 32),
        ("3c", 128, 128, 192, 32, 96, 64),
        ("4b", 192, 96, 208, 16, 48, 64),
        ("4c", 160, 112, 224, 24, 64, 64),
        ("4d", 128, 128, 256, 24, 64, 64),
        ("4e", 112, 144, 288, 32, 64, 64),
        ("4f", 256, 160, 320, 32, 128, 128),
        ("5b", 256, 160, 320, 32, 128, 128),
        ("5c", 384, 192, 384, 48, 128, 128),
    ):
        block = f"mixed_{name}"
        for branch, size in (("b0", b0), ("b1_a", a1), ("b2_a", a2), ("b3_b", b3)):
            conv(f"{block}.conv_{branch}", inputs, size, (1, 1, 1))
        conv(f"{block}.conv_b1_b", a1, b1, (1, 3, 3), (3, 1, 1))
        conv(f"{block}.conv_b2_b", a2, b2, (1, 3, 3), (3, 1, 1))
        for number, size in enumerate((b0, b1, b2, b3)):
            gate(f"{block}.gating_b{number}", size)
        inputs = b0 + b1 + b2 + b3
    shapes |= {"fc.weight": (512, 1024), "fc.bias": (512,), "text_module.fc1.weight": (8, 4)}
    return shapes | {"text_module.word_embd.weight": (10, 4), "text_module.fc1.bias": (8,)}


def slowfast_blob_shapes(*, width=64):
    """SlowFast 8x8 R50 by the Caffe2 names of PySlowFast's model zoo."""
    shapes = {}

    def norm(name, channels):
        for part in ("s", "b", "rm", "riv"):
            shapes[f"{name}_bn_{part}"] = (channels,)

    beta = width // 8
    from_fast = (2 * beta, 8 * beta, 16 * beta, 32 * beta)
    pathways = (("", width, (1, 1, 1, 3, 3), from_fast), ("t_", beta, (5, 3, 3, 3, 3), (0,) * 4))
    for prefix, first, frames, joined in pathways:
        shapes[f"{prefix}conv1_w"] = (first, 3, frames[0], 7, 7)
        norm(f"{prefix}res_conv1", first)
        inputs = first
        for stage, count in enumerate(SLOWFAST_BLOCKS):
            channels = first << stage
            for number in range(count):
                block = f"{prefix}res{stage + 2}_{number}_branch"
                inputs += joined[stage] if number == 0 else 0
                shapes[f"{block}2a_w"] = (channels, inputs, frames[stage + 1], 1, 1)
                shapes[f"{block}2b_w"] = (channels, channels, 1, 3, 3)
                shapes[f"{block}2c_w"] = (4 * channels, channels, 1, 1, 1)
                for part, size in (("2a", channels), ("2b", channels), ("2c", 4 * channels)):
                    norm(f"{block}{part}", size)
                if number == 0:
                    shapes[f"{block}1_w"] = (4 * channels, inputs, 1, 1, 1)
                    norm(f"{block}1", 4 * channels)
                inputs = 4 * channels
    fused = (("pool1", beta), ("res2_2", 4 * beta), ("res3_3", 8 * beta), ("res4_5", 16 * beta))
    for name, size in fused:
        layer = f"t_{name}" if name == "pool1" else f"t_{name}_branch2c_bn"
        shapes[f"{layer}_subsample_w"] = (2 * size, size, 7, 1, 1)
        norm(f"{layer}_subsample", 2 * size)
    return shapes | {"pred_w": (400, 36 * width), "pred_b": (400,)}


def clip_vit_shapes(*, width=768, layers=12, outputs=512):
    """The frame tower of CLIP ViT-B/32 in OpenAI's archive."""
    shapes = {
        "class_embedding": (width,),
        "positional_embedding": (50, width),
        "proj": (width, outputs),
        "conv1.weight": (width, 3, 32, 32),
    }
    for name in ("ln_pre", "ln_post"):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for number in range(layers):
        block = f"transformer.resblocks.{number}"
        for name in ("ln_1", "ln_2"):
            shapes |= {f"{block}.{name}.weight": (width,), f"{block}.{name}.bias": (width,)}
        for name, outs, ins in (
            ("attn.in_proj_", 3 * width, width),
            ("attn.out_proj.", width, width),
            ("mlp.c_fc.", 4 * width, width),
            ("mlp.c_proj.", width, 4 * width),
        ):
            shapes |= {f"{block}.{name}weight": (outs, ins), f"{block}.{name}bias": (outs,)}
    return {f"visual.{name}": shape for name, shape in shapes.items()}


def clip_resnet_shapes(*, width=80, blocks=(4, 6, 10, 6), positions=82, outputs=640):
    """The frame tower of CLIP RN50x4 in OpenAI's archive."""
    shapes = {}

    def conv(name, norm, outs, ins, side):
        shapes[f"{name}.weight"] = (outs, ins, side, side)
        _norm(shapes, norm, outs)

    conv("conv1", "bn1", width // 2, 3, 3)
    conv("conv2", "bn2", width // 2, width // 2, 3)
    conv("conv3", "bn3", width, width // 2, 3)
    inputs = width
    for stage, count in enumerate(blocks, 1):
        size = width << (stage - 1)
        for number in range(count):
            block = f"layer{stage}.{number}"
            conv(f"{block}.conv1", f"{block}.bn1", size, inputs, 1)
            conv(f"{block}.conv2", f"{block}.bn2", size, size, 3)
            conv(f"{block}.conv3", f"{block}.bn3", 4 * size, size, 1)
            if number == 0:
                conv(f"{block}.downsample.0", f"{block}.downsample.1", 4 * size, inputs, 1)
            inputs = 4 * size
    shapes["attnpool.positional_embedding"] = (positions, inputs)
    for name, outs in (("q", inputs), ("k", inputs), ("v", inputs), ("c", outputs)):
        shapes[f"attnpool.{name}_proj.weight"] = (outs, inputs)
        shapes[f"attnpool.{name}_proj.bias"] = (outs,)
    return {f"visual.{name}": shape for name, shape in shapes.items()}


def vit_shapes(*, width, layers, positions, patch, pooled):
    """A vision transformer by timm's names: DINOv2's, or SigLIP's with attention pooling."""
    shapes = {
        "pos_embed": (1, positions, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
    }

    def linear(name, outs, ins):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outs, ins), (outs,)

    def norm(name):
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)

    norm("norm")
    for number in range(layers):
        block = f"blocks.{number}"
        for name in ("norm1", "norm2"):
            norm(f"{block}.{name}")
        linear(f"{block}.attn.qkv", 3 * width, width)
        linear(f"{block}.attn.proj", width, width)
        linear(f"{block}.mlp.fc1", 4 * width, width)
        linear(f"{block}.mlp.fc2", width, 4 * width)
        if not pooled:
            shapes[f"{block}.ls1.gamma"] = shapes[f"{block}.ls2.gamma"] = (width,)
    if not pooled:
        return shapes | {"cls_token": (1, 1, width)}
    shapes["attn_pool.latent"] = (1, 1, width)
    linear("attn_pool.q", width, width)
    linear("attn_pool.kv", 2 * width, width)
    linear("attn_pool.proj", width, width)
    norm("attn_pool.norm")
    linear("attn_pool.mlp.fc1", 4 * width, width)
    linear("attn_pool.mlp.fc2", width, 4 * width)
    return shapes


def write_state_dict(tensors, path: Path) -> Path:
    torch.save(tensors, path)
    return path


def write_safetensors(tensors, path: Path) -> Path:
    save_file(tensors, path)
    return path


class _Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings, as in the published file."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, data):
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(data)

    dispatch[bytes] = save_string


def python2_pickle(held) -> bytes:
    stream = io.BytesIO()
    _Python2Pickler(stream, protocol=2).dump(held)
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def write_caffe2(tensors, path: Path) -> Path:
    """A pickle of Python 2 with what training leaves beside the blobs."""
    blobs = {name: tensor.numpy() for name, tensor in tensors.items()}
    blobs["conv1_w_momentum"] = np.zeros((8, 3, 1, 7, 7), np.float32)
    blobs |= {"lr": np.float32(0.1), "model_iter": np.array([7], np.int64)}
    path.write_bytes(python2_pickle({"blobs": blobs}))
    return path


class _Tower(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def write_torchscript(tensors, path: Path) -> Path:
    """An archive of `torch.jit.save` in half precision, with a buffer of the text side."""
    root = _Tower()
    everything = {"input_resolution": torch.tensor(224), "logit_scale": torch.tensor(4.6)}
    for name, tensor in {**everything, **{k: t.half() for k, t in tensors.items()}}.items():
        *parents, leaf = name.split(".")
        module = root
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, _Tower())
            module = getattr(module, parent)
        module.register_buffer(leaf, tensor)
    torch.jit.save(torch.jit.script(root), path)
    return path


def converted(path: Path, folder: Path, *, name: str) -> Path:
    """Pass a published file through fetch_weights and convert; return the safetensors file."""
    original, model = folder / "original", folder / "model.safetensors"
    fetch_weights(WeightsEntry(name, path.as_uri(), "", "", ""), original)
    convert(original, model, kind=name)
    return model


def loaded(path: Path, folder: Path, *, name: str):
    """Pass a published file through fetch_weights, convert and load_encoder."""
    return load_encoder({"name": name}, converted(path, folder, name=name), device="cpu")


def pixels(*shape, seed=0):
    """Smooth moving colours with noise, uint8[*shape, 3]; the last two sides are H, W."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.arange(side) / 8 for side in shape), indexing="ij")
    waves = [np.sin(sum(rng.uniform(0.2, 2) * axis for axis in axes)) for _ in range(3)]
    noise = rng.normal(0, 20, (*shape, 3))
    return (128 + 90 * np.stack(waves, -1) + noise).clip(0, 255).astype(np.uint8)


def narrower(monkeypatch, name, width):
    """Change the width on a card, for a network that a test makes smaller."""
    monkeypatch.setitem(cards.CARDS, name, dataclasses.replace(cards.CARDS[name], width=width))


def neighbours_change_nothing(encoder, *shape):
    """Whether a row has the same bits at every place of a batch, beside any others."""
    first, *others = pixels(4 * encoder.batch_size, *shape, seed=9)
    rows = []
    for place in range(encoder.batch_size):
        batch = np.stack(others[place : place + encoder.batch_size])
        batch[place] = first
        rows.append(encoder.encode(batch)[place])
    return len(rows) > 1 and all((row == rows[0]).all() for row in rows)
