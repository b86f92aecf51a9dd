from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from reelpack.core.errors import UserError
from reelpack.encoders.vqvae import Architecture, VQVAEEncoder
from reelpack.encoders.vqvae import save_model as save_vqvae
from reelpack.lvt.codec import decode_video
from reelpack.lvt.transformer.code_sampling import DrawSettings
from reelpack.lvt.transformer.continuation import continue_frames
from reelpack.lvt.transformer.model_files import save_model
from reelpack.lvt.transformer.sample_files import (
    read_frames,
    write_sample,
    write_sheet,
    write_video,
)
from reelpack.lvt.vqvae.one_pass import make_initial_model
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from tests.lvt.transformer import tiny
from tests.lvt.transformer.commands import command
from tests.support.dalle_weights import draw_frames

SIZES = replace(tiny.BOTH, codes=8)
FRAMES = draw_frames(0, 3, 16, 16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    architecture = Architecture(filters=8, residual_channels=4, layers=1, codebooks=2, codes=8)
    save_vqvae(
        make_initial_model(VqvaeTrainSettings(architecture, 16, 1)), folder / "vqvae.safetensors"
    )
    save_model(tiny.model(SIZES), folder / "transformer.safetensors")
    return folder


@pytest.fixture
def codec(weights):
    return VQVAEEncoder(weights / "vqvae.safetensors", device="cpu")


def write_pictures(folder, frames, pattern="frame_{}.png"):
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / pattern.format(number))


def test_frames_are_read_in_the_order_of_their_numbers(tmp_path):
    many = draw_frames(1, 12, 8, 8)
    write_pictures(tmp_path / "in", many)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    assert (read_frames(tmp_path / "in", 11) == many[:11]).all()


def test_folders_that_do_not_do_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_frames(tmp_path / "absent", 1)
    write_pictures(tmp_path / "in", FRAMES)
    with pytest.raises(UserError, match="has 3 pictures, needed are 4"):
        read_frames(tmp_path / "in", 4)
    write_pictures(tmp_path / "in", draw_frames(0, 1, 8, 16))
    with pytest.raises(UserError, match="pictures of several sizes"):
        read_frames(tmp_path / "in", 3)
    (tmp_path / "in" / "frame_1.png").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"frame_1\.png: not a picture"):
        read_frames(tmp_path / "in", 3)


def test_samples_begin_with_the_given_frames_codes(codec):
    model = tiny.model(SIZES)
    drawn = continue_frames(FRAMES, codec, model, DrawSettings(4, 1, [0, 3]))
    assert [codes.shape for codes in drawn] == [(4, 2, 4, 4)] * 2
    given = codec.encode(np.concatenate([FRAMES, FRAMES[:1]]))[:3]
    assert all((codes[:3] == given).all() for codes in drawn)
    assert (drawn[0][3] != drawn[1][3]).any()
    (alone,) = continue_frames(FRAMES, codec, model, DrawSettings(4, 1, [3]))
    assert (alone == drawn[1]).all()


def test_decoded_frames_do_not_depend_on_those_beside_them(codec):
    codes = np.random.default_rng(0).integers(8, size=(6, 2, 4, 4))
    frames = decode_video(codec, codes)
    assert frames.shape == (6, 16, 16, 3)
    assert (decode_video(codec, codes[2:5]) == frames[2:5]).all()


def test_samples_are_pictures_and_a_video(tmp_path):
    colours = np.random.default_rng(0).integers(40, 216, size=(5, 1, 1, 3), dtype=np.uint8)
    frames = np.broadcast_to(colours, (5, 32, 32, 3)).copy()
    for folder in ("a", "b"):
        write_sample(tmp_path / folder, frames, fps=4)
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {*(f"{n}.png" for n in range(5)), "sample.mp4"}
    assert (read_frames(tmp_path / "a", 5) == frames).all()
    with av.open(tmp_path / "a" / "sample.mp4") as video:
        assert video.streams.video[0].average_rate == 4
        shown = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert np.abs(np.stack(shown).astype(int) - frames).max() <= 6
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_video_that_fails_leaves_nothing(tmp_path):
    with pytest.raises((ValueError, av.FFmpegError)):
        write_video(tmp_path / "a.mp4", np.zeros((2, 8, 8), np.uint8), fps=4)
    assert not list(tmp_path.iterdir())


def test_the_sheet_shows_all_frames(tmp_path):
    write_sheet(
        tmp_path / "a.png", [("given", FRAMES), ("sample 0", draw_frames(0, 10, 16, 16))], primed=3
    )
    with Image.open(tmp_path / "a.png") as image:
        assert image.width >= 10 * 96


def test_the_command_writes_samples(weights, tmp_path):
    write_pictures(tmp_path / "in", FRAMES, "{}.png")
    places = ["--frames", tmp_path / "in", "--output", tmp_path / "out"]
    models = ["--vqvae", weights / "vqvae.safetensors"]
    models += ["--model", weights / "transformer.safetensors"]
    done = command("generate_videos", *places, *models, "--primed=2", "--length=4", "--samples=2")
    assert done.returncode == 0, done.stderr
    for number in (0, 1):
        assert read_frames(tmp_path / "out" / f"sample_{number}", 4).shape == (4, 16, 16, 3)
    assert (tmp_path / "out" / "samples.png").is_file()


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--primed=0", "primed: 0; allowed: at least 1"),
        ("--temperature=-1", "temperature: -1.0; allowed: at least 0"),
        ("--temperature=inf", "temperature: inf; allowed: at least 0"),
        ("--length=4", "primed: 5; allowed: at most length (4), the frames of a sample"),
        ("--threads=0", "threads: 0; allowed: at least 1"),
    ],
)
def test_a_wrong_option_is_one_line(tmp_path, option, line):
    places = [part for name in ("vqvae", "model", "output") for part in (f"--{name}", tmp_path)]
    wrong = command("generate_videos", "--frames", tmp_path, *places, option)
    assert (wrong.returncode, wrong.stderr) == (2, f"error: {line}\n")
