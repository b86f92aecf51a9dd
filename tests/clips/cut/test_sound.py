"""The sound of a cut file is the window's: the same tone at the same time."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reelpack.clips.cut.clip import CUTS, cut_clip
from reelpack.core.errors import ClipError
from tests.support.clips import picture, write_clip

RATE = 16000
WINDOW = (0.505, 1.333)


def chirp(seconds: float) -> np.ndarray:
    """`float32[1, n]`: a tone that rises, so that every moment is another."""
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * (300 + 400 * time) * time)).astype(np.float32)[None]


def with_sound(path: Path, codec: str, *, format: str = "fltp") -> Path:
    """Write two seconds of frames at 25 per second and a chirp."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height = 64, 48
        audio = output.add_stream(codec, rate=RATE, layout="mono", format=format)
        sound = av.AudioFrame.from_ndarray(chirp(2.0), format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = RATE, 0, Fraction(1, RATE)
        size = audio.codec_context.frame_size or 1024
        convert = av.AudioResampler(format=format, layout="mono", rate=RATE, frame_size=size)
        for part in [*convert.resample(sound), *convert.resample(None)]:
            output.mux(audio.encode(part))
        output.mux(audio.encode(None))
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(picture(number, 64, 48), format="rgb24")
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


def samples(path: Path) -> tuple[str, np.ndarray]:
    """Codec and the `float32[n]` samples from the file's time 0 on, as a player gives them."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        convert = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        parts = []
        for frame in file.decode(stream):
            for part in convert.resample(frame):
                place = round(part.pts * part.time_base * RATE)
                array = part.to_ndarray()[0]
                parts.append((place, array))
        name = stream.codec_context.codec.canonical_name
    whole = np.zeros(max(place + len(array) for place, array in parts), np.float32)
    for place, array in parts:
        whole[max(place, 0) : place + len(array)] = array[max(-place, 0) :]
    return name, whole


def lag(found: np.ndarray, wanted: np.ndarray) -> int:
    """Samples by which one sound is behind another, by their correlation."""
    length = min(len(found), len(wanted))
    spectrum = np.fft.rfft(found[:length], 2 * length) * np.conj(
        np.fft.rfft(wanted[:length], 2 * length)
    )
    best = int(np.fft.irfft(spectrum).argmax())
    return best if best < length else best - 2 * length


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize(
    ("name", "codec", "format", "expected"),
    [
        ("aac.mp4", "aac", "fltp", "aac"),
        ("aac.mkv", "aac", "fltp", "aac"),
        ("mp3.mkv", "libmp3lame", "fltp", "mp3"),
        ("pcm.mkv", "pcm_s16le", "s16", "aac"),
        ("flac.mkv", "flac", "s16", "flac"),
    ],
)
def test_it_is_the_window_s(
    tmp_path: Path, name: str, codec: str, format: str, expected: str, how: str
) -> None:
    path = with_sound(tmp_path / name, codec, format=format)
    target = tmp_path / "cut.mp4"
    cut_clip(path, target, how=how, start_seconds=WINDOW[0], end_seconds=WINDOW[1])  # type: ignore[arg-type]
    _, source = samples(path)
    found_codec, found = samples(target)
    assert found_codec == expected
    # Files begin with the first frame in the window.
    begin, end = int(0.52 * RATE), int(1.36 * RATE)
    assert end - begin <= len(found) + RATE // 100
    assert len(found) < end - begin + 2 * 1152
    assert abs(lag(found, source[begin:end])) <= RATE // 500


@pytest.mark.parametrize("how", CUTS)
def test_a_window_behind_the_sound_has_none(tmp_path: Path, how: str) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=60, audio_seconds=0.5)
    cut_clip(path, tmp_path / "cut", how=how, start_seconds=1.0, end_seconds=2.0)  # type: ignore[arg-type]
    with av.open(str(tmp_path / "cut")) as file:
        assert not file.streams.audio


@pytest.mark.parametrize("how", CUTS)
def test_sound_that_nobody_knows_is_not_dropped(tmp_path: Path, how: str) -> None:
    path = write_clip(tmp_path / "a.mkv", frames=30, audio_seconds=1.0)
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_ZZZ"))
    with pytest.raises(ClipError, match="no decoder for its sound track") as caught:
        cut_clip(path, tmp_path / "cut", how=how, start_seconds=0.2, end_seconds=0.8)  # type: ignore[arg-type]
    assert caught.value.failure == "trim"
