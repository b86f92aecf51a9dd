"""Sound of clips: mp3 of 32 kHz and one channel, in step with the frames."""

import io
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest
from av.stream import Disposition

from reelpack.clips.table import Clip, write_clips
from reelpack.core.errors import ClipError
from reelpack.core.files import sha256_file
from reelpack.frames.audio import EXTRACT_AUDIO, RATE_HZ, AudioSettings, encode_mp3
from reelpack.frames.cursor import FrameCursor
from reelpack.frames.extract import run_frames
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.jobs.stage import Task
from tests.support.clips import cut_file, write_audio, write_clip
from tests.support.helpers import program_on_path

ALL = {"start_seconds": None, "end_seconds": None}


def waveform(mp3: bytes) -> np.ndarray:
    """Decode as FAVDBench's reader does, which neither resamples nor mixes: `float32[n]`."""
    container = av.open(io.BytesIO(mp3))
    stream = next(s for s in container.streams if s.type == "audio")
    assert (stream.rate, stream.channels) == (RATE_HZ, 1)
    frames = [f.to_ndarray().reshape(-1) for p in container.demux(stream) for f in p.decode()]
    samples = np.concatenate(frames)
    assert samples.dtype == np.float32
    return samples


def write_beeps(
    path: Path, *, rate: int = 44100, layout: str = "stereo", late: float = 0.0
) -> Path:
    """Two seconds, silent but for 0.5 to 0.6 s and 1.5 to 1.6 s; the left channel only in stereo."""
    time = np.arange(2 * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 1000 * time) * ((time % 1 >= 0.5) & (time % 1 < 0.6))
    channels = np.zeros((2 if layout == "stereo" else 1, len(time)), np.float32)
    channels[0] = tone
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libmp3lame" if path.suffix == ".mp3" else "aac", rate=rate)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(channels, format="fltp", layout=layout)
        frame.rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(late * rate)
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def beeps(samples: np.ndarray) -> list[float]:
    """Seconds at which sound begins."""
    loud = np.abs(samples) > 0.05
    gaps = np.convolve(loud, np.ones(RATE_HZ // 20), "full")[: len(loud)] - loud
    return (np.flatnonzero(loud & (gaps == 0)) / RATE_HZ).tolist()


def test_rate_channels_and_time(tmp_path):
    path = write_beeps(tmp_path / "a.m4a")
    data = encode_mp3(path)
    assert data == encode_mp3(path)
    samples = waveform(data)
    assert len(samples) / RATE_HZ == pytest.approx(2, abs=0.05)
    assert beeps(samples) == pytest.approx([0.5, 1.5], abs=0.01)
    assert np.abs(samples).max() == pytest.approx(0.25, abs=0.03)


def test_a_window_is_cut_to_the_sample(tmp_path):
    path = write_beeps(tmp_path / "a.m4a")
    samples = waveform(encode_mp3(path, start_seconds=1.25, end_seconds=1.75))
    assert len(samples) == RATE_HZ // 2
    assert beeps(samples) == pytest.approx([0.25], abs=0.01)
    with pytest.raises(ClipError, match="no_audio"):
        encode_mp3(path, start_seconds=5.0)


def test_a_track_that_begins_late_stays_in_step(tmp_path):
    path = write_clip(tmp_path / "a.mkv", frames=50, audio_seconds=1.0)
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mkv"), "w") as output:
        streams = {s.index: output.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                if packet.stream.type == "audio":
                    packet.pts += 700
                    packet.dts += 700
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    samples = waveform(encode_mp3(tmp_path / "b.mkv"))
    (begin, *_) = np.flatnonzero(np.abs(samples) > 0.05)
    assert begin / RATE_HZ == pytest.approx(0.7, abs=0.04)


def write_tracks(path: Path, layouts: Sequence[str], default: Sequence[int] = ()) -> Path:
    """One second of 400 Hz in the first track, 800 Hz in the second, and so on."""
    with av.open(str(path), "w") as output:
        tracks = [output.add_stream("aac", rate=44100, layout=layout) for layout in layouts]
        for number, track in enumerate(tracks):
            track.disposition = Disposition.default if number in default else 0
        for number, track in enumerate(tracks):
            time = np.arange(44100, dtype=np.float32) / 44100
            tone = 0.5 * np.sin(2 * np.pi * 400 * (number + 1) * time)
            samples = np.repeat(tone[None], track.layout.nb_channels, axis=0).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layouts[number])
            frame.rate, frame.time_base, frame.pts = 44100, Fraction(1, 44100), 0
            output.mux([*track.encode(frame), *track.encode(None)])
    return path


def track_of(samples: np.ndarray) -> int:
    """Which track of `write_tracks` this is, by its loudest tone."""
    spectrum = np.abs(np.fft.rfft(samples))
    return round(int(spectrum.argmax()) / len(samples) * RATE_HZ / 400) - 1


@pytest.mark.parametrize("program", [imageio_ffmpeg.get_ffmpeg_exe, program_on_path])
@pytest.mark.parametrize(
    ("layouts", "default", "wanted"),
    [
        (("mono", "stereo", "5.1", "mono"), (), 2),
        (("mono", "stereo", "5.1", "mono"), (1,), 1),
        (("mono", "stereo", "5.1", "stereo"), (0, 3), 3),
        (("mono", "mono", "mono"), (), 0),
    ],
    ids=str,
)
def test_the_track_is_the_one_that_the_ffmpeg_program_takes(
    tmp_path, program, layouts, default, wanted
):
    path = write_tracks(tmp_path / "a.mkv", layouts, default)
    command = [program(), "-v", "error", "-i", str(path), "-ac", "1", "-ar", str(RATE_HZ)]
    theirs = subprocess.run([*command, "-f", "f32le", "-"], check=True, capture_output=True).stdout
    assert track_of(np.frombuffer(theirs, np.float32)) == wanted
    assert track_of(waveform(encode_mp3(path))) == wanted


def test_a_recipe_may_name_a_track(tmp_path):
    path = write_tracks(tmp_path / "a.mkv", ("mono", "stereo", "mono"))
    assert [track_of(waveform(encode_mp3(path, track=n))) for n in range(3)] == [0, 1, 2]
    with pytest.raises(ClipError, match="no audio track 3; the file has 3, from 0") as caught:
        encode_mp3(path, track=3)
    assert caught.value.failure == "no_audio"
    (row,) = extract(tmp_path, [clip(path, "a")], {"track": 2})
    assert row.ok
    assert track_of(waveform(FrameCursor(tmp_path / "00000.tar").take("a").file(0))) == 2


def clip(path: Path, clip_id: str, **window: float | None) -> Clip:
    sha256 = sha256_file(path) if path.is_file() else ""
    return Clip(clip_id, str(path), sha256, **{**ALL, **window})


def extract(folder: Path, clips: list[Clip], audio: dict[str, Any]) -> list[LedgerRow]:
    write_clips(clips, folder / "clips.parquet")
    rows = [LedgerRow(one.clip_id, "trim_shard", "ok") for one in clips]
    write_ledger(rows, folder / "earlier.parquet")
    job = Job(
        "r",
        folder / "00000.tar",
        folder / "00000.ledger.parquet",
        folder / "journal",
        (folder / "earlier.parquet",),
    )
    return run_frames(EXTRACT_AUDIO, folder / "clips.parquet", AudioSettings.of(audio), job)


def test_a_shard_holds_one_file_per_clip_and_tells_the_rest(tmp_path):
    mute = write_clip(tmp_path / "mute.mp4")
    sound = write_clip(tmp_path / "sound.mp4", audio_seconds=1.0)
    broken = cut_file(write_audio(tmp_path / "x.m4a"), tmp_path / "broken.m4a", keep=0.5)
    clips = [
        clip(sound, "a/sound"),
        clip(mute, "mute"),
        clip(broken, "broken"),
        clip(sound, "late", start_seconds=7.0),
        clip(sound, "part", start_seconds=0.25, end_seconds=0.75),
    ]
    rows = extract(tmp_path, clips, {})
    assert [row.failure for row in rows] == ["", "no_audio", "corrupt", "no_audio", ""]
    cursor = FrameCursor(tmp_path / "00000.tar")
    for row in (rows[0], rows[4]):
        taken = cursor.take(row.clip_id)
        assert taken.sha256() == row.digest
        assert len(taken) == 1
        samples = waveform(taken.file(0))
    assert len(samples) == RATE_HZ // 2
    cursor.check_done()


def test_files_beside_are_kept_or_encoded_anew(tmp_path, capsys):
    folder = tmp_path / "mp3"
    folder.mkdir()
    ready = write_beeps(folder / "ready.mp3", rate=32000, layout="mono").read_bytes()
    write_beeps(folder / "stereo.mp3")
    video = tmp_path / "any.mp4"
    clips = [clip(video, "x/ready"), clip(video, "x/stereo"), clip(video, "x/none")]
    rows = extract(tmp_path, clips, {"folder": str(folder)})
    assert [row.failure for row in rows] == ["", "", "missing"]
    cursor = FrameCursor(tmp_path / "00000.tar")
    assert cursor.take("x/ready").file(0) == ready
    assert beeps(waveform(cursor.take("x/stereo").file(0))) == pytest.approx([0.5, 1.5], abs=0.01)
    capsys.readouterr()
    for number, one in enumerate(clips[:2]):
        EXTRACT_AUDIO.work(Task(one, "", tmp_path / f"{number}.clip", AudioSettings(folder)))
    said = capsys.readouterr().out
    assert "stereo.mp3: encoded anew to mp3 of 32000 Hz and one channel" in said
    assert "ready.mp3: encoded" not in said
