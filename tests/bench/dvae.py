"""How long the dVAE encoder takes, against the dall_e package: one thread, published sizes."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from reelpack.encoders import load_encoder, set_deterministic
from tests.encoders.dalle_weights import package_tokens, pictures, random_encoder

ROUNDS = 3


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print the median ratio of pairs of calls, package / ours; tokens must agree."""
    set_deterministic()
    package = random_encoder(0, filters=256, blocks=2, vocabulary=8192)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.safetensors"
        save_file({name: t.contiguous() for name, t in package.state_dict().items()}, path)
        ours = load_encoder({"name": "dalle"}, path, device="cpu")
    for side, count in ((256, 1), (128, 4)):
        frames = pictures(side, count, side, side)
        tokens = np.concatenate([ours.encode(frame[None]) for frame in frames])
        expected = package_tokens(package, frames)
        assert (tokens == expected).all(), f"{(tokens == expected).mean():.4%} of tokens agree"
        pairs = [
            (
                seconds(lambda frames=frames: package_tokens(package, frames)),
                seconds(lambda frames=frames: [ours.encode(frame[None]) for frame in frames]),
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
