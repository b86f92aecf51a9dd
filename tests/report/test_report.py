"""The report's numbers against the files they come from, and the page in a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from reelpack.clips.table import Clip, write_clips
from reelpack.config.settings import Settings
from reelpack.core.errors import UserError
from reelpack.core.files import sha256_file
from reelpack.encode.codes import clip_bytes, join_codes
from reelpack.encoders.vqvae import VQVAE, Architecture, save_model
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.lists.manifest import MANIFEST_COLUMNS
from reelpack.packs.write import write_pack
from reelpack.report import render_report
from reelpack.report.asked import asked_for, state
from reelpack.report.counts import SHOWN_FAILURES, count_split
from reelpack.report.curves import HEIGHT, histogram, read_curves
from reelpack.report.measures import read_measures
from reelpack.report.times import read_timings
from reelpack.report.tokens import count_tokens
from reelpack.report.transformers import find_transformers
from reelpack.report.words import duration, short
from tests.support.browser import browser, require_chromium
from tests.support.clips import write_clip
from tests.support.helpers import ROOT

CODES = 32
HOSTILE = "<script>document.title='taken'</script>\"'&amp;"
PIXELS = "https://example.org/leak.png"
FRAMES = {"fps": "5", "shorter_side": 32, "scaler": "bicubic"}
CROP = {"size": 32, "position": "center", "hflip": False}
CARD = {
    "frames": FRAMES,
    "crop": CROP,
    "encoder": {"name": "vqvae", "model": "tiny"},
    "pack": {"format": "lvt_codes"},
}
MODEL = {"architecture": {"codes": CODES}}
PARAMS = {
    "stage": "write_pack",
    "dataset": "alpha",
    "split": "all",
    "recipe": "codes",
    "card": CARD,
    "format_version": 1,
    "encoded": {"weights": {"model": MODEL}},
    "shards": 2,
    "max_failed": 0.9,
}
ALPHA = {
    0: {"one/good": "ok", "two/gone": "gone", "three/late": "timeout"},
    1: {"four/good": "ok", HOSTILE: "corrupt"},
}
MANY = 70
NONE = "\N{EN DASH}"


def ledger(path: Path, clips: dict[str, str], stage: str, digests=None) -> None:
    rows = [
        LedgerRow(clip, stage, "ok", digest=(digests or {}).get(clip, ""))
        if failure == "ok"
        else LedgerRow(clip, "download_shard", "failed", failure, f"<img src={PIXELS}> {failure}")
        for clip, failure in clips.items()
    ]
    write_ledger(rows, path)


def manifest(split: Path, shards: dict[int, list[str]]) -> None:
    rows = [(clip, shard) for shard, clips in shards.items() for clip in clips]
    table = pd.DataFrame(rows, columns=["clip_id", "shard"])
    table = table.reindex(columns=MANIFEST_COLUMNS.names).assign(captions=[[]] * len(rows))
    split.mkdir(parents=True)
    pq.write_table(
        pa.Table.from_pandas(table, MANIFEST_COLUMNS, preserve_index=False),
        split / "manifest.parquet",
    )
    (split / "shards").mkdir()
    for shard in shards:
        (split / "shards" / f"{shard:05d}.parquet").touch()


def benchmark(path: Path, seconds: str, rss: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{rss}\n")


def codes(path: Path, clips: list[str], folder: Path, model: Path) -> dict[str, str]:
    """Write a codes shard and return the digests that its ledger holds."""
    rng = np.random.default_rng(len(clips[0]))
    files = []
    for number, clip in enumerate(clips):
        tokens = rng.integers(0, CODES // 2, (5, 1, 8, 8))
        part = folder / f"{path.stem}.{number}"
        part.write_bytes(clip_bytes([tokens]))
        files.append((clip, part))
    path.parent.mkdir(parents=True, exist_ok=True)
    join_codes(path, files, made_with={"weights_sha256": sha256_file(model)})
    return {clip: sha256_file(part) for clip, part in files}


def make_alpha(run: Path) -> None:
    """A finished dataset: two shards, all stages, a pack, a model."""
    model = run / "resources" / "models" / "alpha" / "tiny"
    model.mkdir(parents=True)
    weights = model / "model.safetensors"
    torch.manual_seed(1)
    save_model(
        VQVAE(Architecture(filters=8, residual_channels=4, layers=1, codebooks=1, codes=CODES)),
        weights,
    )
    split = run / "results" / "alpha" / "all"
    manifest(split, {shard: list(clips) for shard, clips in ALPHA.items()})
    for shard, clips in ALPHA.items():
        for place, stage in (("downloads", "download_shard"), ("clips", "trim_shard")):
            ledger(split / place / f"{shard:05d}.ledger.parquet", clips, stage)
        encoded = split / "encoded" / "codes"
        good = [clip for clip, failure in clips.items() if failure == "ok"]
        digests = codes(encoded / f"{shard:05d}.safetensors", good, run, weights)
        ledger(encoded / f"{shard:05d}.ledger.parquet", clips, "encode_shard", digests)
        video = write_clip(run / f"{shard}.mp4", frames=30, width=64, height=48)
        write_clips(
            [Clip(good[0], str(video), "cd" * 32, None, None)],
            split / "clips" / f"{shard:05d}.parquet",
        )
        benchmark(run / f"benchmarks/encode_shard/alpha/all/codes/{shard:05d}.tsv", "2.5", "10.5")
    benchmark(run / "benchmarks/make_demo.tsv", "NA", "NA")
    write_pack(
        split / "manifest.parquet",
        [split / "encoded" / "codes"],
        params=PARAMS,
        folder=split / "packs" / "codes",
    )
    measured(split)
    (model / "metrics.csv").write_text("step,loss,empty\n1,8.0,\n2,4.0,\n3,nan,\n4,2.0,\n")
    (model / "reconstructions.png").write_bytes(b"no picture")


def measured(split: Path) -> None:
    """Measures of two crop sets, one of them without error, and of two codebooks."""
    figures = {"frames": 1234, "mse": 0.00725, "mae_255": 7.661, "psnr_db": 27.4123}
    exact = {"frames": 1234, "mse": 0.0, "mae_255": 0.0, "psnr_db": None}
    sets = [{"name": "first", **figures}, {"name": "second", **exact}]
    clips = [{"clip_id": "one/good", **figures}]
    use = {"size": 512, "used": 490, "perplexity": 356.2, "top_share": 0.0125, "counted": 61184}
    values = {
        "clips": {
            "finished": 2,
            "chosen": 2,
            "left_out": [{"clip_id": HOSTILE, "reason": "missing: no such file"}],
        },
        "reconstruction": {**figures, "frames": 2468, "crop_sets": sets, "clips": clips},
        "codebooks": [{"codebook": number, **use} for number in (0, 1)],
    }
    folder = split / "measures"
    folder.mkdir()
    (folder / "codes.json").write_text(json.dumps(values))
    Image.new("RGB", (40, 30)).save(folder / "codes.png")


def make_beta(run: Path) -> None:
    """A dataset in the middle of its run: one shard of two, many failures."""
    split = run / "results" / "beta" / "train"
    clips = {f"clip{number}": "network" for number in range(MANY)}
    manifest(split, {0: list(clips), 1: ["later"]})
    ledger(split / "downloads" / "00000.ledger.parquet", clips, "download_shard")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_alpha(folder)
    make_beta(folder)
    return folder


def report(run: Path, base: Path = ROOT, asked: object = None) -> str:
    return render_report(
        run / "results",
        models=run / "resources" / "models",
        transformers=run / "resources" / "transformers",
        benchmarks=run / "benchmarks",
        base=base,
        asked=asked or {},
    )


@pytest.fixture(scope="module")
def page_file(run) -> Path:
    asked = {"beta/train": {"shards": 2, "recipes": {"later": 8192}}, "gamma/all": {"shards": 3}}
    base = run / "project"
    (base / "datasets").mkdir(parents=True)
    (base / "datasets" / "beta.yaml").write_text("splits: {train: {shards: 2, clips: 99}}\n")
    path = run / "report.html"
    path.write_text(report(run, base, asked), encoding="utf-8")
    return path


# ---- in a browser ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(page_file, tmp_path_factory):
    require_chromium()
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        opened.open(page_file)
        yield opened


def counted(run: Path, split: str, place: str) -> tuple[str, str]:
    """Count a step's clips straight from its ledgers."""
    paths = sorted((run / "results" / split / place).glob("*.ledger.parquet"))
    status = pd.concat([pd.read_parquet(path) for path in paths])["status"]
    return str((status == "ok").sum()), str((status == "failed").sum())


