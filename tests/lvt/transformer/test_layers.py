import math

import pytest
import torch

from reelpack.lvt.transformer.layers import (
    BlockLocalAttention,
    CausalConvolution,
    encode_positions,
    from_blocks,
    to_blocks,
)


@pytest.mark.parametrize("block", [(4, 6, 2), (2, 3, 2), (1, 2, 1)])
def test_blocks_are_boxes_and_come_back(block):
    shape = (4, 6, 2)
    points = torch.cartesian_prod(*(torch.arange(side) for side in shape))
    x = torch.stack([points, points + 100])
    blocks = to_blocks(x, shape, block)
    assert blocks.shape == (2 * 48 // math.prod(block), math.prod(block), 3)
    spans = blocks.amax(dim=1) - blocks.amin(dim=1) + 1
    assert (spans == torch.tensor(block)).all()
    assert (from_blocks(blocks, shape, block) == x).all()


@pytest.mark.parametrize("causal", [False, True])
def test_bias_is_a_sum_over_distances(causal):
    layer = BlockLocalAttention((2, 1, 3), heads=1, width=8, head_width=4, causal=causal)
    with torch.no_grad():
        layer.dt_bank.copy_(torch.tensor([[1.0, 2, 3]]))
        layer.dw_bank.copy_(torch.tensor([[10.0, 20, 30, 40, 50]]))
    bias = layer.bias()[0]
    # Position 4 is frame 1, column 1; position 2 is frame 0, column 2.
    assert bias[4, 2] == 3 + 20
    assert bias[2, 4] == (-math.inf if causal else 1 + 40)
    assert bias.diagonal().tolist() == [2 + 30] * 6


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_convolution_sees_only_what_comes_before(frames):
    torch.manual_seed(0)
    layer = CausalConvolution(2, 3)
    x = torch.randn(1, 2, frames, 3, 4)
    before = layer(x).detach().flatten(2)
    size = frames * 12
    for position in range(size):
        changed = x.clone()
        changed.flatten(2)[:, :, position] += 1
        moved = (layer(changed).detach().flatten(2) != before).any(dim=1)[0]
        assert not moved[: position + 1].any()
        # The next column sees it, where there is one.
        assert (position + 1) % 4 == 0 or moved[position + 1]


def test_signal_tells_all_positions_apart():
    signal = encode_positions((2, 3, 4), 14)
    assert signal.shape == (24, 14)
    assert len(signal.unique(dim=0)) == 24
    assert (signal[:, 12:] == 0).all()
    assert signal[23, 0] == pytest.approx(math.sin(1))
    assert signal[23, 6] == pytest.approx(math.cos(2))
