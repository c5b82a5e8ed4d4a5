"""Speech into a microphone, out of a loudspeaker: how much later, measured on the sample clock of one virtual card.

Real processes, PortAudio, ALSA, PulseAudio and Mosquitto; the room is described in benchmarks/room/virtual_room.py.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.harness import Row, describe_machine, median, parse_options, percentile, pin_to_core, report
from benchmarks.room.ends import Ends, Stats
from benchmarks.room.listening import HEARD, Heard, listen, score
from benchmarks.room.recorder import Recorder
from benchmarks.room.speech import PAUSE_S, UTTERANCE_S, load_speech, speak, utterances
from benchmarks.room.virtual_room import RATE_HZ, VirtualRoom
from codec import load_decoder
from gateway.demo.broker import start_broker
from protocol.link import LINK_PROFILES

SESSIONS = 5
"""A session draws the phases between card, frames and packets anew; within one they stand still."""

LINKS = ("lan", "wan")
PATIENCE_S = {"lan": 1.5, "wan": 4.0}
FIRST_WORDS_S = 8.0
AUDIBLE = 0.001


@dataclass(frozen=True, slots=True)
class Session:
    """Two processes from start to end. first_sound_s: from the start of both to the first sound at the ear."""

    heard: list[Heard]
    stoi: float
    first_sound_s: float
    sent: Stats
    played: Stats


def main() -> int:
    options = parse_options(
        "mouth_to_ear", __doc__ or "", seconds=30.0, seconds_help=f"of speech in each of {SESSIONS} sessions a link"
    )
    pin_to_core(options.core)
    machine = describe_machine(["numpy", "onnxruntime", "paho-mqtt", "sounddevice"])
    count = max(1, round(options.seconds / (UTTERANCE_S + PAUSE_S)))
    rows: list[Row] = []
    for link in LINKS:
        sessions = [_session(link, count) for _ in range(SESSIONS)]
        rows.append(_row(link, sessions))
    report(
        options,
        title=f"mouth to ear, {SESSIONS} sessions of {count} utterances for each link, all processes on one core",
        rows=rows,
        machine=machine | {"broker": "mosquitto"},
        notes=[
            "ms_known: the frames of a packet, the codec's delay and the playout delay. ms_beyond: p50 less that: both "
            "sound cards with their buffers, encoder, broker, decoder.",
            "first_sound_ms: start of both processes to the first sound at the ear.",
        ],
    )
    return 0


def _session(link: str, count: int) -> Session:
    with (
        tempfile.TemporaryDirectory() as directory,
        start_broker(Path(directory) / "broker", prefer="mosquitto") as broker,
        VirtualRoom(Path(directory) / "room") as room,
        Ends("bench", broker.url, folder=Path(directory), environ=room.environ) as ends,
    ):
        recorder, begun_s = room.recorder, room.recorder.seconds
        player, gateway = ends.start_player(), ends.start_gateway("--link", link)
        player.wait_until(lambda: recorder.seconds > begun_s, "the recording")
        room.say(load_speech(RATE_HZ)[: round(FIRST_WORDS_S * RATE_HZ)], RATE_HZ).wait()
        time.sleep(PATIENCE_S[link])
        first_sound_s = _first_sound(recorder, begun_s)
        pieces = utterances(RATE_HZ, count=count)
        start_s = recorder.seconds
        room.say(speak(pieces, RATE_HZ), RATE_HZ).wait()
        recorder.wait_for(PATIENCE_S[link])
        sent, played = gateway.finish(), player.finish()
        heard = listen(recorder, pieces, start_s=start_s, patience_s=PATIENCE_S[link])
        stoi = score(recorder, heard)
    return Session(heard, stoi, first_sound_s, sent, played)


def _first_sound(recorder: Recorder, begun_s: float) -> float:
    loud = np.flatnonzero(np.abs(recorder.read(HEARD, start_s=begun_s)) > AUDIBLE)
    if not len(loud):
        raise SystemExit(f"nothing was heard within {FIRST_WORDS_S:.0f} s of the start")
    return float(loud[0]) / recorder.rate


def _row(link: str, sessions: Sequence[Session]) -> Row:
    profile, spec = LINK_PROFILES[link], load_decoder().spec
    heard = [utterance for session in sessions for utterance in session.heard]
    found = [1000 * utterance.latency_s for utterance in heard if utterance.latency_s is not None]
    known = 1000 * (spec.delay_samples / spec.sample_rate + profile.frames_per_packet * spec.frame_duration_s)
    known += profile.playout_delay_ms
    return {
        "link": link,
        "utterances": len(heard),
        "heard": len(found),
        "ms_p50": percentile(found, 50),
        "ms_p95": percentile(found, 95),
        "ms_p99": percentile(found, 99),
        "ms_max": max(found),
        "ms_known": known,
        "ms_beyond": percentile(found, 50) - known,
        "stoi_p50": median([session.stoi for session in sessions]),
        "stoi_min": min(session.stoi for session in sessions),
        "underruns": sum(session.played["underruns"] for session in sessions),
        "frames_lost": sum(_lost_frames(session.played) for session in sessions),
        "first_sound_ms_p50": 1000 * median([session.first_sound_s for session in sessions]),
        "first_sound_ms_max": 1000 * max(session.first_sound_s for session in sessions),
    }


def _lost_frames(played: Stats) -> int:
    """Those that brought a decoder into a stream came, and are not lost."""
    return int(played["frames_due"] - played["frames_played"] - played["frames_primed"])


if __name__ == "__main__":
    raise SystemExit(main())
