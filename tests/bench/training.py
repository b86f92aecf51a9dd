"""How fast the VQ-VAE learns here, against a plain loop over the same modules, and what shares do.

Published sizes, made frames as PNG shards, one CPU thread per process or one GPU: frames per second of
each way and their ratio to the plain loop. The plain loop has its frames in memory, in one process,
and neither metrics nor checkpoints. Frames per second come from a training of many steps and one of
few, so that the start of processes does not count.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.training [--gpu] [--steps 20] [--devices 1 2]
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from reelpack.encoders.vqvae import Architecture, channels_last, to_signed
from reelpack.frames.shard import ClipWriter, ShardFrames, join_clips
from reelpack.jobs.device import set_deterministic
from reelpack.lvt.vqvae.codebook_learning import learn
from reelpack.lvt.vqvae.one_pass import make_initial_model
from reelpack.lvt.vqvae.train_on_frames import train_vqvae
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from tests.support.measuring import bench_parser

SIDE, CLIPS, FRAMES = 64, 8, 30


def made_frames() -> np.ndarray:
    """Moving gradients, uint8[CLIPS * FRAMES, SIDE, SIDE, 3]."""
    noise = np.random.default_rng(0)
    ends = noise.uniform(0, 255, (2, CLIPS * FRAMES, 1, 1, 3))
    share = np.linspace(0, 1, SIDE).reshape(1, 1, SIDE, 1).repeat(SIDE, axis=1)
    return (ends[0] * share + ends[1] * (1 - share)).astype(np.uint8)


def write_shard(folder: Path, frames: np.ndarray) -> Path:
    """Write the frames as one staged shard."""
    clips = []
    for number, some in enumerate(frames.reshape(CLIPS, FRAMES, SIDE, SIDE, 3)):
        clips.append((str(number), folder / f"{number}.clip"))
        with ClipWriter(clips[-1][1], clips[-1][0]) as writer:
            for second, frame in enumerate(some):
                writer.add(frame, pts_seconds=second)
    join_clips(folder / "00000.tar", clips)
    return folder / "00000.tar"


def plain(frames: np.ndarray, settings: VqvaeTrainSettings, device: str) -> None:
    """Train without anything around it."""
    set_deterministic(threads=settings.threads)
    model = channels_last(make_initial_model(settings).to(device))
    learned = [*model.encoder.parameters(), *model.generator.parameters()]
    optimizer = torch.optim.Adam(learned, lr=settings.learning_rate, betas=settings.betas)
    for step in range(settings.steps):
        some = np.arange(step * settings.batch, (step + 1) * settings.batch) % len(frames)
        pictures = to_signed(torch.from_numpy(frames[some]).to(device))
        with torch.autocast(device, torch.bfloat16, enabled=settings.precision == "bf16"):
            features = model.encoder(pictures).float()
            with torch.autocast(device, enabled=False):
                found = learn(
                    model.codebook,
                    features,
                    decay=settings.decay,
                    epsilon=settings.epsilon,
                    seed=(settings.seed, step),
                )
            made = model.generator(found.straight_through).float()
        loss = F.mse_loss(made, pictures) + F.mse_loss(features, found.target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if device == "cuda":
        torch.cuda.synchronize()


def rate(work: Callable[[VqvaeTrainSettings], object], settings: VqvaeTrainSettings) -> float:
    """Return frames per second, without what a training costs before its first steps."""
    seconds = []
    for steps in (2, 2 + settings.steps):
        start = time.perf_counter()
        work(replace(settings, steps=steps))
        seconds.append(time.perf_counter() - start)
    return settings.steps * settings.batch / (seconds[1] - seconds[0])


def peak() -> str:
    """Return the GPU memory that was used at once in this process, and forget it."""
    if not torch.cuda.is_available():
        return ""
    used = torch.cuda.max_memory_allocated() / 2**30
    torch.cuda.reset_peak_memory_stats()
    return f", {used:.2f} GiB" if used else ""


def main() -> None:
    """Print frames per second and ratios."""
    parser = bench_parser(__doc__)
    parser.add_argument("--gpu", action="store_true", help="train on GPUs")
    parser.add_argument("--steps", type=int, default=20, help="steps to time")
    parser.add_argument("--batch", type=int, default=32, help="frames per step")
    parser.add_argument("--layers", type=int, default=2, help="2 as for BAIR, 4 as for Kinetics")
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    architecture = Architecture(layers=args.layers)
    if args.tiny:
        architecture = Architecture(filters=8, residual_channels=4, layers=1, codes=16)
        args.steps, args.batch, args.devices = 2, 4, [1]
    device = "cuda" if args.gpu else "cpu"
    frames = made_frames()
    with tempfile.TemporaryDirectory() as name:
        source = ShardFrames([write_shard(Path(name), frames)])

        def ours(settings: VqvaeTrainSettings) -> None:
            folder = Path(tempfile.mkdtemp(dir=name))
            train_vqvae(source, settings, folder, device=device, events=folder / "events")

        for precision in ("fp32", "bf16"):
            settings = VqvaeTrainSettings(
                architecture,
                image_size=SIDE,
                steps=args.steps,
                batch=args.batch,
                precision=precision,
            )
            alone = rate(lambda settings: plain(frames, settings, device), settings)
            print(f"{device} {precision}: plain loop {alone:.1f} frames/s{peak()}", flush=True)
            for devices in args.devices:
                found = rate(ours, replace(settings, devices=devices))
                print(
                    f"{device} {precision}: {devices} devices {found:.1f} frames/s, ratio"
                    f" {found / alone:.2f}{peak()}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
