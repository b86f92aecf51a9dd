"""The report's page as text, and the command that writes it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from PIL import Image

from reelpack.core.errors import UserError
from reelpack.report.page import render_report
from reelpack.report.transformers import find_transformers
from tests.report.runs import (
    make_beta,
    make_page,
)
from tests.support.helpers import ROOT


def test_the_page_names_no_other_place(page_file):
    """Addresses stand in text alone."""
    page = page_file.read_text(encoding="utf-8")
    values = re.findall(r'(?:src|href|action|data|srcset)="([^"]*)"', page)
    assert values
    assert all(value.startswith(("data:", "#")) for value in values)
    assert "<script" not in page
    assert " style=" not in page


def test_the_same_results_give_the_same_page(run):
    assert make_page(run) == make_page(run)


def test_no_results_are_a_mistake(tmp_path):
    (tmp_path / "results").mkdir()
    with pytest.raises(UserError, match="nothing to report"):
        make_page(tmp_path, asked={"alpha/all": {"shards": 2, "recipes": {}}})


def test_a_video_that_is_gone_leaves_its_tokens(run):
    videos = sorted(run.glob("*.mp4"))
    for video in videos:
        video.rename(video.with_suffix(".away"))
    try:
        page = make_page(run)
    finally:
        for video in videos:
            video.with_suffix(".away").rename(video)
    assert page.count("no frames: missing") == 2
    assert page.count("data:image/webp") == 3


def test_another_model_decodes_nothing(run, tmp_path):
    """A model trained again has other codes, and perhaps fewer."""
    places = dict.fromkeys(("models", "transformers", "benchmarks", "base"), tmp_path)
    page = render_report(run / "results", **places, asked={})
    assert "what the model makes of their tokens" in make_page(run)
    folder = tmp_path / "alpha" / "tiny"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"another model")
    again = render_report(run / "results", **places, asked={})
    assert "their tokens in false colours" in again
    assert again == page


def test_transformers_show_curves_and_samples(tmp_path):
    make_beta(tmp_path)
    trained = tmp_path / "resources" / "transformers" / "beta" / "vt"
    trained.mkdir(parents=True)
    (trained / "metrics.csv").write_text(
        "step,loss,held_out_bits_per_dim\n1,6.0,\n2,5.0,7.5\n", encoding="utf-8"
    )
    for name in ("vt", "imported"):
        folder = tmp_path / "results" / "beta" / "train" / "samples" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (40, 20)).save(folder / "samples.png")
        (folder / "samples.csv").write_text(
            "clip_id,sample,frames,primed,equal_codes,bits_per_dim\n"
            "nan,0,16,5,0.25,4.0\nnan,1,16,5,0.75,4.0\nb,0,16,5,,\nb,1,16,5,,\n<c>,0,16,5,0.2,1.0\n"
        )
    imported, vt = find_transformers(tmp_path / "results", tmp_path / "resources/transformers")
    assert (imported.name, imported.curves) == ("imported", [])
    assert [(curve.name, curve.last) for curve in vt.curves] == [
        ("loss", 5.0),
        ("held_out_bits_per_dim", 7.5),
    ]
    (found,) = vt.samples
    assert (found.split, found.videos, found.samples) == ("train", 3, 5)
    assert (found.equal_codes, found.bits_per_dim) == (pytest.approx(0.4), 2.5)
    page = make_page(tmp_path)
    assert page.count("video transformer of beta") == 2
    assert page.count("data:image/webp") == 2
    assert "held_out_bits_per_dim" in page


def test_the_command_writes_the_page_and_refuses_an_empty_folder(run, tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "report.py"), "--output", "page.html"]
    places = ["--results", str(run / "results"), "--models", "m", "--benchmarks", "b"]
    subprocess.run([*command, *places], cwd=tmp_path, check=True)
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
