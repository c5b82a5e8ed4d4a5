"""Everything `edge-player run` can be told, checked when made. Units are in the names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from protocol.limits import MAX_PLAYOUT_DELAY_MS
from protocol.topics import Topics, check_id
from protocol.transport import BrokerConfig

RECEIVE_MAXIMUM = 4
"""QoS 1 messages on their way at once, where the broker speaks MQTT 5: the broker's own queue cannot hide lag from us.

Four packets of five frames are 1.6 s of audio, more than any usable round trip; with more, a slow link fills with audio
that is already too old.
"""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What to play. name: id of the stream. base: first part of every topic. layers: the first so many only."""

    name: str = "lobby"
    base: str = "vw"
    layers: int | None = None

    def __post_init__(self) -> None:
        check_id(self.name)
        Topics(self.base)
        if self.layers is not None and not 1 <= self.layers <= 64:
            raise ValueError(f"stream.layers is {self.layers}, expected 1 to 64")


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """What decodes. codec: name of a packaged one. model: a decoder.onnx, or its folder, instead, whatever codec it
    holds. threads: of ONNX Runtime.
    """

    codec: str = "nano"
    model: Path | None = None
    provider: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= 64:
            raise ValueError(f"decoder.threads is {self.threads}, expected 1 to 64")


@dataclass(frozen=True, slots=True)
class PlayoutConfig:
    """When to play. delay: `auto` for what the stream recommends, or ms from a packet's arrival to its sound.
    slack_ms: how much more may pile up before the player skips to the live edge.
    """

    delay: str = "auto"
    slack_ms: int = 1000

    def __post_init__(self) -> None:
        if self.delay != "auto" and not (self.delay.isdecimal() and int(self.delay) <= MAX_PLAYOUT_DELAY_MS):
            raise ValueError(f"playout.delay is {self.delay!r}, expected auto or 0 to {MAX_PLAYOUT_DELAY_MS} (ms)")
        if not 80 <= self.slack_ms <= MAX_PLAYOUT_DELAY_MS:
            raise ValueError(f"playout.slack_ms is {self.slack_ms}, expected 80 to {MAX_PLAYOUT_DELAY_MS}")

    @property
    def delay_ms(self) -> int | None:
        """None for what the stream recommends."""
        return None if self.delay == "auto" else int(self.delay)


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """Where the sound goes. out: speaker, FILE.wav, - (standard output) or null. device: index or part of the name of a
    sound card; none for the default one.
    """

    out: str = "speaker"
    device: str | None = None

    def __post_init__(self) -> None:
        if self.out not in ("speaker", "-", "null") and not self.out.lower().endswith(".wav"):
            raise ValueError(f"sink.out is {self.out!r}, expected speaker, null, - or a file that ends in .wav")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How the process behaves.

    id: of this player; none for one made from the machine's identity. wait: wait for broker, stream and sound card for
    as long as it takes, instead of failing after 10 s. limit_s: end after so many seconds. exit_on_stop: end when the
    stream has ended and all of it was played. stats_file: where to write the counters as JSON at the end. metrics_s:
    seconds between messages on the metrics topic; 0 for none.
    """

    id: str | None = None
    wait: bool = False
    limit_s: float | None = None
    exit_on_stop: bool = False
    stats_file: Path | None = None
    metrics_s: float = 60.0

    def __post_init__(self) -> None:
        if self.id is not None:
            check_id(self.id)
        if self.limit_s is not None and self.limit_s <= 0:
            raise ValueError(f"run.limit_s is {self.limit_s}, expected more than 0 s")
        if not 0 <= self.metrics_s <= 86400:
            raise ValueError(f"run.metrics_s is {self.metrics_s}, expected 0 to 86400")


@dataclass(frozen=True, slots=True)
class PlayerConfig:
    """Everything `edge-player run` needs."""

    broker: BrokerConfig = field(default_factory=BrokerConfig)
    stream: StreamConfig = field(default_factory=StreamConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    playout: PlayoutConfig = field(default_factory=PlayoutConfig)
    sink: SinkConfig = field(default_factory=SinkConfig)
    run: RunConfig = field(default_factory=RunConfig)
