"""A dataset's download options are translated, and nothing else is passed through."""

import pytest
import yt_dlp

from reelpack.core.errors import UserError
from reelpack.sources.youtube_options import ydl_options


def test_options_are_translated(tmp_path):
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n")
    result = ydl_options(
        {
            "cookies": str(cookies),
            "proxy": "socks5://127.0.0.1:9050",
            "bytes_per_second": 1_000_000,
            "sleep_requests_seconds": 0.75,
            "sleep_seconds": 10,
            "max_sleep_seconds": 20,
            "js_runtimes": ["node"],
            "player_clients": ["tv", "web_safari"],
        }
    )
    assert result.pop("cookiefile").read() == "# Netscape HTTP Cookie File\n"
    assert result == {
        "proxy": "socks5://127.0.0.1:9050",
        "ratelimit": 1e6,
        "sleep_interval_requests": 0.75,
        "sleep_interval": 10,
        "max_sleep_interval": 20,
        "js_runtimes": {"node": {}},
        "extractor_args": {"youtube": {"player_client": ["tv", "web_safari"]}},
    }
    with yt_dlp.YoutubeDL({**result, "quiet": True}):
        pass


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"exec": "rm"}, "unknown option 'exec'; allowed: bytes_per_second, cache"),
        ({"postprocessors": []}, "unknown option"),
        ({"cookies": "/nowhere/cookies.txt"}, "No such file"),
        ({"proxy": "file:///etc/passwd"}, "not the address of a proxy"),
        ({"bytes_per_second": "1M"}, "not a number"),
        ({"bytes_per_second": 0}, "not above 0"),
        ({"sleep_seconds": float("nan")}, "not above 0"),
        ({"max_sleep_seconds": 5}, "needs sleep_seconds"),
        ({"js_runtimes": ["bash"]}, "allowed: bun, deno, node, quickjs"),
        ({"player_clients": "web"}, "not a list"),
    ],
)
def test_other_options_are_a_mistake(options, said):
    with pytest.raises(UserError, match=said) as caught:
        ydl_options(options)
    assert "\n" not in str(caught.value)
