"""CPU time of one row of each encoder of features, at full size, and what the memory layout saves.

Prints, per encoder, the CPU seconds of a row on one thread with channels last in memory, as encoders
lay them out, and the ratio to channels first. Weights are random.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.feature_encoders [NAME ...]
"""

import numpy as np
import torch

from reelpack.config.encoder_cards import CARDS
from reelpack.encoders.feature_encoder import FeatureEncoder, bare_network, filled
from reelpack.jobs.device import set_deterministic
from tests.support.feature_weights import pixels, valued
from tests.support.measuring import bench_parser, cpu_seconds

ROUNDS = 3
UNCROPPED = (224, 298)


def row_seconds(encoder: FeatureEncoder, frames: np.ndarray, *, rounds: int) -> float:
    """Least CPU time per row over some rounds, after one that is not counted."""
    encoder.encode(frames)
    times = [cpu_seconds(lambda: encoder.encode(frames)) for _ in range(rounds)]
    return min(times) / len(frames)


def channels_first(encoder: FeatureEncoder) -> FeatureEncoder:
    """Lay weights and pixels out the other way."""
    encoder.network.to(memory_format=torch.contiguous_format)
    normalised = encoder.normalised
    encoder.normalised = lambda frames: normalised(frames).contiguous()
    return encoder


def main() -> None:
    """Parse the arguments and print a line per encoder."""
    features = [name for name, card in CARDS.items() if card.width is not None]
    parser = bench_parser(__doc__)
    parser.add_argument("names", nargs="*", default=features)
    args = parser.parse_args()
    rounds = 1 if args.tiny else ROUNDS
    set_deterministic()
    for name in args.names[:1] if args.tiny else args.names:
        network = bare_network(name)
        shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
        weights = valued({key: shape for key, shape in shapes.items() if shape}, gain=1.0)
        encoder = FeatureEncoder(
            name, filled(network, weights, name=name, where=None), device="cpu"
        )
        size = (encoder.side, encoder.side) if encoder.side else UNCROPPED
        window = (encoder.window,) if encoder.window > 1 else ()
        frames = pixels(1 if args.tiny else encoder.batch_size, *window, *size)
        last = row_seconds(encoder, frames, rounds=rounds)
        first = row_seconds(channels_first(encoder), frames, rounds=rounds)
        print(f"{name}: {last:.2f} s per row, channels first / last {first / last:.2f}", flush=True)


if __name__ == "__main__":
    main()
