"""Measure what a VQ-VAE keeps of a split: reconstruction error, and how its codes are used."""

import argparse
import json
from pathlib import Path

from reelpack.core.errors import UserError
from reelpack.core.files import replace_file, write_bytes
from reelpack.jobs import cli
from reelpack.jobs.device import choose_device
from reelpack.lvt.measures.split import SplitFiles, measure_split


def main() -> None:
    """Parse the arguments, measure, and write values and a picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", required=True, type=Path, help="the split's manifest.parquet")
    parser.add_argument("--codes", required=True, type=Path, help="folder of codes shards")
    parser.add_argument("--clips", required=True, type=Path, help="folder of trim_shard's tables")
    parser.add_argument(
        "--pixels",
        default="[]",
        metavar="JSON",
        help="list of folders of frame shards, one per crop set; [] where clips are decoded",
    )
    parser.add_argument("--weights", required=True, type=Path, help="safetensors file of the model")
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--output", required=True, type=Path, help="json to write")
    parser.add_argument("--picture", required=True, type=Path, help="png to write")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that the job asked for")
    args = parser.parse_args()
    params = json.loads(args.params)
    pixels = tuple(Path(folder) for folder in json.loads(args.pixels))
    files = SplitFiles(args.manifest, args.codes, args.clips, pixels, params["shards"])
    try:
        values, picture = measure_split(
            files, weights=args.weights, params=params, device=choose_device(args.gpus)
        )
    except FileNotFoundError as error:
        # Another job has found a shard damaged meanwhile, and removed it.
        raise UserError(f"{error}; run again to have it made again") from error
    with replace_file(args.picture) as temporary:
        picture.save(temporary, format="PNG")
    # Escaped, since clip ids may hold lone surrogates.
    write_bytes(args.output, (json.dumps(values, indent=2) + "\n").encode())
    for clip in values["clips"]["left_out"]:
        print(f"  {clip['clip_id']}: left out: {clip['reason']}")
    found = values["reconstruction"]
    print(f"measure_codes: {found['frames']} frames, mean squared error {found['mse']}")


if __name__ == "__main__":
    cli.run_job(main)
