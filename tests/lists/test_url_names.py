"""Names of fetched videos: safe, stable, and never two addresses under one."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reelpack.core.errors import ClipError
from reelpack.core.names import check_url, safe_name
from reelpack.lists.url_names import PLAIN_URL, name_video


def digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("url", "stem", "ending"),
    [
        ("https://x.org/v/a.mp4", "a", ".mp4"),
        ("https://x.org/v/a.mp4?key=1/2.avi", "a", ".mp4"),
        ("https://x.org/v/stock-footage_1.v2.MOV", "stock-footage_1.v2", ".MOV"),
        ("https://x.org/a%20b.mp4", "a%20b", ".mp4"),
        ("https://x.org/ü.mp4", "ü", ".mp4"),
        ("https://x.org/$(reboot).mp4", "%24%28reboot%29", ".mp4"),
        ("https://x.org/-rf.mp4", "%2Drf", ".mp4"),
        ("https://x.org/.hidden.mp4", "%2Ehidden", ".mp4"),
        ("https://x.org/watch", "watch", ""),
        ("https://x.org/" + "a" * 300 + ".mp4", "", ".mp4"),
        ("https://x.org/" + "ü" * 120 + ".mp4", "", ".mp4"),
        ("https://x.org/" + "a" * 300 + ".php", "", ""),
        ("https://x.org/a%2F..%2Fb.mp4", "", ".mp4"),
        ("https://x.org/a%0Ab.mp4", "", ".mp4"),
        ("https://x.org/..", "", ""),
        ("https://x.org/%2e%2e", "", ""),
        ("https://x.org/", "", ""),
        ("https://x.org", "", ""),
        ("https://x.org?a/b.mp4", "", ""),
    ],
)
def test_names_follow_the_last_part(url, stem, ending):
    check_url(url)
    middle = f"{stem}-" if stem else ""
    assert name_video(url) == f"{middle}{digest(url)}{ending}"


def test_what_follows_a_hash_makes_no_other_video():
    assert name_video("http://x/a.mp4#t=1,2") == name_video("http://x/a.mp4")


def test_addresses_with_one_last_part_have_names_of_their_own():
    urls = [f"http://{host}/{part}a.mp4{query}" for host in "xy" for part in ("", "b/")
            for query in ("", "?1")]  # fmt: skip
    assert len({name_video(url) for url in urls}) == 8


@given(st.text(max_size=300))
@example("/a\u0301.mp4")
@example("/%ff%fe.mp4")
@example("/%ED%A0%80")
def test_every_address_gives_one_safe_name(rest):
    url = f"http://x/{rest}"
    try:
        check_url(url)
    except ClipError:
        return
    name = name_video(url)
    assert "/" not in name
    assert len(name.encode()) <= 255
    # It is safe already, but for the percent characters of what was made safe.
    assert safe_name(name.replace("%", "_")) == name.replace("%", "_")


@given(st.from_regex(PLAIN_URL, fullmatch=True))
def test_plain_addresses_need_no_closer_look(url):
    check_url(url)
