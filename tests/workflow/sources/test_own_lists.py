"""Own lists of addresses, from a web server to their packs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelpack.lists.url_names import name_video
from tests.sources.server import Site, delayed, serve, status
from tests.support.clips import write_clip
from tests.support.project import Project
from tests.support.served import (
    clip_bytes,
    config,
    ledger,
    pack_keys,
)

pytestmark = pytest.mark.slow


def test_a_list_of_addresses_and_paths_becomes_an_lmdb(
    site: Site, project: Project, tmp_path: Path
) -> None:
    long, short = (site.add(f"/{n}/clip.mp4", serve(clip_bytes(tmp_path, f"{n}.mp4", frames=n)))
                   for n in (75, 30))  # fmt: skip
    gone = site.add("/gone.mp4", status(404))
    own = project.folder / "clips" / "own.mp4"
    own.parent.mkdir()
    write_clip(own, frames=30)
    (project.folder / "clips" / "broken.mp4").write_bytes(b"no video")
    lines = [
        {"path": "own.mp4", "label": 3},
        {"path": "broken.mp4"},
        {"url": long, "start": 0, "end": 1.5, "clip_id": "first"},
        {"url": long, "start": 1.5, "end": 3, "clip_id": "second"},
        {"url": short, "clip_id": "$(touch x)/-rf"},
        {"url": gone, "clip_id": "gone"},
    ]
    listing = project.folder / "clips" / "list.jsonl"
    listing.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    given = config(project, "far", max_failed=0.5)
    given["datasets"]["far"] |= {"videos": "clips/list.jsonl", "shards": 2}
    project.write_config(given)
    project.build("far")
    ids = ["$(touch x)/-rf", "first", "own", "second"]
    assert sorted(pack_keys(project, "far/all")) == ids
    assert ledger(project, "far/all") == {
        **dict.fromkeys(ids, "ok"),
        "broken": "corrupt",
        "gone": "gone",
    }
    # The windows of a video share one file; a user's own is never touched.
    assert site.count("/75/clip.mp4") == 1
    names = sorted(path.name for path in (project.folder / "resources/videos/far").iterdir())
    assert names == sorted([name_video(long), name_video(short)])
    assert (own.parent / "broken.mp4").read_bytes() == b"no video"
    assert project.nothing_to_do("far")


def test_after_a_kill_only_the_rest_is_fetched(
    site: Site, project: Project, tmp_path: Path
) -> None:
    content = clip_bytes(tmp_path, "clip.mp4")
    names = [f"v{number:02d}.mp4" for number in range(24)]
    urls = [site.add(f"/{name}", delayed(serve(content), 0.3)) for name in names]
    (project.folder / "list.csv").write_text("\n".join(["url,label", *(f"{u},1" for u in urls)]))
    given = config(project, "mine", downloads={"per_host": 2})
    given["datasets"]["mine"]["videos"] = "list.csv"
    project.write_config(given)
    command = [sys.executable, "scripts/run.py", "--cores", "1", "download"]
    run = subprocess.Popen(command, cwd=project.folder, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(site.seen) < 9 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    videos = project.folder / "resources/videos/mine"
    here = {path.name for path in videos.glob("*.mp4")}
    assert 3 <= len(here) < len(names)
    subprocess.run(command, cwd=project.folder, check=True)
    assert set(ledger(project, "mine/all").values()) == {"ok"}
    for url, name in zip(urls, names, strict=True):
        # Small files are not resumed: one that was under way begins anew.
        tries = {1} if name_video(url) in here else {1, 2}
        assert site.count(f"/{name}") in tries, name
