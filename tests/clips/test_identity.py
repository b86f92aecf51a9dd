"""A clip is its content: a repaired video is done again in every stage, a touched one in none."""

import os

import pytest

from reelpack.clips.download import VideoLimits, download_shard
from reelpack.config.recipes import Product
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import read_ledger
from reelpack.lists.fingerprints import fingerprint
from tests.support.chain import Chain
from tests.support.clips import damage_file, write_clip

pytestmark = pytest.mark.usefixtures("warm_workers")

PRODUCT = Product(
    {"scaler": "bicubic", "fps": 5, "shorter_side": 24},
    {"size": 24, "position": "center", "hflip": False},
)


@pytest.fixture
def chain(tmp_path):
    (tmp_path / "v").mkdir()
    for name in ("bad", "good", "other"):
        write_clip(tmp_path / "v" / f"{name}.mkv", codec="ffv1", frames=40, width=192, height=144)
    return Chain(tmp_path / "results", tmp_path / "v")


def run(chain, capsys):
    """Run all stages; return how many clips each one found finished, and failures by clip."""
    capsys.readouterr()
    crops = chain.clips().stage("00000", PRODUCT)
    lines = capsys.readouterr().out.splitlines()
    found = {line.split(":")[0]: line.split(", ")[1] for line in lines if "found finished" in line}
    rows = read_ledger(chain.ledger(crops, "00000"))
    return (
        {stage: int(text.split()[0]) for stage, text in found.items()},
        {row.clip_id: row.failure for row in rows if not row.ok},
    )


def test_a_repaired_middle_is_done_again_in_every_stage_and_nothing_else(chain, capsys, tmp_path):
    path = tmp_path / "v" / "bad.mkv"
    whole = path.read_bytes()
    damage_file(path, path, at=0.25, length=3000)
    mark = fingerprint(str(path))
    assert list(run(chain, capsys)[1]) == ["bad"]
    path.write_bytes(whole)
    os.utime(path, (2, 2))
    assert fingerprint(str(path)) == mark
    done, failed = run(chain, capsys)
    assert failed == {}
    assert done == {"download_shard": 2, "extract_frames": 2, "crop_frames": 2}
    done, failed = run(chain, capsys)
    assert done == {"download_shard": 3, "extract_frames": 3, "crop_frames": 3}


def test_a_touched_video_is_looked_at_and_no_more(chain, capsys, tmp_path):
    run(chain, capsys)
    os.utime(tmp_path / "v" / "bad.mkv", (2, 2))
    done, failed = run(chain, capsys)
    assert failed == {}
    assert done == {"download_shard": 2, "extract_frames": 3, "crop_frames": 3}


def test_a_video_that_was_taken_away_and_brought_back_is_done_again(chain, capsys, tmp_path):
    (tmp_path / "list.csv").write_text("path\nv/bad.mkv\nv/good.mkv\n")
    chain.videos = tmp_path / "list.csv"
    path = tmp_path / "v" / "bad.mkv"
    path.rename(tmp_path / "away")
    assert run(chain, capsys)[1] == {"v/bad": "missing"}
    (tmp_path / "away").rename(path)
    done, failed = run(chain, capsys)
    assert failed == {}
    assert done == {"download_shard": 1, "extract_frames": 1, "crop_frames": 1}


def test_a_video_beyond_the_limits_is_a_row(chain, tmp_path):
    chain.clips()
    job = Job("r", tmp_path / "probes.parquet", tmp_path / "l.parquet", tmp_path / "journal")
    shard = chain.folder / "shards" / "00000.parquet"
    rows = download_shard(shard, job, limits=VideoLimits(frame_pixels=192 * 144 - 1))
    assert [row.failure for row in rows] == ["refused"] * 3
    assert "frames of 192x144 pixels; allowed: 27647 pixels" in rows[0].message
