"""Continue a video from its first frames, with a trained VQ-VAE and a trained video transformer."""

import argparse
from pathlib import Path

from reelpack import cli
from reelpack.device import choose_device
from reelpack.encoders import set_deterministic
from reelpack.encoders.vqvae import VQVAEEncoder
from reelpack.errors import UserError
from reelpack.transformer.checkpoints import load_model
from reelpack.transformer.pictures import (
    SHEET,
    continue_frames,
    decode_codes,
    read_frames,
    write_sample,
    write_sheet,
)


def main() -> None:
    """Parse the arguments and write the samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", required=True, type=Path, help="folder of the first frames")
    parser.add_argument("--vqvae", required=True, type=Path, help="safetensors of the VQ-VAE")
    parser.add_argument("--model", required=True, type=Path, help="safetensors of the transformer")
    parser.add_argument("--output", required=True, type=Path, help="folder to write samples into")
    parser.add_argument("--primed", type=int, default=5, help="frames to start from (default: 5)")
    parser.add_argument("--length", type=int, default=16, help="frames in all (default: 16)")
    parser.add_argument("--samples", type=int, default=1, help="how many to draw (default: 1)")
    parser.add_argument("--temperature", type=float, default=1.0, help="0: the likeliest codes")
    parser.add_argument("--seed", type=int, default=0, help="of the draws (default: 0)")
    parser.add_argument("--fps", type=int, default=8, help="pace of the videos (default: 8)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that the job asked for")
    args = parser.parse_args()
    for name in ("primed", "length", "samples", "fps", "threads"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name}: {getattr(args, name)}; allowed: at least 1")
    device = choose_device(args.gpus)
    set_deterministic(threads=args.threads)
    codec = VQVAEEncoder(args.vqvae, device=device)
    model = load_model(args.model).to(device)
    given = read_frames(args.frames, args.primed)
    numbers = range(args.samples)
    drawn = continue_frames(
        given,
        codec,
        model,
        length=args.length,
        samples=numbers,
        seed=args.seed,
        temperature=args.temperature,
    )
    rows = [("given", given)]
    for number, codes in zip(numbers, drawn, strict=True):
        frames = decode_codes(codec, codes)
        write_sample(args.output / f"sample_{number}", frames, fps=args.fps)
        rows.append((f"sample {number}", frames))
    write_sheet(args.output / SHEET, rows)
    print(f"{args.output}: {args.samples} samples of {args.length} frames, {SHEET}")


if __name__ == "__main__":
    cli.run(main)
