import torch

from reelpack.encoders.vqvae import Architecture, Codebook
from reelpack.lvt.vqvae.codebook_learning import count_used_codes, learn, mean_perplexity

SIZES = Architecture(filters=8, residual_channels=4, layers=0, codebooks=2, codes=16)


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, 8, 8, 8, generator=generator) * 3 + 20


def run(codebook, features, step):
    return learn(codebook, features, decay=0.99, epsilon=1e-5, seed=(1, step))


def made(seed=0):
    torch.manual_seed(seed)
    return Codebook(SIZES)


def test_all_codes_stay_among_the_features():
    codebook = made()
    for step in range(30):
        run(codebook, batch(step), step)
    for part in codebook.parts():
        assert part.embedding.weight.min() > 0
        assert part.embedding.weight.max() < 40


def test_used_codes_follow_the_decaying_mean():
    codebook = made()
    features = batch(0)
    run(codebook, features, 0)
    part = codebook.parts()[0]
    size, total = part.running_size.clone(), part.running_sum.clone()
    vectors = codebook.split(features)[0]
    chosen = part.nearest(vectors)
    run(codebook, features, 1)
    for code in chosen.unique().tolist():
        mine = vectors[chosen == code]
        expected_size = 0.99 * size[code] + 0.01 * len(mine)
        expected_sum = 0.99 * total[code] + 0.01 * mine.sum(0)
        torch.testing.assert_close(part.running_size[code], expected_size)
        torch.testing.assert_close(
            part.embedding.weight[code], expected_sum / expected_size, rtol=1e-4, atol=1e-4
        )


def test_the_running_sum_is_no_alias_of_the_codes():
    part = made().parts()[0]
    before = part.running_sum.clone()
    part.embedding.weight.add_(1)
    assert torch.equal(part.running_sum, before)


def test_an_unused_code_moves_onto_a_vector_of_the_batch():
    codebook = made()
    run(codebook, batch(0), 0)
    part = codebook.parts()[1]
    part.running_size[3] = 0
    part.embedding.weight[3] = 1e5
    used = run(codebook, batch(1), 1)
    assert part.embedding.weight[3].max() < 40
    assert count_used_codes(used.counts) > 8
    assert 1 <= mean_perplexity(used.counts) <= 16


def test_gradients_pass_straight_through():
    features = batch(2).requires_grad_()
    learned = run(made(), features, 0)
    learned.straight_through.mul(torch.arange(8.0).view(1, 8, 1, 1)).sum().backward()
    assert torch.equal(features.grad, torch.arange(8.0).view(1, 8, 1, 1).expand_as(features))
    assert not learned.target.requires_grad


def test_equal_seeds_give_equal_codes():
    books = [made(), made()]
    for step in range(5):
        for book in books:
            run(book, batch(step), step)
    for name, value in books[0].state_dict().items():
        assert torch.equal(value, books[1].state_dict()[name])
