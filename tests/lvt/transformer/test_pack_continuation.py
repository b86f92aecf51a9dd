"""Continued videos of a pack: each sample on its own, figures, one folder that is whole or absent."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reelpack.core.errors import UserError
from reelpack.encoders.vqvae import Architecture, VQVAEEncoder
from reelpack.encoders.vqvae import save_model as save_vqvae
from reelpack.lvt.transformer import pack_continuation
from reelpack.lvt.transformer.likelihood import measure_bits
from reelpack.lvt.transformer.model_files import save_model
from reelpack.lvt.transformer.pack_continuation import SampleSettings, continue_pack
from reelpack.lvt.transformer.sample_files import SHEET
from reelpack.lvt.vqvae.one_pass import make_initial_model
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from reelpack.packs import Entry, PackContext, Variant, get_format, publish
from tests.lvt.transformer import tiny
from tests.lvt.transformer.commands import command

SIZES = replace(tiny.FRAMES, codes=8)
MODEL = tiny.model(SIZES)
SETTINGS = SampleSettings(clips=3, primed=2, length=4, samples=2)
FRAMES = {"class a/one": 4, "class a/two": 1, "class b/three": 3, "class b/four": 5}


@pytest.fixture(scope="module")
def codec(tmp_path_factory) -> VQVAEEncoder:
    path = tmp_path_factory.mktemp("weights") / "vqvae.safetensors"
    architecture = Architecture(filters=8, residual_channels=4, layers=1, codebooks=2, codes=8)
    save_vqvae(make_initial_model(VqvaeTrainSettings(architecture, 16, 1)), path)
    save_model(MODEL, path.with_name("transformer.safetensors"))
    made = VQVAEEncoder(path, device="cpu")
    made.path = path
    return made


def video(clip_id: str) -> np.ndarray:
    seed = list(FRAMES).index(clip_id)
    return np.random.default_rng(seed).integers(8, size=(FRAMES[clip_id], 2, 4, 4))


@pytest.fixture
def pack(tmp_path) -> Path:
    variant = Variant("every_square16_whole", square=16)
    context = PackContext(
        dataset="birds",
        split="val",
        recipe="codes",
        fps=None,
        variants=(variant,),
        settings={"class_folders": True},
    )
    entries = [
        Entry(clip_id, order, None, None, {variant.name: video(clip_id)})
        for order, clip_id in enumerate(FRAMES)
    ]
    folder = tmp_path / "pack"
    publish(folder, get_format("lvt_codes"), entries, context, provenance={})
    return folder


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def generate(pack, codec, settings=SETTINGS, name="out") -> Path:
    output = pack.with_name(name)
    continue_pack(
        pack, codec, MODEL, settings, journal=pack.with_name(f"{name}.journal"), output=output
    )
    return output


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "samples.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_first_videos_that_are_long_enough_are_continued(pack, codec, capsys):
    output = generate(pack, codec)
    table = rows(output)
    assert [row["clip_id"] for row in table[::2]] == [
        "class a/one",
        "class b/four",
        "class b/three",
    ]
    assert [row["sample"] for row in table] == ["0", "1"] * 3
    assert "1 videos have fewer than 2 frames and are passed over" in capsys.readouterr().out
    place = output / "birds_val_seq" / "class a" / "video_0"
    names = {f"{number}.png" for number in range(4)} | {"sample.mp4"}
    for sample in ("sample_0", "sample_1"):
        assert {path.name for path in (place / sample).iterdir()} == names
        first = np.stack([np.asarray(Image.open(place / sample / f"{n}.png")) for n in (0, 1)])
        codes = np.concatenate([video("class a/one")[:2], np.zeros((6, 2, 4, 4), np.int64)])
        assert (first == pack_continuation.decode_video(codec, codes)[:2]).all()
    assert (place / "sample_0/3.png").read_bytes() != (place / "sample_1/3.png").read_bytes()


def test_figures_are_of_the_video_behind_the_primed_frames(pack, codec):
    table = {(row["clip_id"], row["sample"]): row for row in rows(generate(pack, codec))}
    short = table["class b/three", "0"]
    assert (short["equal_codes"], short["bits_per_dim"]) == ("", "")
    row = table["class b/four", "1"]
    own = video("class b/four")[:4]
    codes = torch.from_numpy(own).transpose(0, 1)[None]
    bits = measure_bits(MODEL, [codes], primed_frames=2)
    assert float(row["bits_per_dim"]) == pytest.approx(bits, abs=1e-6)
    (chosen,) = (v for v in pack_continuation.choose_videos(pack, SETTINGS) if v.entry.frames == 5)
    ((_, drawn),) = pack_continuation.draw_samples(
        [chosen], MODEL, SETTINGS, journal=pack / "journal"
    )
    assert (drawn[:2] == own[:2]).all()
    assert float(row["equal_codes"]) == pytest.approx((drawn[2:] == own[2:]).mean(), abs=1e-6)


def test_a_sample_depends_on_its_video_and_number_alone(pack, codec, monkeypatch):
    whole = files(generate(pack, codec))
    fewer = files(generate(pack, codec, replace(SETTINGS, clips=2, samples=1), name="fewer"))
    samples = {name: data for name, data in fewer.items() if name.startswith("birds")}
    assert len(samples) == 2 * 5
    assert {name: whole[name] for name in samples} == samples
    # Six samples in batches of eight, and of two: the same but for a tie.
    monkeypatch.setitem(pack_continuation.BATCH, "cpu", 2)
    assert files(generate(pack, codec, name="small")) == whole
    other = files(generate(pack, codec, replace(SETTINGS, seed=1), name="other"))
    assert all(other[n] != whole[n] for n in whole if n.endswith("sample_0/3.png"))


def test_finished_samples_are_not_drawn_again(pack, codec, monkeypatch):
    monkeypatch.setitem(pack_continuation.BATCH, "cpu", 2)
    drawn = []
    real = pack_continuation.draw_videos

    def counting(model, prime, settings):
        if len(drawn) == 2:
            raise KeyboardInterrupt
        drawn.append(settings.samples)
        return real(model, prime, settings)

    monkeypatch.setattr(pack_continuation, "draw_videos", counting)
    with pytest.raises(KeyboardInterrupt):
        generate(pack, codec)
    assert not pack.with_name("out").exists()
    drawn.clear()
    output = generate(pack, codec)
    assert len(drawn) == 1
    monkeypatch.undo()
    assert files(output) == files(generate(pack, codec, name="unbroken"))
    drawn.clear()
    more = replace(SETTINGS, clips=1)
    generate(pack, codec, more)
    assert not drawn
    assert len(list(pack.with_name("out.journal").iterdir())) == 2


def test_a_job_that_fails_leaves_the_old_folder(pack, codec, monkeypatch):
    before = files(generate(pack, codec))

    def full(*args, **options):
        raise OSError("no more")

    monkeypatch.setattr(pack_continuation, "write_sheet", full)
    with pytest.raises(OSError, match="no more"):
        generate(pack, codec, replace(SETTINGS, seed=1))
    assert files(pack.with_name("out")) == before
    assert not list(pack.parent.glob(".out.*"))


def test_the_sheet_has_a_row_per_sample_and_a_bar(pack, codec):
    with Image.open(generate(pack, codec) / SHEET) as image:
        sheet = np.asarray(image.convert("RGB")).astype(int)
    red = (np.abs(sheet - [200, 30, 30]) < 12).all(axis=2)
    # Three videos with a row of their own and two samples; 96 pixels each.
    assert red.sum(axis=0).max() == 9 * 96
    assert red.any(axis=0).nonzero()[0].min() > 2 * 96


def test_packs_that_do_not_do_are_one_line(pack, codec, tmp_path):
    with pytest.raises(UserError, match="none of 4 videos has 9 frames"):
        generate(pack, codec, SampleSettings(primed=9, length=9))
    with pytest.raises(UserError, match="not a pack of codes"):
        generate(tmp_path, codec)
    models = ["--vqvae", codec.path, "--model", codec.path.with_name("transformer.safetensors")]
    places = ["--codes", pack, "--output", tmp_path / "by hand"]
    done = command("generate_videos", *places, *models, "--primed=2", "--length=4", "--clips=1")
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "by hand")) == 1
    again = command("generate_videos", *places, *models, "--primed=2", "--length=4", "--clips=2")
    assert again.returncode == 0, again.stderr
    assert len(rows(tmp_path / "by hand")) == 2
    kept = ["--codes", pack, "--output", pack]
    foreign = command("generate_videos", *kept, *models, "--primed=2", "--length=4")
    assert foreign.returncode == 2
    assert "would be replaced and holds no samples.csv" in foreign.stderr
    both = command("generate_videos", *places, *models, "--frames", tmp_path)
    assert both.returncode == 2
    assert "--frames: not allowed with argument --codes" in both.stderr
