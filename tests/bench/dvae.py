"""How long the dVAE encoder takes, against the dall_e package: one thread, published sizes.

Prints the median ratio of pairs of calls; all tokens must be equal.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.dvae
"""

import statistics
import tempfile
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from reelpack.encoders.load import load_encoder
from reelpack.jobs.device import set_deterministic
from tests.support.dalle_weights import draw_frames, package_tokens, random_encoder
from tests.support.measuring import bench_parser, wall_seconds

ROUNDS = 3
PUBLISHED = {"filters": 256, "blocks": 2, "vocabulary": 8192}


def main() -> None:
    """Print the median ratio of pairs of calls, package / ours; tokens must agree."""
    tiny = bench_parser(__doc__).parse_args().tiny
    set_deterministic()
    sizes = {"filters": 16, "vocabulary": 64} if tiny else PUBLISHED
    package = random_encoder(0, **sizes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.safetensors"
        save_file({name: t.contiguous() for name, t in package.state_dict().items()}, path)
        ours = load_encoder({"name": "dalle"}, path, device="cpu")
    for side, count in ((32, 2),) if tiny else ((256, 1), (128, 4)):
        frames = draw_frames(side, count, side, side)
        tokens = np.concatenate([ours.encode(frame[None]) for frame in frames])
        expected = package_tokens(package, frames)
        assert (tokens == expected).all(), f"{(tokens == expected).mean():.4%} of tokens agree"
        pairs = [
            (
                wall_seconds(lambda frames=frames: package_tokens(package, frames)),
                wall_seconds(lambda frames=frames: [ours.encode(frame[None]) for frame in frames]),
            )
            for _ in range(ROUNDS)
        ]
        ratio = statistics.median(theirs / mine for theirs, mine in pairs)
        mine = statistics.median(mine for _, mine in pairs) / count
        print(
            f"{side} px: package / ours {ratio:.2f}, ours {mine:.2f} s per frame,"
            f" {len(np.unique(tokens))} different tokens, all equal"
        )


if __name__ == "__main__":
    main()
