"""Slugs are readable, injective and safe as folder names; lists expand in their order."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelpack.config.recipes import Product, merge, product_of, products, spell_one_way
from reelpack.config.sampling import read_sampling
from reelpack.config.schema import check
from reelpack.config.stages import describe_result

SLUG = re.compile(r"[a-z0-9.-]+(_[a-z0-9.-]+)*")
SIDES = st.integers(8, 8192)
FPS = st.one_of(
    st.integers(1, 1000),
    st.floats(0.001, 1000),
    st.fractions(Fraction(1, 999), 1000, max_denominator=999).map(
        lambda f: f"{f.numerator}/{f.denominator}"
    ),
)


WINDOWS = st.one_of(
    FPS.map(lambda length: {"clip_len": length}),
    st.builds(
        lambda length, fps, frames: {"clip_len": length, "fps": fps, "frames": frames},
        st.integers(1, 3600),
        st.integers(1, 240),
        st.integers(2, 1024),
    ),
)


@st.composite
def product(draw):
    sampling = draw(
        st.one_of(
            FPS.map(lambda fps: {"fps": fps}),
            *(
                st.integers(1, 100000).map(lambda n, rule=rule: {rule: n})
                for rule in ("uniform", "violet", "favd")
            ),
            st.just({"every": True}),
            WINDOWS.map(lambda windows: {"windows": windows}),
        )
    )
    size = draw(
        st.one_of(
            SIDES.map(lambda n: {"shorter_side": n}),
            SIDES.map(lambda n: {"square": n}),
            st.just({}),
        )
    )
    jpeg = draw(st.sampled_from([{}, {"jpeg": 75}, {"jpeg": 7}, {"jpeg": "ffmpeg"}]))
    limits = {}
    if "windows" not in sampling:
        limits = draw(st.fixed_dictionaries({}, optional={"first": SIDES}))
        most = read_sampling({**sampling, **limits}).most
        least = st.integers(1, min(most or 8192, 8192))
        limits |= draw(st.fixed_dictionaries({}, optional={"at_least": least}))
    scaler = {"scaler": draw(st.sampled_from(["bicubic", "bilinear", "lanczos", "area"]))}
    crop = draw(
        st.none()
        | st.fixed_dictionaries(
            {
                "size": SIDES,
                "position": st.sampled_from(["top", "center", "bottom"]),
                "hflip": st.booleans(),
            },
            optional={
                "fit": st.sampled_from(["pad", "linear"]),
                "jpeg": st.integers(1, 100),
            },
        ).map(lambda cut: {**cut, "position": "center", "hflip": False} if "fit" in cut else cut)
    )
    card = spell_one_way({"frames": {**sampling, **size, **limits, **scaler, **jpeg}})
    return Product(card["frames"], crop)


@given(product(), product())
def test_slugs_are_injective_and_of_the_alphabet(one, other):
    assert (one.name == other.name) == (one == other)
    assert (one.sampling_slug == other.sampling_slug) == (one.frames == other.frames)
    for slug in (one.sampling_slug, one.crop_slug):
        assert SLUG.fullmatch(slug)


@given(product(), st.data())
def test_any_one_key_changes_the_slug(one, data):
    key = data.draw(st.sampled_from(sorted(one.frames)))
    value = one.frames[key]
    other = {"bicubic": "area"}.get(value, "bicubic") if key == "scaler" else None
    if key == "fps":
        other = str(Fraction(value) + 1)
    elif key == "windows":
        other = {**value, "clip_len": str(Fraction(value["clip_len"]) + 1)}
    elif key == "at_least":
        other = value - 1 or None
    elif isinstance(value, int) and value is not True:
        other = value + 1
    if other is not None:
        assert Product({**one.frames, key: other}, one.crop).sampling_slug != one.sampling_slug


@pytest.mark.parametrize(
    ("frames", "slug"),
    [
        ({"fps": 2, "shorter_side": 320}, "fps2_short320"),
        ({"fps": "2/3", "shorter_side": 224}, "fps2d3_short224"),
        ({"fps": 29.97, "square": 64, "scaler": "area"}, "fps2997d100_square64_area"),
        ({"windows": {"clip_len": 2}, "shorter_side": 224}, "clip2_short224"),
        (
            {"windows": {"clip_len": "3/2", "fps": 30, "frames": 32}, "shorter_side": 224},
            "clip3d2_32of30fps_short224",
        ),
        ({"uniform": 8, "first": 4, "at_least": 2}, "uniform8_first4_min2_native"),
    ],
)
def test_slugs_read_well(frames, slug):
    assert Product({"scaler": "bicubic", **frames}, None).sampling_slug == slug


def test_crop_slugs():
    frames = {"every": True, "scaler": "bicubic"}
    flipped = {"size": 256, "position": "center", "hflip": True}
    assert Product(frames, flipped).crop_slug == "center256_hflip"
    padded = {"size": 56, "position": "center", "hflip": False, "fit": "pad"}
    assert Product(frames, padded).crop_slug == "pad56"
    linear = {**padded, "size": 256, "fit": "linear", "jpeg": 95}
    assert Product(frames, linear).crop_slug == "linear256_jpeg95"
    assert (Product(frames, padded).side, Product(frames, linear).side) == (56, None)
    assert Product({**frames, "jpeg": "ffmpeg"}, None).sampling_slug == "every_native_jpegffmpeg"
    assert Product(frames, None).crop_slug == "whole"


def card(**parts):
    base = {
        "frames": {"fps": 2, "shorter_side": [128, 160]},
        "crop": {"size": 128, "position": ["bottom", "top"], "hflip": [False, True]},
        "encoder": {"name": "dalle", "weights": "dalle_encoder"},
        "pack": {"format": "vimpac_lmdb"},
    }
    return check("recipe", {**base, **parts}, where="x")


def test_lists_expand_in_their_order():
    found = [(p.frames["shorter_side"], p.crop_slug) for p in products(card())]
    crops = ["bottom128", "bottom128_hflip", "top128", "top128_hflip"]
    assert found == [(side, crop) for side in (128, 160) for crop in crops]


def test_products_of_whole_frames():
    whole = products(card(frames={"fps": 2, "square": 64}, crop=None))
    assert [(p.name, p.side) for p in whole] == [("fps2_square64/whole", 64)]


def test_a_result_names_its_product():
    one = products(card())[1]
    frames = describe_result("extract_frames", {"frames": one.frames})
    crops = describe_result("crop_frames", {"crop": one.crop, "frames": frames})
    assert product_of(frames) == Product(one.frames, None)
    assert product_of(crops) == one


def test_merge_leaves_its_arguments_alone():
    base = {"frames": {"fps": 2, "first": 3}, "crop": {"size": 8}}
    merged = merge(base, {"frames": {"every": True}, "crop": None})
    assert merged == {"frames": {"every": True, "first": 3}, "crop": None}
    assert base == {"frames": {"fps": 2, "first": 3}, "crop": {"size": 8}}


def test_merge_changes_windows_in_part():
    base = {"frames": {"windows": {"clip_len": "3/2", "fps": 30, "frames": 32}}}
    merged = merge(base, {"frames": {"windows": {"clip_len": 2}}})
    assert merged == {"frames": {"windows": {"clip_len": 2, "fps": 30, "frames": 32}}}
    assert merge(base, {"frames": {"fps": 2}}) == {"frames": {"fps": 2}}
