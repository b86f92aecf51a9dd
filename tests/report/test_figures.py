"""What else a report reads: times, tokens, measures, curves; and numbers in words."""

from __future__ import annotations

import numpy as np
import pytest

from reelpack.encode.codes import clip_bytes, join_codes
from reelpack.report.curves import HEIGHT, draw_histogram, read_curves
from reelpack.report.measures import read_measures
from reelpack.report.times import read_timings
from reelpack.report.tokens import count_tokens
from reelpack.report.words import format_duration, format_short
from tests.report.runs import (
    write_benchmark,
)


def test_benchmarks_without_a_time_are_left_out(tmp_path):
    write_benchmark(tmp_path / "encode_shard/a/all/r/00000.tsv", "-", "-")
    write_benchmark(tmp_path / "encode_shard/a/all/r/00001.tsv", "4.0", "NA")
    write_benchmark(tmp_path / "report.tsv", "4.0", "1")
    (timing,) = read_timings(tmp_path).values()
    assert timing.seconds == {"00001": 4.0}
    assert timing.peak_megabytes is None
    assert timing.clips_per_second({"00000": 5, "00001": 8}) == 2.0


def test_perplexity_of_even_tokens_is_their_number(tmp_path):
    part = tmp_path / "part"
    part.write_bytes(clip_bytes([np.arange(64).reshape(1, 2, 4, 8)]))
    join_codes(tmp_path / "00000.safetensors", [("a", part)], made_with={})
    books = count_tokens(tmp_path, vocabulary=None)
    assert [(book.codebook, book.used, book.tokens) for book in books] == [(0, 32, 32), (1, 32, 32)]
    assert [book.perplexity for book in books] == pytest.approx([32, 32])


def test_features_are_not_tokens(tmp_path):
    part = tmp_path / "part"
    part.write_bytes(clip_bytes([np.ones((3, 512), np.float32)]))
    join_codes(tmp_path / "00000.safetensors", [("a", part)], made_with={})
    assert count_tokens(tmp_path, vocabulary=None) == []


def test_damaged_codes_are_passed_over(tmp_path):
    part = tmp_path / "part"
    part.write_bytes(clip_bytes([np.zeros((2, 4, 4), np.int64)]))
    join_codes(tmp_path / "00000.safetensors", [("a", part)], made_with={})
    (tmp_path / "00001.safetensors").write_bytes(b"not codes")
    (use,) = count_tokens(tmp_path, vocabulary=8)
    assert (use.clips, use.used, use.tokens, len(use.counts)) == (1, 1, 32, 8)


def test_measures_that_cannot_be_read_are_none(tmp_path):
    path = tmp_path / "codes.json"
    assert read_measures(path) is None
    path.write_text('{"clips": ')
    assert read_measures(path) is None
    path.write_text('{"clips": {}}')
    assert read_measures(path).picture is None


def test_curves(tmp_path):
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("step,loss,empty\n1,8.0,\n2,4.0,\n3,nan,\n5,0.01,\n")
    (curve,) = read_curves(metrics)
    assert (curve.name, curve.last, curve.steps, curve.logarithmic) == ("loss", 0.01, 5, True)
    ends = [tuple(map(float, point.split(","))) for point in curve.points.split(" ")]
    assert (ends[0][1], ends[-1]) == (0.0, (320.0, HEIGHT))
    heights = [y for _, y in ends]
    assert heights == sorted(heights)


def test_histogram_keeps_shares():
    bars = draw_histogram(np.array([0, 4, 2] + [0] * 253))
    assert [(bar.x, bar.height) for bar in bars] == [(0.0, HEIGHT), (2.5, HEIGHT / 2)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.456, "0.46 s"), (59.96, "1 min 00 s"), (3599.6, "1 h 00 min"), (200_000, "2 d 8 h")],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (12345.6, "12,346"), (0.01234, "0.0123")])
def test_short_numbers(value, text):
    assert format_short(value) == text
