import pytest
import torch

from reelpack.lvt.transformer.model import take_slices
from reelpack.lvt.transformer.stepping import SliceStepper
from tests.lvt.transformer import tiny


@pytest.mark.parametrize("known", [0, 1, 5, 8])
@pytest.mark.parametrize("kind", tiny.KINDS)
@torch.no_grad()
def test_steps_give_what_reading_the_whole_slice_gives(kind, known):
    sizes = tiny.KINDS[kind]
    model, codes = tiny.model(sizes), tiny.codes(2, sizes)
    tables, slices = model.make_tables(codes), torch.tensor([1, 1])
    part, context = take_slices(codes, slices, tables), model.encoder(codes, slices, tables)
    whole = model.decoder(part, context, tables.shape)
    stepper = SliceStepper(model.decoder, context, tables.shape)
    # Later codes are not known when a slice is filled in.
    early = part.clone()
    early[:, :, known:] = 0
    stepper.prefill(early, known)
    for position in range(known, part.shape[2]):
        assert torch.allclose(stepper.read(position), whole[:, position], atol=1e-5)
        stepper.write(position, part[:, :, position])