def test_it_opens_quietly_and_alone(page, page_file):
    assert page.console() == []
    asked = {address for address in page.requests() if not address.startswith("data:")}
    assert asked == {page_file.resolve().as_uri()}
    assert page.run("return document.title").startswith("reelpack")
    assert page.run("return document.scripts.length") == 0


def test_the_page_may_load_nothing(page):
    """The policy itself is at work: pictures, styles and data from elsewhere are refused."""
    page.run(
        f"const image = new Image(); image.src = '{PIXELS}'; document.body.append(image);"
        "const style = document.createElement('style'); style.textContent = 'body {color: red}';"
        "document.head.append(style); style.remove(); image.remove();"
        f"fetch('{PIXELS}').catch(() => null);"
    )
    page.run("await new Promise(done => setTimeout(done, 100))")
    refused = [text for text in page.console() if "Content Security Policy" in text]
    assert {kind for kind in ("img-src", "style-src", "connect-src") if kind in str(refused)} == {
        "img-src",
        "style-src",
        "connect-src",
    }
    assert page.run("return getComputedStyle(document.body).color") != "rgb(255, 0, 0)"


def test_clips_are_those_of_the_ledgers(page, run):
    rows = {(row["Dataset"], row["Recipe"]): row for row in page.table("#clips")}
    encoded, failed = counted(run, "alpha/all", "encoded/codes")
    alpha = rows["alpha", "codes"]
    assert (alpha["Listed"], alpha["Encoded"], alpha["Failed"]) == ("5", encoded, failed)
    assert (alpha["Published"], alpha["Left"], alpha["In pack"]) == (NONE, "0", "2")
    beta = rows["beta", "later"]
    assert (beta["Published"], beta["Listed"], beta["Left"]) == ("99", str(MANY + 1), str(MANY + 1))
    assert rows["gamma", NONE]["Listed"] == NONE


