"""The report's page in a browser: its numbers against the files they come from, and its manners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reelpack.report.counts import SHOWN_FAILURES
from tests.report.runs import (
    CODES,
    HOSTILE,
    MANY,
    NONE,
    PIXELS,
)
from tests.support.browser import browser, require_chromium


@pytest.fixture(scope="module")
def page(page_file, tmp_path_factory):
    require_chromium()
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        opened.open(page_file)
        yield opened


def count_rows(run: Path, split: str, place: str) -> tuple[str, str]:
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
    encoded, failed = count_rows(run, "alpha/all", "encoded/codes")
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
        count_rows(run, "alpha/all", place) for place in places
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
        "./reelpack retry transient alpha",
        "./reelpack retry all alpha",
        "./reelpack build",
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
