"""How long the published code (github rakhimovv/lvt) takes for what this project does, with equal weights.

Drawing a frame with the video transformer at the sizes of DSFVT, and a training step of the VQ-VAE at
those of PR-DVQVAE2; CPU seconds of one thread, so that other work on the machine does not count.
Without a clone only this project's figures are printed; with one it takes an interpreter that has fvcore,
tabulate and termcolor beside this project's packages.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.published [--clone DIR]
"""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from reelpack.config.transformer_sizes import PRESETS, Sizes
from reelpack.encoders.vqvae import Architecture
from reelpack.jobs.device import set_deterministic
from reelpack.lvt.published.transformer_checkpoints import rename_to_published
from reelpack.lvt.transformer.code_sampling import DrawSettings, draw_videos
from reelpack.lvt.transformer.model_files import make_initial_model
from reelpack.lvt.vqvae.train_on_frames import train_vqvae
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from tests.support.measuring import bench_parser, cpu_seconds

FRAMES, SIDE = 16, 16
# Of PR-DVQVAE2.
SIZES = Architecture(filters=256, residual_channels=128, layers=2, codebooks=4, codes=512)
# The published code draws at random at any temperature: at this one, the likeliest code.
COLD = 1e-7
TINY = Architecture(filters=8, residual_channels=4, layers=1, codes=16)
TINY_TRANSFORMER = {"width": 16, "head_width": 8, "encoder_heads": (2,), "decoder_heads": (2,)}


def published_model(clone: Path, config: str) -> Any:
    """Build a model of the published code."""
    from vidgen.config import get_cfg
    from vidgen.modeling.meta_arch import build_model

    cfg = get_cfg()
    cfg.merge_from_file(str(clone / "configs" / config))
    cfg.MODEL.DEVICE = "cpu"
    cfg.OUTPUT_DIR = ""
    return build_model(cfg)


@torch.inference_mode()
def sampling(clone: Path | None, sizes: Sizes) -> str:
    """Return what drawing a frame takes, and how many of its 1024 codes the published code has otherwise."""
    model = make_initial_model(sizes, seed=0).eval()
    codes = np.random.default_rng(0).integers(512, size=(1, 4, FRAMES, SIDE, SIDE))
    video = torch.from_numpy(codes)
    prime = video[:, :, : FRAMES - 1].clone()
    drawn: list[torch.Tensor] = []
    ours = cpu_seconds(
        lambda: drawn.append(draw_videos(model, prime, DrawSettings(FRAMES, 0, temperature=0)))
    )
    if clone is None:
        return f"{ours:.2f} s per frame"
    published = published_model(clone, "vt/DSFVT.yaml").eval()
    published.model.load_state_dict(rename_to_published(model))
    theirs = cpu_seconds(
        lambda: drawn.append(published.sample_video(video, temp=COLD, n_prime=FRAMES - 1))
    )
    differing = int((drawn[0] != drawn[1]).sum())
    return (
        f"{ours:.2f} s per frame, published {theirs:.1f} s, ratio {theirs / ours:.1f};"
        f" {differing} codes differ"
    )


def training(clone: Path | None, sizes: Architecture, *, steps: int, batch: int) -> str:
    """Return how many frames per second the VQ-VAE learns from."""
    shape = (4 * batch, 64, 64, 3)
    frames = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)

    def run(count: int) -> None:
        settings = VqvaeTrainSettings(sizes, image_size=64, steps=count, batch=batch)
        with TemporaryDirectory() as folder:
            train_vqvae(list(frames), settings, Path(folder), device="cpu")

    # Start and end, which take as long for any number of steps, fall away.
    short = cpu_seconds(lambda: run(1))
    ours = (cpu_seconds(lambda: run(1 + steps)) - short) / steps
    if clone is None:
        return f"{batch / ours:.1f} frames/s"
    theirs = _published_step(clone, frames, steps=steps, batch=batch)
    return f"{batch / ours:.1f} frames/s, published {batch / theirs:.1f}, ratio {theirs / ours:.2f}"


def _published_step(clone: Path, frames: np.ndarray, *, steps: int, batch: int) -> float:
    with TemporaryDirectory() as folder:
        theirs = published_model(clone, "vqvae/PR-DVQVAE2.yaml").train()
        theirs.cfg.OUTPUT_DIR = folder
        optimizers, _ = theirs.configure_optimizers_and_checkpointers()
    for table in theirs.codebook.ve:
        # On a CPU they share the codes' memory, and the loss is soon no number.
        table.running_sum = table.running_sum.clone()

    def step(number: int) -> None:
        chosen = [frames[(number * batch + n) % len(frames)] for n in range(batch)]
        data = [{"image": f.transpose(2, 0, 1).astype("float32") / 255} for f in chosen]
        sum(theirs(data, mode="supervised").values()).backward()
        for item in optimizers:
            item["optimizer"].step()
        for item in optimizers:
            item["optimizer"].zero_grad()

    step(0)
    return cpu_seconds(lambda: [step(1 + number) for number in range(steps)]) / steps


def main() -> None:
    """Print seconds and ratios."""
    parser = bench_parser(__doc__)
    parser.add_argument("--clone", type=Path, help="clone of github rakhimovv/lvt")
    parser.add_argument("--steps", type=int, default=5, help="training steps to time")
    parser.add_argument("--batch", type=int, default=32, help="frames per step")
    args = parser.parse_args()
    vqvae, transformer = SIZES, PRESETS["DSFVT"]
    if args.tiny:
        args.steps, args.batch, args.clone = 1, 2, None
        vqvae, transformer = TINY, replace(transformer, **TINY_TRANSFORMER)
    if args.clone:
        sys.path.insert(0, str(args.clone))
    set_deterministic()
    trained = training(args.clone, vqvae, steps=args.steps, batch=args.batch)
    print(f"training the VQ-VAE: {trained}", flush=True)
    print(f"drawing: {sampling(args.clone, transformer)}", flush=True)


if __name__ == "__main__":
    main()