def test_stages_are_those_of_the_ledgers(page, run):
    rows = page.table("#alpha\\/all .steps")
    places = ("downloads", "clips", "encoded/codes")
    assert [row["Stage"] for row in rows] == ["download_shard", "trim_shard", "encode_shard"]
    assert [(row["Obtained"], row["Failed"]) for row in rows] == [
        counted(run, "alpha/all", place) for place in places
    ]
    assert {row["Shards"] for row in rows} == {"2 of 2"}
    assert page.table("#beta\\/train .steps")[0]["Shards"] == "1 of 2"


def test_a_failure_counts_once_though_every_stage_repeats_it(page):
    rows = page.table("#alpha\\/all .classes")
    assert {(row["Stage"], row["Class"], row["Clips"]) for row in rows} == {
        ("download_shard", name, "1") for name in ("gone", "timeout", "corrupt")
    }


def test_hostile_text_is_text(page):
    rows = {row["Clip"]: row for row in page.table("#alpha\\/all .failures")}
    assert rows[HOSTILE]["Message"] == f"<img src={PIXELS}> corrupt"


def test_long_failure_lists_are_cut_and_say_so(page):
    assert len(page.table("#beta\\/train .failures")) == SHOWN_FAILURES
    more = page.run("return document.querySelector('#beta\\\\/train .more').textContent")
    assert more.startswith(f"{SHOWN_FAILURES} of {MANY} failures.")
    note = page.run("return document.querySelector('#alpha\\\\/all .more').textContent")
    assert "packs/codes/failures.csv" in note


def test_commands_to_retry(page):
    script = "return [...document.querySelectorAll('#{} .commands dd')].map(e => e.textContent)"
    alpha = page.run(script.format("alpha\\\\/all"))
    assert [command.split(" --results")[0] for command in alpha] == [
        "python scripts/retry.py transient alpha",
        "python scripts/retry.py all alpha",
        "make build",
    ]


def test_times(page):
    (row,) = page.table("#alpha\\/all .times")
    assert (row["Jobs"], row["In all"], row["Median"]) == ("2", "5.0 s", "2.5 s")
    assert (row["Peak memory"], row["Clips per second"]) == ("10.5 MB", "0.4")


def test_pictures_are_there(page):
    widths = page.run("return [...document.images].map(image => image.naturalWidth)")
    assert len(widths) == 3
    assert all(width > 0 for width in widths)


