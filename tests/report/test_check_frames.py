"""check-frames: the library's frames beside the ffmpeg program's, in a table and an exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
import yaml

from reelpack.clips.table import Clip, write_clips
from reelpack.jobs.ledger import LedgerRow, write_ledger
from tests.support.clips import damage_file, write_clip
from tests.support.helpers import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with five clips of `mine`, one of them damaged and one a failure."""
    folder = tmp_path_factory.mktemp("check_frames")
    (folder / "videos").mkdir()
    long = write_clip(folder / "videos" / "a.mp4", frames=90, b_frames=0)
    damage_file(long, folder / "videos" / "bad.mp4", at=0.6)
    clips = [
        Clip("a", "videos/a.mp4", "", None, None),
        Clip("a/part", "videos/a.mp4", "", 0.5, 1.5),
        Clip("bad", "videos/bad.mp4", "", None, None),
        Clip("late", "videos/a.mp4", "", 0.98, None),
        Clip("none", "videos/none.mp4", "", None, None),
    ]
    place = folder / "results" / "mine" / "all" / "clips"
    place.mkdir(parents=True)
    write_clips(clips, place / "00000.parquet")
    rows = [LedgerRow(clip.clip_id, "trim_shard", "ok") for clip in clips[:-1]]
    rows.append(LedgerRow("none", "download_shard", "failed", "missing", "no such file"))
    write_ledger(rows, place / "00000.ledger.parquet")
    return folder


def check(folder: Path, *arguments: str, **config: Any) -> subprocess.CompletedProcess[str]:
    frames = {"fps": 5, "shorter_side": 32}
    card = {"encoder": None, "pack": {"format": "webdataset"}}
    given = {
        "datasets": {"mine": {"videos": "videos", "recipes": ["slow", "same", "every"]}},
        "recipes": {
            "slow": {**card, "frames": frames},
            "same": {**card, "frames": {**frames, "decoder": "program"}},
            "every": {**card, "frames": {"every": True, "first": 20, "shorter_side": 32}},
        },
        **config,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(given))
    script = ROOT / "scripts" / "check_frames.py"
    command = [sys.executable, str(script), *arguments, "--configfile", "config.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_all_is_equal(folder: Path) -> None:
    shown = check(folder, "mine")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    first, *rows, last = shown.stdout.splitlines()
    assert first.startswith("library: FFmpeg ")
    assert first.endswith(imageio_ffmpeg.get_ffmpeg_exe())
    assert last == "no difference"
    # The damaged clip fails both ways.
    assert [row.split() for row in rows] == [
        ["sampling", "clips", "equal", "frames", "equal"],
        ["fps5_short32", "4", "4", "36", "36"],
        ["every_first20_short32", "4", "4", "60", "60"],
    ]


def test_differences_have_names_and_an_exit_status(folder: Path) -> None:
    # A program whose frames are others from the fourth on.
    wrapped = folder / "ffmpeg"
    wrapped.write_text(
        '#!/bin/bash\nargs=("${@/scale=/negate=enable=gte(n\\\\,3),scale=}")\n'
        f'exec {imageio_ffmpeg.get_ffmpeg_exe()} "${{args[@]}}"\n'
    )
    wrapped.chmod(0o755)
    shown = check(folder, "mine", "--clips", "2", ffmpeg=str(wrapped))
    assert shown.returncode == 1, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[2].split() == ["fps5_short32", "2", "0", "31", "6"]
    assert "fps5_short32: a: frame 3 is the first to differ" in lines
    assert sum(": frame 3 is the first to differ" in line for line in lines) == 4


def test_mistakes_are_one_line(folder: Path, tmp_path: Path) -> None:
    for place, arguments, text in (
        (folder, ("other",), "config: no dataset 'other'; one of: mine"),
        (folder, ("mine", "--clips", "0"), "--clips: 0; allowed: 1 or more"),
        (tmp_path, ("mine",), "mine: no clips are here yet: ./reelpack build mine"),
    ):
        refused = check(place, *arguments)
        assert refused.returncode == 2
        assert refused.stderr == f"error: {text}\n"
