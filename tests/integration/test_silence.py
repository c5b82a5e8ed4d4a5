"""Speech with pauses over real links: what is not sent is counted, what is said is whole, and the room stays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import codec
from codec import load_encoder
from codec.load import load_onnx_decoder
from gateway.silence_gate import PREROLL_FRAMES
from tests.detector import detector
from tests.integration.conftest import MakeStream
from tests.integration.nano_path import NanoRun, NanoStream, Stats, finish, processes, start_mosquitto
from tests.integration.watcher import Watcher

pytestmark = [pytest.mark.broker, pytest.mark.slow, detector]

RATE, FRAME = 16000, 1280
SPEECH_S, PAUSE_S, LAST_PAUSE_S = 4, 8, 3
PAUSES = ((0.0, 1.0), (1.0 + SPEECH_S, 1.0 + SPEECH_S + PAUSE_S), (17.0, 17.0 + LAST_PAUSE_S))
"""Seconds of the clip in which nobody speaks: 12 of 20."""
LONG_PAUSE = 2
ROOM_DBFS = -52.0
LINKS = ("lan", "wan", "narrow")


@dataclass(frozen=True, slots=True)
class Runs:
    """By link profile. sent: indices of the frames that passed the broker. whole: the clip through the codec alone."""

    by_link: dict[str, NanoRun]
    sent: dict[str, set[int]]
    clip: NDArray[np.float32]
    whole: NDArray[np.float32]


def make_clip() -> NDArray[np.float32]:
    """Two passages of bundled speech in a room that is never quite silent."""
    speech, rate = soundfile.read(Path(codec.__file__).parent / "assets" / "speech_cc0.flac", dtype="float32")
    assert rate == RATE
    parts = [np.zeros(RATE), speech[: SPEECH_S * RATE], np.zeros(PAUSE_S * RATE)]
    parts += [speech[6 * RATE : (6 + SPEECH_S) * RATE], np.zeros(LAST_PAUSE_S * RATE)]
    dry = np.concatenate(parts)
    noise = np.random.default_rng(5).standard_normal(len(dry))
    spectrum = np.fft.rfft(noise)
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), len(dry))
    pink *= 10 ** (ROOM_DBFS / 20) / np.sqrt(np.mean(pink**2))
    return np.clip(dry + pink, -1.0, 1.0).astype(np.float32)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("silence")
    clip = make_clip()
    soundfile.write(folder / "clip.wav", clip, RATE, subtype="PCM_16")
    with start_mosquitto(folder / "broker") as broker, Watcher(broker.url) as watcher, processes() as start:
        streams = {link: NanoStream(link, start=start, watcher=watcher, broker=broker, folder=folder) for link in LINKS}
        running = [stream.start_player() for stream in streams.values()]
        for stream in streams.values():
            stream.wait_for_player()
        for link, stream in streams.items():
            running.append(stream.start_gateway(*sending(folder / "clip.wav", link)))
        for process in reversed(running):
            finish(process)
        sent = {link: sent_frames(watcher, link) for link in LINKS}
        return Runs({link: stream.collect() for link, stream in streams.items()}, sent, clip, through_codec(clip))


def sending(clip: Path, link: str) -> list[str]:
    # Packed, for whoever looks at the packets on their way.
    return ["--source", str(clip), "--start-delay", "500ms", "--link", link, "--silence", "on", "--entropy", "off"]


def through_codec(clip: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is heard where every frame is sent."""
    frames = clip[: len(clip) // FRAME * FRAME].reshape(-1, 1, FRAME)
    with load_encoder("nano").session() as encoder, load_onnx_decoder("nano").session() as decoder:
        return np.concatenate([decoder.decode(encoder.encode(frame)[0])[0] for frame in frames])


def sent_frames(watcher: Watcher, name: str) -> set[int]:
    return {
        frame
        for packet in watcher.packets(name)
        for frame in range(packet.first_frame, packet.first_frame + packet.num_frames)
    }


def voiced_frames(clip: NDArray[np.float32]) -> set[int]:
    """Frames as loud as speech is: 25 dB below its loud ones, and 10 above the room at least."""
    frames = clip[: len(clip) // FRAME * FRAME].reshape(-1, FRAME)
    level = 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1))
    return set(np.flatnonzero(level > max(np.percentile(level, 95) - 25, ROOM_DBFS + 10)).tolist())


def heard(run: NanoRun) -> NDArray[np.float32]:
    samples, rate = soundfile.read(run.wav, dtype="float32")
    assert rate == RATE
    return np.asarray(samples, dtype=np.float32)


