import itertools

import pytest

from reelpack.lvt.transformer.subscale import HIDDEN, make_tables
from tests.lvt.transformer import tiny

VIDEO = (4, 4, 4)


def expected(sizes, video):
    """Positions and windows by the definition, point by point."""
    flat = {point: n for n, point in enumerate(itertools.product(*map(range, video)))}
    order = list(itertools.product(*map(range, sizes.stride)))
    belongs = {p: tuple(x % s for x, s in zip(p, sizes.stride, strict=True)) for p in flat}
    places, windows = [], []
    for number, offset in enumerate(order):
        points = [point for point in flat if belongs[point] == offset]
        places.append([flat[point] for point in points])
        rows = []
        for point in points:
            row = []
            for tap in itertools.product(*(range(-(k // 2), k // 2 + 1) for k in sizes.kernel)):
                seen = tuple(a + b for a, b in zip(point, tap, strict=True))
                finished = seen in flat and order.index(belongs[seen]) < number
                row.append(flat[seen] if finished else HIDDEN)
            rows.append(row)
        windows.append(rows)
    return places, windows


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_tables_follow_the_definition(kind):
    made = make_tables(tiny.KINDS[kind], VIDEO)
    places, windows = expected(tiny.KINDS[kind], VIDEO)
    assert made.positions.tolist() == places
    assert made.context.tolist() == windows


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_slices_cover_a_video_once_and_the_first_sees_nothing(kind):
    made = make_tables(tiny.KINDS[kind], VIDEO)
    assert sorted(made.positions.flatten().tolist()) == list(range(64))
    assert (made.context[0] == HIDDEN).all()
    assert (made.context[-1] != HIDDEN).any()