def test_token_use_is_that_of_the_shards(page, run):
    folder = run / "results" / "alpha" / "all" / "packs" / "codes"
    stored = [np.load(path).ravel() for path in sorted(folder.glob("**/*.npy"))]
    _, counts = np.unique(np.concatenate(stored), return_counts=True)
    shares = counts / counts.sum()
    perplexity = np.exp(-(shares * np.log(shares)).sum())
    texts = page.run(
        "return ['used', 'vocabulary', 'counted', 'perplexity'].map("
        "name => document.querySelector('.tokens .' + name).textContent)"
    )
    assert texts == [str(len(counts)), str(CODES), str(counts.sum()), f"{perplexity:.3g}"]


def test_measures_are_those_of_the_file(page):
    heads = ("Crop set", "Frames", "PSNR", "MSE", "MAE")
    errors = page.table("#alpha\\/all .errors")
    assert [tuple(row[head] for head in heads) for row in errors] == [
        ("first", "1,234", "27.41 dB", "0.00725", "7.66"),
        ("second", "1,234", NONE, "0", "0"),
        ("all", "2,468", "27.41 dB", "0.00725", "7.66"),
    ]
    heads = ("Codebook", "Used", "Of", "Perplexity", "Share of the most used", "Counted")
    books = page.table("#alpha\\/all .codebooks")
    assert [tuple(row[head] for head in heads) for row in books] == [
        (number, "490", "512", "356", "1.2 %", "61,184") for number in "01"
    ]
    left_out = page.run("return document.querySelector('.recipe .note').textContent")
    assert " ".join(left_out.split()) == (
        f"1 of 2 chosen clips left out: {HOSTILE} (missing: no such file)."
    )
    # Beta's codes were not measured, and nothing is said of them.
    headings = page.run("return [...document.querySelectorAll('h4')].map(e => e.textContent)")
    assert headings.count("Reconstruction") == headings.count("Codebook use") == 1


@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_sticks_out(page, width):
    """Wide tables scroll in themselves, the page does not."""
    page.resize(width)
    assert page.run("return window.innerWidth") == width
    assert page.run("return document.documentElement.scrollWidth") <= width


# ---- without one -------------------------------------------------------------------------------


def test_the_page_names_no_other_place(page_file):
    """Addresses stand in text alone."""
    page = page_file.read_text(encoding="utf-8")
    values = re.findall(r'(?:src|href|action|data|srcset)="([^"]*)"', page)
    assert values
    assert all(value.startswith(("data:", "#")) for value in values)
    assert "<script" not in page
    assert " style=" not in page


def test_the_same_results_give_the_same_page(run):
    assert report(run) == report(run)


def test_no_results_are_a_mistake(tmp_path):
    (tmp_path / "results").mkdir()
    with pytest.raises(UserError, match="nothing to report"):
        report(tmp_path, asked={"alpha/all": {"shards": 2, "recipes": {}}})


def test_a_video_that_is_gone_leaves_its_tokens(run):
    videos = sorted(run.glob("*.mp4"))
    for video in videos:
        video.rename(video.with_suffix(".away"))
    try:
        page = report(run)
    finally:
        for video in videos:
            video.with_suffix(".away").rename(video)
    assert page.count("no frames: missing") == 2
    assert page.count("data:image/webp") == 3


def test_another_model_decodes_nothing(run, tmp_path):
    """A model trained again has other codes, and perhaps fewer."""
    places = dict.fromkeys(("models", "transformers", "benchmarks", "base"), tmp_path)
    page = render_report(run / "results", **places, asked={})
    assert "what the model makes of their tokens" in report(run)
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
    page = report(tmp_path)
    assert page.count("video transformer of beta") == 2
    assert page.count("data:image/webp") == 2
    assert "held_out_bits_per_dim" in page


def test_what_transformers_make_is_looked_at(tmp_path):
    before = state(tmp_path)
    path = tmp_path / "results" / "beta" / "train" / "samples" / "vt" / "samples.csv"
    path.parent.mkdir(parents=True)
    path.write_text("")
    after = state(tmp_path)
    metrics = tmp_path / "resources" / "transformers" / "beta" / "vt" / "metrics.csv"
    metrics.parent.mkdir(parents=True)
    metrics.write_text("")
    assert len({before, after, state(tmp_path)}) == 3


