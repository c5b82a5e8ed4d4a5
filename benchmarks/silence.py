"""What a player costs where nothing is sent in pauses: half speech, and nobody at all, by the kernel's counters.

The real gateway with the packaged nano, packets of 25 frames on the link profile narrow, a real Mosquitto, our own
Connection with a player's subscriptions; in real time. Half speech is bundled speech in turns, each followed by as long
a pause with the noise of a room. The counts are of whole turns; idle begins once the last packet is out.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgpack
import numpy as np
import soundfile
from numpy.typing import NDArray

import codec
from benchmarks.harness import Cell, describe_machine, parse_options, pin_to_core, report
from edge_player.intake.link_watch import PAUSED_PROBE_S
from gateway.demo.broker import RunningBroker, TlsFiles, start_broker
from protocol.manifest import StreamManifest, decode_manifest, encode_manifest
from protocol.topics import Topics
from protocol.transport import BrokerConfig, Connection, Message, WireCounters

RATE: Final = 16000
ROOM_DBFS: Final = -52.0
TURNS_S: Final = (10, 30)
FRAMES_PER_PACKET: Final = 25
KEEPALIVES_S: Final = (30, 60, 300)
FIRST_PACKET_S: Final = 60.0
SETTLE_S: Final = 5.0
"""After the last packet: acknowledgements, and the heartbeat's clock is running."""
PAUSE_FIELD: Final = 5
HOST: Final = "127.0.0.1"
TOPICS: Final = Topics()


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One stream and one player. turn_s: of speech, and of the pause after it; None: nobody speaks at all."""

    turn_s: int | None
    tls: bool
    qos: int = 1
    keepalive_s: int = 60

    @property
    def stream(self) -> str:
        """As long as "lobby" where it can be: the length of the name is on the wire in every packet."""
        return f"{'i' if self.turn_s is None else self.turn_s}{'t' if self.tls else 'p'}{self.qos}"


class Player:
    """Listens as a player does; notes when pauses end."""

    def __init__(self, case: Case, broker: RunningBroker, authority: Path) -> None:
        config = BrokerConfig(
            broker.url,
            ca_file=authority if case.tls else None,
            keepalive_s=case.keepalive_s,
            client_id=f"player-{case.stream}-{case.keepalive_s}",
        )
        self.case = case
        self.connection = Connection(config)
        self.manifest: StreamManifest | None = None
        self.speaking = threading.Event()
        self.paused = threading.Event()
        for topic, handler in (
            (TOPICS.event(case.stream), lambda message: None),
            (TOPICS.tokens(case.stream, 0), self._on_packet),
            (TOPICS.manifest(case.stream), self._on_manifest),
            (TOPICS.gateway_status(case.stream), lambda message: None),
        ):
            self.connection.subscribe(topic, 1, handler)

    def _on_manifest(self, message: Message) -> None:
        if message.payload:
            self.manifest = decode_manifest(message.payload)

    def _on_packet(self, message: Message) -> None:
        fields = msgpack.unpackb(message.payload)  # the codes, which may be coded, are nobody's business here
        after_pause = self.paused.is_set()
        if len(fields) > PAUSE_FIELD:
            self.paused.set()
            self.connection.probe_after(PAUSED_PROBE_S)  # as a player's link watch does
        else:
            self.paused.clear()
            self.connection.probe_after(None)
            if after_pause:
                self.speaking.set()

    def read(self) -> WireCounters:
        counters = self.connection.wire()
        if counters is None:
            raise SystemExit("The kernel does not count for us (TCP_INFO): this benchmark needs Linux")
        return counters


def main() -> int:
    summary = (__doc__ or "").splitlines()[0]
    options = parse_options("silence", summary, seconds=120.0, seconds_help="seconds counted, in whole turns")
    pin_to_core(options.core)
    machine = describe_machine(["paho-mqtt", "webrtcvad-wheels"])
    cases = [Case(turn_s, tls=True, qos=qos) for turn_s in TURNS_S for qos in (1, 0)]
    cases += [Case(None, tls=tls, keepalive_s=keepalive_s) for tls in (True, False) for keepalive_s in KEEPALIVES_S]
    with tempfile.TemporaryDirectory() as name:
        rows = _measure(cases, Path(name), options.seconds)
    report(
        options,
        title=f"Broker to one player and back with silence suppression, {options.seconds:g} s each, kernel counters",
        rows=rows,
        machine=machine,
        notes=[
            "kbps: both ways, 52 bytes of IPv4 and TCP headers a segment, TLS, acknowledgements, pings, clock reports "
            "and heartbeats included; a player's own status and metrics are not. An idle minute may lack the manifest, "
            "which comes every 15 minutes: manifest_kbps is its share.",
        ],
    )
    return 0


def _measure(cases: Sequence[Case], folder: Path, seconds: float) -> list[dict[str, Cell]]:
    """All cases at the same time, each player with a connection of its own."""
    files = _certificate(folder)
    with ExitStack() as stack:
        brokers = {
            tls: stack.enter_context(
                start_broker(folder / f"broker-{tls}", prefer="mosquitto", tls=files if tls else None)
            )
            for tls in (True, False)
        }
        players = [stack.enter_context(_player(case, brokers[case.tls], files.certificate)) for case in cases]
        streams = {case.stream: case for case in cases}
        for case in streams.values():
            stack.enter_context(_gateway(case, brokers[case.tls], files.certificate, folder))
        rows: list[dict[str, Cell]] = [{} for _ in players]
        threads = [
            threading.Thread(target=_fill_row, args=(rows[number], player, seconds))
            for number, player in enumerate(players)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if not all(rows):
        raise SystemExit("some stream did not come as it should")
    return rows


def _fill_row(row: dict[str, Cell], player: Player, seconds: float) -> None:
    turn_s = player.case.turn_s
    begins = player.paused if turn_s is None else player.speaking
    if not begins.wait(FIRST_PACKET_S + 3 * (turn_s or 0)):
        return
    if turn_s is None:
        time.sleep(SETTLE_S)
        counted_s = seconds
    else:
        counted_s = max(1, round(seconds / (2 * turn_s))) * 2.0 * turn_s
    before, begun = player.read(), time.monotonic()
    time.sleep(counted_s)
    elapsed = time.monotonic() - begun
    moved = player.read() - before
    row |= {
        "what": "idle" if turn_s is None else f"turns of {turn_s} s",
        "tls": "yes" if player.case.tls else "no",
        "qos": player.case.qos,
        "keepalive_s": player.case.keepalive_s,
        "down_kbps": 8e-3 * moved.ip_bytes_in / elapsed,
        "up_kbps": 8e-3 * moved.ip_bytes_out / elapsed,
        "kbps": 8e-3 * (moved.ip_bytes_in + moved.ip_bytes_out) / elapsed,
        "manifest_kbps": _manifest_share(player) if turn_s is None else None,
    }


def _manifest_share(player: Player) -> float:
    """Its message, its record, the acknowledgement at QoS 1 and that of TCP, in kbit/s."""
    manifest = player.manifest
    if manifest is None:
        return 0.0
    record = 22 if player.case.tls else 0
    message = len(encode_manifest(manifest)) + len(TOPICS.manifest(player.case.stream)) + 16
    return 8e-3 * (message + 4 + 2 * record + 3 * 52) / manifest.refresh_s


def _certificate(folder: Path) -> TlsFiles:
    """One that is its own authority."""
    files = TlsFiles(folder / "broker.crt", folder / "broker.key")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    command += ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}"]
    subprocess.run(
        [*command, "-out", str(files.certificate), "-keyout", str(files.key)], check=True, capture_output=True
    )
    return files


@contextmanager
def _player(case: Case, broker: RunningBroker, authority: Path) -> Iterator[Player]:
    player = Player(case, broker, authority)
    with player.connection:
        player.connection.wait_connected(10.0)
        yield player


@contextmanager
def _gateway(case: Case, broker: RunningBroker, authority: Path, folder: Path) -> Iterator[None]:
    clip = folder / f"{case.stream}.wav"
    soundfile.write(clip, _clip(case.turn_s), RATE, subtype="PCM_16")
    command = [sys.executable, "-m", "gateway", "run", "--source", str(clip), "--loop", "--stream", case.stream]
    command += ["--id", case.stream, "--broker", broker.url, "--link", "narrow", "--silence", "on"]
    command += ["--frames-per-packet", str(FRAMES_PER_PACKET), "--qos", str(case.qos)]
    command += ["--cafile", str(authority)] if case.tls else []
    with (folder / f"{case.stream}.log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield
            if process.poll() is not None:
                raise SystemExit((folder / f"{case.stream}.log").read_text())
        finally:
            process.terminate()
            process.wait()


def _clip(turn_s: int | None) -> NDArray[np.float32]:
    """A turn and the pause after it, or 20 s of the room alone."""
    speech, rate = soundfile.read(Path(codec.__file__).parent / "assets" / "speech_cc0.flac", dtype="float32")
    if rate != RATE:
        raise SystemExit(f"expected speech at {RATE} Hz, got {rate}")
    turn = speech[: (turn_s or 0) * RATE]
    dry = np.concatenate([turn, np.zeros(20 * RATE if turn_s is None else len(turn))])
    noise = np.random.default_rng(5).standard_normal(len(dry))
    spectrum = np.fft.rfft(noise)
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), len(dry))
    pink *= 10 ** (ROOM_DBFS / 20) / np.sqrt(np.mean(pink**2))
    return np.asarray(np.clip(dry + pink, -1.0, 1.0), dtype=np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
