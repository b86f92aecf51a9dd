"""Messages of yt-dlp and of YouTube have a class of the ledger."""

import os

import pytest
import yt_dlp

from reelpack.core.errors import FAILURE_CLASSES
from reelpack.sources.youtube_errors import FAILURES, classify

HINT = (
    "Use --cookies-from-browser or --cookies for the authentication. See"
    "  https://github.com/yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies-to-yt-dlp  for how to"
    " manually pass cookies. Also see"
    "  https://github.com/yt-dlp/yt-dlp/wiki/Extractors#exporting-youtube-cookies  for tips on"
    " effectively exporting YouTube cookies"
)
GONE = "Video unavailable. This video is no longer available "
MESSAGES = [
    (f"Sign in to confirm you\N{RIGHT SINGLE QUOTATION MARK}re not a bot. {HINT}", "bot_check"),
    (f"Sign in to confirm you're not a bot. {HINT}", "bot_check"),
    ("Video unavailable. YouTube is requiring a captcha challenge before playback", "bot_check"),
    (
        "Video unavailable. This content isn't available, try again later. The current session has been"
        " rate-limited by YouTube for up to an hour. It is recommended to use `-t sleep`",
        "rate_limited",
    ),
    (
        "Unable to download API page: HTTP Error 429: Too Many Requests"
        " (caused by <HTTPError 429: Too Many Requests>)",
        "rate_limited",
    ),
    (f"Sign in to confirm your age. This video may be inappropriate for some users. {HINT}", "age"),
    ("This video is age-restricted and YouTube is requiring account age-verification", "age"),
    ("The uploader has not made this video available in your country", "geo"),
    (
        "Video unavailable. This video contains content from UMG, who has blocked it in your country"
        " on copyright grounds",
        "geo",
    ),
    ("This video is not available from your location due to geo restriction", "geo"),
    ("Video unavailable. The uploader has not made this video available in your country.", "geo"),
    (f"Private video. Sign in if you've been granted access to this video. {HINT}", "private"),
    (
        "Join this channel to get access to members-only content like this video, and other"
        " exclusive perks.",
        "private",
    ),
    (
        "This video is available to this channel's members on level: Fan (or any higher level)."
        " Join this channel to get access to members-only content and other exclusive perks.",
        "private",
    ),
    ("This video is only available to Music Premium members", "private"),
    ("This video requires payment to watch", "private"),
    (f"Please sign in. {HINT}", "private"),
    ("This video is only available for registered users. Use --cookies", "private"),
    ("This video is DRM protected", "private"),
    (GONE + "because the YouTube account associated with this video has been terminated.", "gone"),
    (GONE + "due to a copyright claim by Sony", "gone"),
    ("Video unavailable. This video has been removed by the uploader", "gone"),
    ("This video has been removed for violating YouTube's policy on hate speech.", "gone"),
    ("Video unavailable", "gone"),
    ("Video unavailable. This video is not available", "gone"),
    ("This live stream recording is not available.", "gone"),
    ("This live event has ended.", "gone"),
    ("This live event will begin in 5 hours.", "missing"),
    ("Premieres in 3 days", "missing"),
    ("We're processing this video. Check back later.", "missing"),
    ("The channel is not currently live", "missing"),
    ("Requested format is not available. Use --list-formats for a list", "missing"),
    ("No video formats found!; please report this issue", "missing"),
    ("Incomplete YouTube ID abc. URL https://youtu.be/abc looks truncated.", "missing"),
    ("Unsupported URL: http://127.0.0.1/", "missing"),
    ("unable to download video data: HTTP Error 403: Forbidden", "network"),
    ("Failed to extract any player response; please report this issue", "network"),
    ("YouTube said: ERROR - An error occurred. Please try again later.", "network"),
    ("Downloaded 10 bytes, expected 20 bytes. content too short", "network"),
    ("unable to download video data: 100 bytes read, 50 more expected", "network"),
    (
        "Unable to download webpage: Failed to resolve 'www.youtube.com' ([Errno -2] Name or service"
        " not known)",
        "network",
    ),
    ("Unable to download API page: HTTP Error 503: Service Unavailable", "network"),
    ("Unable to download webpage: ('Connection aborted.', ConnectionResetError(104))", "network"),
    (
        "unable to download video data: HTTPConnectionPool: Read timed out. (read timeout=20)",
        "timeout",
    ),
    ("The read operation timed out", "timeout"),
    ("Unable to extract yt initial data; please report this issue", "missing"),
]


@pytest.mark.parametrize(("text", "failure"), MESSAGES)
@pytest.mark.parametrize("prefix", ["", "[youtube] dQw4w9WgXcQ: "])
def test_messages_have_a_class(text, failure, prefix):
    assert classify(prefix + text) == failure


def test_every_pattern_is_of_a_known_class():
    assert {failure for _, failure in FAILURES} <= set(FAILURE_CLASSES)


@pytest.mark.parametrize(
    "pattern",
    [
        "isn't available, try again later",
        "has been rate-limited by YouTube",
        "captcha challenge before playback",
        "The uploader has not made this video available in your country",
        "Failed to extract any player response",
        "age-restricted and YouTube is requiring",
    ],
)
def test_the_installed_yt_dlp_still_says_so(pattern):
    folder = os.path.dirname(yt_dlp.__file__)  # noqa: PTH120
    with open(f"{folder}/extractor/youtube/_video.py", encoding="utf-8") as stream:  # noqa: PTH123
        assert pattern in stream.read()