def level_dbfs(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


@pytest.mark.parametrize("link", ["lan", "wan", "narrow"])
def test_every_frame_is_played_or_stood_in_for_by_the_room(runs: Runs, link: str) -> None:
    sent, got = runs.by_link[link].gateway, runs.by_link[link].player
    assert sent["frames_dropped"] == sent["frames_gapped"] == 0
    assert sent["pauses"] == got["pauses"] >= 3
    assert sent["frames_silent"] > 0.35 * sent["frames_encoded"]
    assert got["frames_due"] == sent["frames_encoded"]
    assert got["frames_played"] == sent["frames_published"]
    assert got["frames_comfort"] == got["silent_frames"] == sent["frames_silent"]
    nothing = ("frames_concealed", "frames_skipped", "late", "gaps", "rebuffers", "starvations", "underruns")
    assert {name: got[name] for name in nothing} == dict.fromkeys(nothing, 0)
    assert got["decoder_resets"] == 1


@pytest.mark.parametrize("link", ["lan", "wan", "narrow"])
def test_no_frame_of_the_voice_is_missing(runs: Runs, link: str) -> None:
    """By an offline look at the clip. What the encoder holds back makes the sound of a frame end in the next one."""
    voiced = voiced_frames(runs.clip)
    assert len(voiced) > 60
    assert voiced | {frame + 1 for frame in voiced} <= runs.sent[link]
    assert len(runs.sent[link]) == runs.by_link[link].player["frames_played"]


def test_the_wire_is_quiet_in_pauses(runs: Runs, wan_runs: dict[int, NanoRun]) -> None:
    """By the kernel's counters at the gateway, headers and acknowledgements included, from its first to last word."""

    def bytes_a_frame(gateway: Stats) -> float:
        segments = gateway["wire_segments_in"] + gateway["wire_segments_out"]
        moved = gateway["wire_bytes_in"] + gateway["wire_bytes_out"] + 52 * segments
        return float(moved / gateway["frames_encoded"])

    assert bytes_a_frame(runs.by_link["wan"].gateway) < 0.75 * bytes_a_frame(wan_runs[1].gateway)


@pytest.mark.parametrize("link", ["wan", "narrow"])
def test_the_room_goes_on_at_its_level_without_a_click(runs: Runs, link: str) -> None:
    sound, whole = heard(runs.by_link[link]), runs.whole
    for begin, end in PAUSES:
        span = slice(round((begin + 0.3) * RATE), round((end - 0.1) * RATE))
        assert level_dbfs(sound[span]) == pytest.approx(level_dbfs(whole[span]), abs=3.0)
        halves = sound[span][: len(sound[span]) // 4000 * 4000].reshape(-1, 4000)
        assert all(abs(level_dbfs(half) - level_dbfs(whole[span])) < 8.0 for half in halves)
        # Nothing in a pause, its borders included, steps as speech steps.
        assert np.abs(np.diff(sound[span])).max() < 0.25 * np.abs(np.diff(whole)).max()
    assert np.abs(np.diff(sound)).max() <= 1.25 * np.abs(np.diff(whole)).max()


@pytest.mark.parametrize("link", ["wan", "narrow"])
def test_the_first_syllable_is_as_loud_as_without_pauses(runs: Runs, link: str) -> None:
    """nano's decoder makes its noise from its own past, so samples differ; what is said does not."""
    sound, whole = heard(runs.by_link[link]), runs.whole
    for _, end in PAUSES[:2]:
        begin = round(end * RATE) // FRAME
        for frame in range(begin, begin + 6):
            span = slice(frame * FRAME, (frame + 1) * FRAME)
            if level_dbfs(whole[span]) > -35.0:
                assert level_dbfs(sound[span]) == pytest.approx(level_dbfs(whole[span]), abs=2.0)


def test_who_joins_in_a_pause_hears_the_voice_that_ends_it_from_its_first_frame(
    make_stream: MakeStream, watcher: Watcher, tmp_path: Path
) -> None:
    clip = make_clip()
    soundfile.write(tmp_path / "clip.wav", clip, RATE, subtype="PCM_16")
    stream = make_stream("joined")
    gateway = stream.start_gateway(*sending(tmp_path / "clip.wav", "wan"))
    watcher.wait_for_count(stream.tokens, 1)
    watcher.wait_until(lambda: pauses(watcher, stream.name) == LONG_PAUSE, "the long pause")
    player = stream.start_player()
    finish(gateway)
    finish(player)
    run = stream.collect()
    got = run.player
    voiced = {frame for frame in voiced_frames(clip) if frame * FRAME > PAUSES[1][1] * RATE - FRAME}
    first_due = run.gateway["frames_encoded"] + run.gateway["frames_gapped"] - got["frames_due"]
    assert first_due + got["frames_primed"] <= min(voiced)
    assert got["frames_primed"] == PREROLL_FRAMES
    assert got["frames_played"] + got["frames_primed"] + got["silent_frames"] == got["frames_due"]


def pauses(watcher: Watcher, name: str) -> int:
    return sum(packet.pause_after > 0 for packet in watcher.packets(name))
