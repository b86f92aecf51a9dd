"""Continue videos from their first frames, with a trained VQ-VAE and a trained video transformer.

Either one video, whose first frames lie in a folder, or the first videos of a pack of codes.
"""

import json
import tempfile
from dataclasses import fields
from pathlib import Path

from reelpack.core.errors import UserError
from reelpack.encoders.vqvae import VQVAEEncoder
from reelpack.jobs import cli
from reelpack.jobs.device import choose_device, set_deterministic
from reelpack.lvt.codec import decode_video
from reelpack.lvt.transformer.code_sampling import DrawSettings
from reelpack.lvt.transformer.continuation import continue_frames
from reelpack.lvt.transformer.model import VideoTransformer
from reelpack.lvt.transformer.model_files import load_model
from reelpack.lvt.transformer.pack_continuation import TABLE, SampleSettings, continue_pack
from reelpack.lvt.transformer.sample_files import (
    SHEET,
    read_frames,
    write_sample,
    write_sheet,
)

OPTIONS = {
    "clips": (int, "of a pack: how many videos to continue"),
    "primed": (int, "frames to start from"),
    "length": (int, "frames in all"),
    "samples": (int, "how many to draw of each video"),
    "temperature": (float, "divides the scores; 0 takes the likeliest codes"),
    "seed": (int, "of the draws"),
    "fps": (int, "pace of the videos"),
}


def main() -> None:
    """Parse the arguments and write the samples."""
    parser = cli.command_parser(
        "generate",
        __doc__,
        examples=["--codes PACK --vqvae A.safetensors --model B.safetensors --output samples"],
    )
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--frames", type=Path, help="folder of the first frames of one video")
    given.add_argument("--codes", type=Path, help="lvt_codes pack")
    parser.add_argument("--vqvae", required=True, type=Path, help="safetensors of the VQ-VAE")
    parser.add_argument("--model", required=True, type=Path, help="safetensors of the transformer")
    parser.add_argument("--output", required=True, type=Path, help="folder to write samples into")
    parser.add_argument("--journal", type=Path, help="of a pack: folder that keeps finished draws")
    parser.add_argument(
        "--params", metavar="JSON", help="the stage's result string, instead of the options below"
    )
    for field in fields(SampleSettings):
        kind, what = OPTIONS[field.name]
        help_text = f"{what} (default: {field.default})"
        parser.add_argument(f"--{field.name}", type=kind, default=field.default, help=help_text)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that the job asked for")
    args = parser.parse_args()
    if args.threads < 1:
        raise UserError(f"threads: {args.threads}; allowed: at least 1")
    settings = SampleSettings(
        **json.loads(args.params)["samples"]
        if args.params
        else {field.name: getattr(args, field.name) for field in fields(SampleSettings)}
    )
    device = choose_device(args.gpus)
    set_deterministic(threads=args.threads)
    codec = VQVAEEncoder(args.vqvae, device=device)
    model = load_model(args.model).to(device)
    if args.codes is not None:
        if args.params is None:
            _check_output(args.output)
        with tempfile.TemporaryDirectory() as temporary:
            journal = args.journal or Path(temporary)
            continue_pack(args.codes, codec, model, settings, journal=journal, output=args.output)
    else:
        _continue_one(args.frames, codec, model, settings, output=args.output)
    print(f"{args.output}: {settings.samples} samples of {settings.length} frames, {SHEET}")


def _check_output(output: Path) -> None:
    """See that a folder may be replaced; only the workflow's own holds nothing else."""
    if output.is_dir() and any(output.iterdir()) and not (output / TABLE).is_file():
        raise UserError(
            f"{output}: would be replaced and holds no {TABLE}; allowed: a new or empty folder, or"
            " one of earlier samples"
        )


def _continue_one(
    frames: Path,
    codec: VQVAEEncoder,
    model: VideoTransformer,
    settings: SampleSettings,
    *,
    output: Path,
) -> None:
    given = read_frames(frames, settings.primed)
    numbers = range(settings.samples)
    draws = DrawSettings(settings.length, settings.seed, numbers, settings.temperature)
    drawn = continue_frames(given, codec, model, draws)
    rows = [("given", given)]
    for number, codes in zip(numbers, drawn, strict=True):
        made = decode_video(codec, codes)
        write_sample(output / f"sample_{number}", made, fps=settings.fps)
        rows.append((f"sample {number}", made))
    write_sheet(output / SHEET, rows, primed=settings.primed)


if __name__ == "__main__":
    cli.run_job(main)
