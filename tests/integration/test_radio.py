"""A radio through gateway and player as processes: it stalls, which both say, and comes back."""

from __future__ import annotations

import io
import signal
import threading
import time

import av
import numpy as np
import pytest

from codec import read_audio
from protocol.event import SourceResumed, SourceStalled, StreamGap, StreamStopped, decode_event
from protocol.packet import PacketLimits, decode_packet
from tests.gateway.sources.web_server import WebServer, radio_of
from tests.integration.conftest import MakeStream
from tests.integration.nano_path import CLIP, finish
from tests.integration.watcher import TOPICS, Watcher

pytestmark = [pytest.mark.broker, pytest.mark.slow]

FRAME_S = 0.08
BURST_S = 2.5
LIMITS = PacketLimits(num_layers=16, codebook_size=2048)


def speech_as_mp3() -> bytes:
    """The bundled clip at 32 kbit/s, 4000 bytes a second."""
    samples = read_audio(CLIP, 32_000)
    file = io.BytesIO()
    with av.open(file, mode="w", format="mp3") as output:
        stream = output.add_stream("libmp3lame", rate=32_000)
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate, stream.layout = 32_000, "mono"
        for start in range(0, len(samples) - 1152, 1152):
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis, start : start + 1152], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 32_000, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def test_a_radio_that_stalls_is_announced_and_its_burst_is_not_sent_faster_than_it_is_spoken(
    make_stream: MakeStream, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    stall = threading.Event()
    stream = make_stream("radio")
    player = stream.start_player()
    stream.wait_for_player()
    with WebServer() as web:
        mp3 = speech_as_mp3()
        web.routes["/live"] = radio_of(mp3, bytes_per_s=4000, burst=int(BURST_S * 4000), stall=stall)
        gateway = stream.start_gateway("--source", web.url("/live"), "--link", "lan")
        watcher.wait_for_count(stream.tokens, 12)
        stall.set()
        _, waiting = watcher.wait_for_status(
            stream.player_status, lambda status: "no sound" in (status.reason or ""), "that the radio stalls"
        )
        assert waiting.state == "waiting"
        _, said = watcher.wait_for_status(
            stream.gateway_status, lambda status: status.state == "waiting", "the gateway's own word"
        )
        assert said.reason == "the source gives no sound"
        stall.clear()
        before = watcher.count(stream.tokens)
        watcher.wait_for_count(stream.tokens, before + 25)
        watcher.wait_until(
            lambda: len(watcher.on(stream.player_status)) >= 4, "the player's word that there is sound again"
        )
        gateway.send_signal(signal.SIGTERM)
        finish(gateway)
        finish(player)

    events = [decode_event(message.payload) for message in watcher.on(TOPICS.event("radio"))]
    (stalled,) = (event for event in events if isinstance(event, SourceStalled))
    (resumed,) = (event for event in events if isinstance(event, SourceResumed))
    gaps = [event for event in events if isinstance(event, StreamGap)]
    assert stalled.frame == gaps[-1].first_frame
    assert resumed.frame == gaps[-1].first_frame + gaps[-1].frames
    assert (resumed.at_ms - stalled.at_ms) / 1000 == pytest.approx(gaps[-1].frames * FRAME_S, abs=0.15)
    assert isinstance(events[-1], StreamStopped)

    messages = watcher.on(stream.tokens)
    frames = [decode_packet(message.payload, LIMITS).first_frame for message in messages]
    assert frames == sorted(set(frames))
    before_stall = [index for index in frames if index < stalled.frame]
    assert before_stall == list(range(stalled.frame))
    first_second = [message for message in messages if message.received_at < messages[0].received_at + 1.0]
    assert len(first_second) <= 16  # 12.5 frames, and what a busy machine hands over in a row
    run = stream.collect()
    assert run.gateway["source_stalls"] == run.player["source_stalls"] == 1
    assert float(run.gateway["source_stalled_s"]) > 2.0
    assert run.gateway["input_overflows"] == 0
    assert run.gateway["frames_dropped"] == 0
    # After the stall the decoder is primed again: those frames are decoded, and not heard.
    heard = run.player["frames_played"] + run.player["frames_primed"]
    assert heard >= run.gateway["frames_published"] - 2


def test_for_ends_a_radio_in_time_whatever_it_does(
    make_stream: MakeStream, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    stall = threading.Event()
    stream = make_stream("short")
    with WebServer() as web:
        web.routes["/live"] = radio_of(speech_as_mp3(), bytes_per_s=4000, burst=10_000, stall=stall)
        gateway = stream.start_gateway("--source", web.url("/live"), "--link", "lan", "--for", "3s")
        watcher.wait_for_count(stream.tokens, 3)
        begun = time.monotonic()
        stall.set()
        finish(gateway)
        assert time.monotonic() - begun < 6.0
    sent = stream.stats("gateway")
    assert 3 <= int(sent["frames_encoded"]) <= 38
