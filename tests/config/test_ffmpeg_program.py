"""The ffmpeg program of a config: where it is, which version, and what depends on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from reelpack.config.ffmpeg_program import find_planned_program, find_program, read_version
from reelpack.config.recipes import audio_slug, product_of, products
from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_crop, describe_encoding, describe_frames
from reelpack.core.errors import UserError
from reelpack.core.results import canonical
from tests.support.configs import RECIPE, config, own_recipe
from tests.support.helpers import ROOT

FRAMES = {"fps": 2, "shorter_side": 64}


def write_program(folder: Path, said: str, status: int = 0) -> Path:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\necho '{said}'\nexit {status}\n")
    path.chmod(0o755)
    return path


def settings(ffmpeg: str | Path = "", **frames: Any) -> Settings:
    return Settings(own_recipe(frames=FRAMES | frames) | {"ffmpeg": str(ffmpeg)}, ROOT)


def test_the_carried_one_is_the_usual(monkeypatch, tmp_path):
    assert find_program("") == imageio_ffmpeg.get_ffmpeg_exe()
    assert read_version(find_program("")).lstrip("n")[0].isdigit()
    program = write_program(tmp_path, "ffmpeg version n4.1 Copyright (c) somebody")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_program("~/ffmpeg") == str(program)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert find_program("ffmpeg") == str(program)
    assert read_version(str(program)) == "n4.1"


def test_a_program_that_is_none_is_one_line(tmp_path):
    silent = tmp_path / "text"
    silent.write_text("no program")
    silent.chmod(0o755)
    (tmp_path / "folder").mkdir()
    for name, text in ((silent, "does not run"), (tmp_path / "folder", "no such program")):
        with pytest.raises(UserError, match=text) as caught:
            read_version(find_program(str(name)))
        assert "\n" not in str(caught.value)


def test_a_job_refuses_another_version_than_was_planned_with(tmp_path):
    program = write_program(tmp_path, "ffmpeg version 7.1 Copyright")
    assert find_planned_program(str(program), "7.1") == str(program)
    with pytest.raises(UserError, match=r"is version 7\.1 here, and 4\.2 was planned with"):
        find_planned_program(str(program), "4.2")


def test_the_version_stands_in_results_of_recipes_that_use_it_alone(tmp_path):
    program = write_program(tmp_path, "ffmpeg version 4.1 Copyright")
    plain, named, usual = settings(), settings(program), settings(decoder="library")
    for describe in (describe_frames, describe_crop):
        texts = {canonical(describe(products(s.recipe("x"))[0])) for s in (plain, named, usual)}
        assert len(texts) == 1
        assert "4.1" not in texts.pop()
    assert describe_encoding(plain, "x") == describe_encoding(named, "x")
    (product,) = products(settings(program, decoder="program").recipe("x"))
    assert product.sampling_slug == "fps2_program_short64"
    result = describe_frames(product)
    assert result["frames"]["ffmpeg"] == "4.1"
    assert str(program) not in canonical(result)
    assert product_of(result, ffmpeg=str(program)).sampling.program == str(program)
    assert product_of(describe_crop(product)).sampling.program == ""
    with pytest.raises(UserError, match="was planned with"):
        product_of(describe_crop(product), ffmpeg="")


def test_models_learn_from_its_frames_too(tmp_path):
    program = write_program(tmp_path, "ffmpeg version 4.1 Copyright")
    model = {"extends": "vqvae_demo", "frames": {"decoder": "program"}}
    given = config(models={"vqvae_demo": model}, ffmpeg=str(program))
    assert Settings(given, ROOT).model("vqvae_demo")["frames"]["ffmpeg"] == "4.1"


def test_such_recipes_share_no_decode():
    cards = {
        name: {**RECIPE, "group": "g", "frames": {**FRAMES, **more}}
        for name, more in (("a", {}), ("b", {"fps": 3}), ("c", {"decoder": "program"}))
    }
    found = Settings(config({"demo": {"recipes": list(cards)}}, recipes=cards), ROOT)
    assert found.group_members("demo", "g") == ["a", "b"]
    assert found.group("demo", "c") == []


def test_tracks_have_names_of_their_own():
    assert [audio_slug(a) for a in ({}, {"track": 0}, {"track": 12})] == [
        "track", "track0", "track12",
    ]  # fmt: skip
