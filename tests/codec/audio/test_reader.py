"""Reading real files of every kind, made here by the libraries' own encoders."""

from __future__ import annotations

import os
import struct
import tracemalloc
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from codec.audio.reader import AudioReader, open_audio, read_audio
from codec.errors import AudioFileError

RATE = 16000
TONE_HZ = 440
SECONDS = 1.5

MakeFile = Callable[..., Path]


def _tone(rate: int, channels: int) -> NDArray[np.float64]:
    """[T, channels]; a tone of amplitude 0.5 in every channel."""
    mono = 0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(int(SECONDS * rate)) / rate)
    return np.repeat(mono[:, np.newaxis], channels, axis=1)


def _write_with_ffmpeg(path: Path, codec: str, rate: int, channels: int, *, container: str | None = None) -> Path:
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        sound = np.ascontiguousarray(_tone(rate, channels).T.astype(np.float32))
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout=layout)
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = 0
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate, frame_size=stream.frame_size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return path


def _assert_is_the_tone(sound: NDArray[np.float32], *, length_tolerance_s: float = 0.001, level: float = 1.0) -> None:
    assert sound.dtype == np.float32
    assert sound.ndim == 1
    assert sound.size == pytest.approx(SECONDS * RATE, abs=max(length_tolerance_s * RATE, 2))
    middle = sound[RATE // 4 : -RATE // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    assert np.argmax(spectrum) * RATE / middle.size == pytest.approx(TONE_HZ, abs=2)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2) * level, rel=0.06)  # LAME scales by 0.95


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_wav_of_any_rate_and_channel_count(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, _tone(rate, channels), rate, subtype="PCM_16")
    with open_audio(path, RATE) as reader:
        assert (reader.source_rate, reader.source_channels) == (rate, channels)
        assert reader.duration_s == pytest.approx(SECONDS, abs=0.001)
        _assert_is_the_tone(np.concatenate(list(reader)))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_wav_of_any_sample_format(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "a.wav", _tone(44100, 2), 44100, subtype=subtype)
    _assert_is_the_tone(read_audio(tmp_path / "a.wav", RATE))


@pytest.mark.parametrize(
    ("name", "file_format", "subtype", "rate"),
    [
        ("a.flac", "FLAC", "PCM_16", 44100),
        ("b.flac", "FLAC", "PCM_24", 48000),
        ("a.ogg", "OGG", "VORBIS", 44100),
        ("b.ogg", "OGG", "OPUS", 48000),
        ("a.mp3", "MP3", "MPEG_LAYER_III", 44100),
        ("a.aiff", "AIFF", "PCM_16", 22050),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_flac_ogg_and_mp3(tmp_path: Path, name: str, file_format: str, subtype: str, rate: int, channels: int) -> None:
    soundfile.write(tmp_path / name, _tone(rate, channels), rate, format=file_format, subtype=subtype)
    _assert_is_the_tone(read_audio(tmp_path / name, RATE), length_tolerance_s=0.1)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("a.m4a", "aac", 44100, 1),
        ("b.m4a", "aac", 44100, 2),
        ("c.m4a", "aac", 48000, 6),
        ("d.m4a", "alac", 44100, 2),
        ("e.mp4", "aac", 22050, 2),
        ("f.aac", "aac", 44100, 2),
        ("g.mp3", "libmp3lame", 44100, 2),
        ("h.webm", "libopus", 48000, 2),
    ],
)
def test_m4a_and_what_else_ffmpeg_reads(tmp_path: Path, name: str, codec: str, rate: int, channels: int) -> None:
    path = _write_with_ffmpeg(tmp_path / name, codec, rate, channels, container="adts" if name == "f.aac" else None)
    with open_audio(path, RATE) as reader:
        assert (reader.source_rate, reader.source_channels) == (rate, channels)
        # The low-frequency channel of 5.1 holds no 440 Hz.
        level = 5 / 6 if channels == 6 else 1.0
        _assert_is_the_tone(np.concatenate(list(reader)), length_tolerance_s=0.1, level=level)
        assert reader.damaged_packets == 0


@pytest.mark.parametrize("file_format", ["WAV", "FLAC", "OGG"])
def test_blocks_fit_together_without_a_seam(tmp_path: Path, file_format: str) -> None:
    soundfile.write(tmp_path / "a", _tone(44100, 2), 44100, format=file_format)
    whole = soundfile.read(tmp_path / "a", dtype="float32")[0].mean(axis=1)
    np.testing.assert_allclose(read_audio(tmp_path / "a", 44100), whole, atol=1e-6)


def test_blocks_of_mp3_fit_together_without_a_seam(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", _tone(44100, 1), 44100, format="MP3")
    sound = read_audio(tmp_path / "a.mp3", 44100)
    levels = np.sqrt(np.mean(sound[: sound.size // 4096 * 4096].reshape(-1, 4096) ** 2, axis=1))
    np.testing.assert_allclose(levels, 0.5 / np.sqrt(2), rtol=0.02)


def test_the_ending_of_the_name_does_not_matter(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", _tone(16000, 1), 16000)
    for name in ("sound", "sound.mp3", "sound.raw", "sound.txt"):
        (tmp_path / name).write_bytes((tmp_path / "a.wav").read_bytes())
        _assert_is_the_tone(read_audio(tmp_path / name, RATE))


def test_names_that_look_like_addresses_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = _write_with_ffmpeg(tmp_path / "plain.m4a", "aac", 44100, 1)
    for name in ("concat:x.m4a", "pipe:0", "-", "spoken é.m4a"):
        (tmp_path / name).write_bytes(source.read_bytes())
        _assert_is_the_tone(read_audio(name, RATE), length_tolerance_s=0.1)


def test_a_file_that_is_called_minus_is_not_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write(tmp_path / "-", _tone(16000, 1), 16000, format="WAV")
    before = os.fstat(0)
    _assert_is_the_tone(read_audio("-", RATE))
    after = os.fstat(0)
    assert (after.st_dev, after.st_ino) == (before.st_dev, before.st_ino)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left_only = _tone(16000, 2)
    left_only[:, 1] = 0
    soundfile.write(tmp_path / "a.wav", left_only, 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", RATE), left_only[:, 0] / 2, atol=1e-6)


def test_full_scale_integers_are_one(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(1000, -32768, dtype=np.int16), 16000)
    assert (read_audio(tmp_path / "a.wav", RATE) == -1).all()


def test_nonfinite_samples_of_float_files_are_cleaned_and_counted(tmp_path: Path) -> None:
    sound = _tone(16000, 1)
    sound[[100, 200, 300], 0] = [np.nan, np.inf, -np.inf]
    soundfile.write(tmp_path / "a.wav", sound, 16000, subtype="FLOAT")
    with open_audio(tmp_path / "a.wav", 8000) as reader:
        assert np.isfinite(np.concatenate(list(reader))).all()
        assert reader.nonfinite_samples == 3
        assert reader.faults == (
            f"{tmp_path / 'a.wav'} is damaged: 3 samples were not finite or absurdly loud and were replaced"
        )


def test_a_reader_is_read_once(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", _tone(16000, 1), 16000)
    with open_audio(tmp_path / "a.wav", RATE) as reader:
        assert list(reader)
        assert not list(reader)
    reader.close()


def test_blocks_are_never_empty(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", _tone(96000, 1), 96000)
    with open_audio(tmp_path / "a.wav", 8000) as reader:
        assert all(block.size for block in reader)


def test_a_single_sample_is_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5]), 44100, subtype="FLOAT")
    assert isinstance(open_audio(tmp_path / "a.wav", RATE), AudioReader)
    assert read_audio(tmp_path / "a.wav", 44100).tolist() == [0.5]


def test_an_hour_is_read_without_holding_it(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        second = bytes(8000 * 4)
        for _ in range(3600):
            file.writeframesraw(second)
    tracemalloc.start()
    try:
        with open_audio(path, 8000) as reader:
            assert reader.duration_s == 3600
            total = sum(block.size for block in reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 3600 * 8000
    assert peak < 4_000_000  # held whole it would be 115 MB of samples


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    with pytest.raises(AudioFileError) as caught:
        open_audio(path, RATE)
    assert str(caught.value) == f"File not found at {path}"
    assert (caught.value.reason, caught.value.exit_code, caught.value.path) == ("missing", 66, path)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(AudioFileError, match="the file is empty") as caught:
        open_audio(tmp_path / name, RATE)
    assert caught.value.reason == "empty"


def test_a_header_without_sound_is_an_empty_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    soundfile.write(tmp_path / "a.flac", np.zeros(0), 16000)
    for name in ("a.wav", "a.flac"):
        with pytest.raises(AudioFileError, match="the file is empty"):
            open_audio(tmp_path / name, RATE)


def _text(_: Path) -> bytes:
    return b"This is a text, and no sound at all.\n" * 200


def _noise(_: Path) -> bytes:
    return np.random.default_rng(0).bytes(100_000)


def _zeros(_: Path) -> bytes:
    return bytes(100_000)


def _play_list(folder: Path) -> bytes:
    soundfile.write(folder / "secret.wav", _tone(16000, 1), 16000)
    return f"#EXTM3U\n#EXTINF:1,\n{folder / 'secret.wav'}\n".encode()


def _concatenation(folder: Path) -> bytes:
    soundfile.write(folder / "secret.wav", _tone(16000, 1), 16000)
    return b"ffconcat version 1.0\nfile secret.wav\n"


def _picture(_: Path) -> bytes:
    return bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000") + bytes(300)


def _film_without_sound(folder: Path) -> bytes:
    with av.open(str(folder / "film.mp4"), "w") as output:
        stream = output.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(stream.encode(None))
    return (folder / "film.mp4").read_bytes()


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a", "a.raw", "a"])
@pytest.mark.parametrize("content", [_text, _noise, _zeros, _play_list, _concatenation, _picture])
def test_what_is_not_audio_is_refused(tmp_path: Path, name: str, content: Callable[[Path], bytes]) -> None:
    (tmp_path / name).write_bytes(content(tmp_path))
    with pytest.raises(AudioFileError, match="Unsupported file type — expected WAV/MP3/FLAC/OGG/M4A") as caught:
        read_audio(tmp_path / name, RATE)
    assert caught.value.reason == "unsupported"


@pytest.mark.parametrize("name", ["a.mp4", "a.wav", "a"])
def test_a_film_without_sound_is_told_from_a_file_that_is_no_audio(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(_film_without_sound(tmp_path))
    with pytest.raises(AudioFileError, match=r"There is no sound in .*it holds no audio track") as caught:
        open_audio(tmp_path / name, RATE)
    assert caught.value.reason == "empty"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="is a folder"):
        open_audio(tmp_path, RATE)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_cut_short_gives_its_beginning_or_one_clear_error(tmp_path: Path, name: str, share: float) -> None:
    soundfile.write(tmp_path / "whole", _tone(44100, 1), 44100, format=name.split(".")[1].upper())
    data = (tmp_path / "whole").read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    try:
        sound = read_audio(tmp_path / name, RATE)
    except AudioFileError as error:
        assert error.reason in ("damaged", "unsupported", "empty")  # noqa: PT017
    else:
        assert 0 < sound.size <= SECONDS * RATE * 1.1


def test_m4a_without_its_index_is_refused(tmp_path: Path) -> None:
    data = _write_with_ffmpeg(tmp_path / "a.m4a", "aac", 44100, 1).read_bytes()
    (tmp_path / "a.m4a").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioFileError, match="begins as M4A but cannot be read: it is damaged or cut short") as caught:
        open_audio(tmp_path / "a.m4a", RATE)
    assert caught.value.reason == "damaged"


def _wav(*, channels: int = 1, rate: int = 16000, bits: int = 16, data: bytes = bytes(3200), size: int = -1) -> bytes:
    """A WAV file of any header, true or not; size: of the data as the header states it, -1 for the true one."""
    size = len(data) if size < 0 else size
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block % 2**32, block % 2**16, bits)
    total = min(36 + size, 0xFFFFFFFF)
    return (
        b"RIFF"
        + struct.pack("<I", total)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + struct.pack("<4sI", b"data", size)
        + data
    )


@pytest.mark.parametrize(
    ("content", "reason", "sentence"),
    [
        (_wav(channels=0), "damaged", "begins as WAV but cannot be read: its header states 0 channels"),
        (_wav(rate=0), "damaged", "its header states 0 Hz"),
        (_wav(bits=0), "damaged", "its header states 0 bits per sample"),
        (_wav()[:20], "damaged", "its header is cut short"),
        (_wav(channels=200, data=bytes(40000)), "unsupported", "has 200 channels, expected 1 to 64"),
        (_wav(rate=1), "unsupported", "has a sample rate of 1 Hz, expected 1000 to 768000"),
        (_wav(rate=2**31 - 1), "unsupported", "has a sample rate of 2147483647 Hz"),
    ],
)
def test_a_header_that_can_not_be_true_is_named(tmp_path: Path, content: bytes, reason: str, sentence: str) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(AudioFileError, match=sentence) as caught:
        open_audio(tmp_path / "a.wav", RATE)
    assert caught.value.reason == reason


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF - 36, 0xFFFFFFFF])
def test_a_wav_whose_writer_never_came_to_state_its_length_is_no_damaged_one(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.wav").write_bytes(_wav(data=b"\x00\x10" * 32000, size=size))
    with open_audio(tmp_path / "a.wav", RATE) as reader:
        assert sum(map(len, reader)) == 32000
        assert reader.faults is None


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_whole_file_has_no_faults(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, _tone(44100, 1), 44100, format=name.split(".")[1].upper())
    with open_audio(tmp_path / name, RATE) as reader:
        assert sum(map(len, reader))
        assert reader.faults is None


def test_an_mp3_cut_short_plays_what_it_has_and_says_what_is_missing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "whole.mp3", np.tile(_tone(44100, 1), (4, 1)), 44100, format="MP3")
    data = (tmp_path / "whole.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(data[: len(data) // 2])
    with open_audio(tmp_path / "a.mp3", RATE) as reader:
        duration_s = sum(map(len, reader)) / RATE
        assert reader.duration_s == pytest.approx(4 * SECONDS, abs=0.2)
        assert duration_s == pytest.approx(2 * SECONDS, abs=0.3)
        assert reader.missing_s == pytest.approx(4 * SECONDS - duration_s, abs=0.1)
        assert reader.faults is not None
        assert "it was cut short" in reader.faults
    assert capfd.readouterr() == ("", "")  # libsndfile's MP3 library would print its own remarks


def test_a_pipe_is_refused_at_once_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    for path in (tmp_path / "a.wav", Path("/dev/zero")):
        with pytest.raises(AudioFileError, match="is a pipe or a device"):
            open_audio(path, RATE)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    for name, sentence in (("a\0b.wav", "null byte"), ("x" * 5000, "too long")):
        with pytest.raises(AudioFileError, match=sentence):
            open_audio(name, RATE)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3", "a.m4a"])
def test_damage_in_the_middle_ends_in_sound_or_one_clear_error(tmp_path: Path, name: str) -> None:
    whole = tmp_path / "whole.m4a"
    if name == "a.m4a":
        _write_with_ffmpeg(whole, "aac", 44100, 1)
    else:
        soundfile.write(whole, _tone(44100, 1), 44100, format=name.split(".")[1].upper())
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 500] = np.random.default_rng(1).bytes(500)
    (tmp_path / name).write_bytes(data)
    try:
        sound = read_audio(tmp_path / name, RATE)
    except AudioFileError as error:
        assert error.reason in ("damaged", "unsupported", "empty")  # noqa: PT017
    else:
        assert np.isfinite(sound).all()
