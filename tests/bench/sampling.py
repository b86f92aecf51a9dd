"""How long drawing a frame takes: cached steps against reading the slice anew for every position.

Published sizes, random weights, one thread: a number per model for each way, and their ratio. The plain
way is timed on some positions of a slice only, for it takes minutes per frame.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.sampling [MODEL ...]
"""

import statistics
from dataclasses import replace

import numpy as np
import torch

from reelpack.config.transformer_sizes import PRESETS, Sizes
from reelpack.jobs.device import set_deterministic
from reelpack.lvt.transformer.code_sampling import DrawSettings, draw_videos
from reelpack.lvt.transformer.model import take_slices
from reelpack.lvt.transformer.model_files import make_initial_model
from tests.support.measuring import bench_parser, wall_seconds

FRAMES, SIDE = 16, 16
TINY = {"width": 16, "head_width": 8, "encoder_heads": (2,), "decoder_heads": (2,)}


@torch.inference_mode()
def per_frame(sizes: Sizes, *, new: int, batch: int, positions: int) -> tuple[float, float]:
    """Return seconds per frame of each way, for a batch of videos at once."""
    model = make_initial_model(sizes, seed=0).eval()
    shape = (batch, sizes.codebooks, FRAMES, SIDE, SIDE)
    codes = torch.from_numpy(np.random.default_rng(0).integers(sizes.codes, size=shape))
    prime = codes[:, :, : FRAMES - new]
    cached = wall_seconds(lambda: draw_videos(model, prime, DrawSettings(FRAMES, 0))) / new
    plan, slices = model.make_tables(codes), torch.full((batch,), sizes.slices - 1)
    part, context = take_slices(codes, slices, plan), model.encoder(codes, slices, plan)
    reads = [
        wall_seconds(lambda: model.decoder(part, context, plan.shape)) for _ in range(positions)
    ]
    return cached, statistics.median(reads) * SIDE * SIDE


def main() -> None:
    """Print seconds per frame of 16x16 positions, cached and plain."""
    parser = bench_parser(__doc__)
    parser.add_argument("models", nargs="*", default=["DSFVT", "DSSVT", "DSTSVT"])
    parser.add_argument("--new", type=int, default=1, help="frames to draw")
    parser.add_argument("--batch", type=int, default=1, help="videos at once")
    parser.add_argument("--positions", type=int, default=16, help="positions to time plainly")
    args = parser.parse_args()
    if args.tiny:
        args.models, args.positions = ["DSFVT"], 1
    set_deterministic()
    for name in args.models:
        sizes = replace(PRESETS[name], **TINY) if args.tiny else PRESETS[name]
        cached, plain = per_frame(sizes, new=args.new, batch=args.batch, positions=args.positions)
        print(
            f"{name}, {args.batch} videos: cached {cached:.2f} s per frame, plain about {plain:.1f} s,"
            f" ratio {plain / cached:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