def test_a_damaged_ledger_is_named(tmp_path):
    make_beta(tmp_path)
    split = tmp_path / "results" / "beta" / "train"
    damaged = split / "downloads" / "00001.ledger.parquet"
    damaged.write_bytes(b"PAR1 and no more")
    counts = count_split(split, published=None, shards=None, recipes=())
    assert counts.unreadable == [damaged]
    assert counts.failed == counts.transient == MANY


def test_clips_that_a_pack_refused_count(tmp_path):
    make_beta(tmp_path)
    pack = tmp_path / "results" / "beta" / "train" / "packs" / "codes"
    pack.mkdir(parents=True)
    (pack / "provenance.json").write_text(json.dumps({"counts": {"entries": 3}}))
    (pack / "failures.csv").write_text(
        "clip_id,stage,class,message\nlater,write_pack,pack,no\nclip0,download_shard,network,x\n"
    )
    counts = count_split(pack.parents[1], published=None, shards=None, recipes=())
    assert counts.classes["write_pack", "pack"] == 1
    assert counts.failed == MANY + 1
    assert [(p.recipe, p.entries, p.failed) for p in counts.packs] == [("codes", 3, 1)]


def test_a_pack_of_frames_counts_though_nothing_was_encoded(tmp_path):
    make_beta(tmp_path)
    pack = tmp_path / "results" / "beta" / "train" / "packs" / "frames"
    pack.mkdir(parents=True)
    notes = {"counts": {"entries": 3, "failed": 2}, "result": {"pixels": []}}
    (pack / "provenance.json").write_text(json.dumps(notes))
    (pack / "failures.csv").write_text("clip_id,stage,class,message\nlater,write_pack,pack,no\n")
    counts = count_split(pack.parents[1], published=None, shards=None, recipes=())
    found = next(each for each in counts.packs if each.recipe == "frames")
    assert (found.encoded, found.failed, found.left, found.entries) == (3, 2, 0, 3)


def test_benchmarks_without_a_time_are_left_out(tmp_path):
    benchmark(tmp_path / "encode_shard/a/all/r/00000.tsv", "-", "-")
    benchmark(tmp_path / "encode_shard/a/all/r/00001.tsv", "4.0", "NA")
    benchmark(tmp_path / "report.tsv", "4.0", "1")
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


def test_features_are_no_tokens(tmp_path):
    part = tmp_path / "part"
    part.write_bytes(clip_bytes([np.ones((3, 512), np.float32)]))
    join_codes(tmp_path / "00000.safetensors", [("a", part)], made_with={})
    assert count_tokens(tmp_path, vocabulary=None) == []


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
    bars = histogram(np.array([0, 4, 2] + [0] * 253))
    assert [(bar.x, bar.height) for bar in bars] == [(0.0, HEIGHT), (2.5, HEIGHT / 2)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.456, "0.46 s"), (59.96, "1 min 00 s"), (3599.6, "1 h 00 min"), (200_000, "2 d 8 h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (12345.6, "12,346"), (0.01234, "0.0123")])
def test_short_numbers(value, text):
    assert short(value) == text


def test_the_command_writes_the_page_and_refuses_an_empty_folder(run, tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "report.py"), "--output", "page.html"]
    places = ["--results", str(run / "results"), "--models", "m", "--benchmarks", "b"]
    subprocess.run([*command, *places], cwd=tmp_path, check=True)
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1


def test_damaged_codes_are_passed_over(tmp_path):
    part = tmp_path / "part"
    part.write_bytes(clip_bytes([np.zeros((2, 4, 4), np.int64)]))
    join_codes(tmp_path / "00000.safetensors", [("a", part)], made_with={})
    (tmp_path / "00001.safetensors").write_bytes(b"not codes")
    (use,) = count_tokens(tmp_path, vocabulary=8)
    assert (use.clips, use.used, use.tokens, len(use.counts)) == (1, 1, 32, 8)


def test_what_all_leaves_out_is_asked_for_once_it_is_begun(tmp_path):
    recipes = ["violet_5"]
    entry = {"videos": str(tmp_path), "recipes": recipes}
    given = {"datasets": {"usual": entry, "on-request": {**entry, "in_all": False}}}
    settings = Settings(given, ROOT)
    assert list(asked_for(settings, tmp_path)) == ["usual/all"]
    (tmp_path / "results" / "on-request").mkdir(parents=True)
    assert list(asked_for(settings, tmp_path)) == ["usual/all", "on-request/all"]
