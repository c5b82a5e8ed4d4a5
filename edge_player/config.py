"""Everything `edge-player run` can be told, checked when made. Units are in the names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from protocol.limits import MAX_FRAMES_PER_PACKET, MAX_PLAYOUT_DELAY_MS
from protocol.topics import Topics, check_id
from protocol.transport import BrokerConfig

RECEIVE_MAXIMUM = 4
"""QoS 1 messages on their way at once, where the broker speaks MQTT 5: the broker's own queue cannot hide lag from us.

Four packets of five frames are 1.6 s of audio, more than any usable round trip; with more, a slow link fills with audio
that is already too old.
"""


MAX_OFFSET_MS = 2000
"""Sound takes 2 s for 680 m: no hall is longer."""

MAX_CARD_CHANNELS = 64

MAX_CONNECTIONS = 3
"""Each one costs the stream's bytes once more."""

SPARE_SUFFIX_BYTES = 2
"""Of a client id, for the number of the connection: `_2`. No id of ours holds a `_`, so no other device has it."""

MAX_CLIENT_ID_BYTES = 64


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What to play. name: id of the stream. base: first part of every topic. layers: the first so many only; auto: as
    many of its tiers as the link bears."""

    name: str = "lobby"
    base: str = "vw"
    layers: int | Literal["auto"] | None = None

    def __post_init__(self) -> None:
        check_id(self.name)
        Topics(self.base)
        if isinstance(self.layers, int) and not 1 <= self.layers <= 64:
            raise ValueError(f"stream.layers is {self.layers}, expected 1 to 64, or auto")

    @property
    def first_layers(self) -> int | None:
        """To play no more than; None for all that come."""
        return self.layers if isinstance(self.layers, int) else None


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """How the stream comes here. connections: to hear it over at once; of each packet the first copy is played."""

    connections: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.connections <= MAX_CONNECTIONS:
            raise ValueError(f"link.connections is {self.connections}, expected 1 to {MAX_CONNECTIONS}")


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """What decodes. codec: name of a packaged one. model: a decoder.onnx, or its folder, instead, whatever codec it
    holds. provider: where it runs; auto takes a GPU where ONNX Runtime can use one. threads: of ONNX Runtime.
    frames_per_step: decode so many at once where they are here already; fewer seconds of work, and no sound is later.
    """

    codec: str = "nano"
    model: Path | None = None
    provider: Literal["auto", "cpu", "cuda"] = "cpu"
    threads: int = 1
    frames_per_step: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= 64:
            raise ValueError(f"decoder.threads is {self.threads}, expected 1 to 64")
        if not 1 <= self.frames_per_step <= MAX_FRAMES_PER_PACKET:
            raise ValueError(
                f"decoder.frames_per_step is {self.frames_per_step}, expected 1 to {MAX_FRAMES_PER_PACKET}"
            )


@dataclass(frozen=True, slots=True)
class PlayoutConfig:
    """When to play, and how loud. delay: `auto` for what the stream recommends, or ms from a packet's arrival to its
    sound. offset_ms: added to it, and may be negative; aligns this player with others that hear the same stream.
    slack_ms: how much more may pile up before the player skips to the live edge. adapt: make the delay longer while
    packets come too late, by up to half of the slack, and shorter again, by stretching the sound; auto: on a sound card
    only, elsewhere every sample is the decoder's. volume: per cent of full scale.
    """

    delay: str = "auto"
    adapt: Literal["auto", "on", "off"] = "auto"
    offset_ms: int = 0
    slack_ms: int = 1000
    volume: int = 100
    mute: bool = False

    def __post_init__(self) -> None:
        if self.delay != "auto" and not (self.delay.isdecimal() and int(self.delay) <= MAX_PLAYOUT_DELAY_MS):
            raise ValueError(f"playout.delay is {self.delay!r}, expected auto or 0 to {MAX_PLAYOUT_DELAY_MS} (ms)")
        if self.adapt not in ("auto", "on", "off"):
            raise ValueError(f"playout.adapt is {self.adapt!r}, expected auto, on or off")
        if not 80 <= self.slack_ms <= MAX_PLAYOUT_DELAY_MS:
            raise ValueError(f"playout.slack_ms is {self.slack_ms}, expected 80 to {MAX_PLAYOUT_DELAY_MS}")
        if abs(self.offset_ms) > MAX_OFFSET_MS:
            raise ValueError(
                f"playout.offset_ms is {self.offset_ms}, expected {-MAX_OFFSET_MS} to {MAX_OFFSET_MS} (ms)"
            )
        if not 0 <= self.volume <= 100:
            raise ValueError(f"playout.volume is {self.volume}, expected 0 to 100 (per cent)")

    @property
    def delay_ms(self) -> int | None:
        """None for what the stream recommends."""
        return None if self.delay == "auto" else int(self.delay)


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """Where the sound goes. out: speaker, FILE.wav, - (standard output) or null.

    Of a sound card: device: index or name, whole or in part; none for the default one. rate: Hz to open it at; none
    for the card's own. channels: those that carry the sound, counted from 1, as in `1,2`; none for the first two.
    exclusive: the card for us alone.
    """

    out: str = "speaker"
    device: str | None = None
    rate: int | None = None
    channels: str | None = None
    exclusive: bool = False

    def __post_init__(self) -> None:
        if self.rate is not None and not 8000 <= self.rate <= 384000:
            raise ValueError(f"sink.rate is {self.rate} Hz, expected 8000 to 384000")
        if self.channels is not None and not self._channels_are_good(self.channels):
            raise ValueError(
                f"sink.channels is {self.channels!r}, expected numbers from 1 to {MAX_CARD_CHANNELS} such as 1,2"
            )
        if self.out not in ("speaker", "-", "null") and not self.out.lower().endswith(".wav"):
            raise ValueError(f"sink.out is {self.out!r}, expected speaker, null, - or a file that ends in .wav")

    @staticmethod
    def _channels_are_good(text: str) -> bool:
        numbers = [part.strip() for part in text.split(",")]
        return all(number.isdecimal() and 1 <= int(number) <= MAX_CARD_CHANNELS for number in numbers)

    @property
    def channel_numbers(self) -> tuple[int, ...] | None:
        """Counted from 1; None: the first two of the card, or its only one."""
        return None if self.channels is None else tuple(int(number) for number in self.channels.split(","))


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How the process behaves.

    id: of this player; none for one made from the machine's identity. wait: wait for broker, stream and sound card for
    as long as it takes, instead of failing after 10 s. limit_s: end after so many seconds. exit_on_stop: end when the
    stream has ended and all of it was played. stats_file: where to write the counters as JSON at the end. metrics_s:
    seconds between messages on the metrics topic; 0 for none. stats_every_s: seconds between writes of the statistics
    file while it runs, for whoever watches from this machine though the broker is away; 0 for the end only.
    """

    id: str | None = None
    wait: bool = False
    limit_s: float | None = None
    exit_on_stop: bool = False
    stats_file: Path | None = None
    metrics_s: float = 60.0
    stats_every_s: float = 0.0

    def __post_init__(self) -> None:
        if self.id is not None:
            check_id(self.id)
        if self.limit_s is not None and self.limit_s <= 0:
            raise ValueError(f"run.limit_s is {self.limit_s}, expected more than 0 s")
        if not 0 <= self.metrics_s <= 86400:
            raise ValueError(f"run.metrics_s is {self.metrics_s}, expected 0 to 86400")
        if not 0 <= self.stats_every_s <= 86400:
            raise ValueError(f"run.stats_every_s is {self.stats_every_s}, expected 0 to 86400")


@dataclass(frozen=True, slots=True)
class PlayerConfig:
    """Everything `edge-player run` needs."""

    broker: BrokerConfig = field(default_factory=BrokerConfig)
    link: LinkConfig = field(default_factory=LinkConfig)
    stream: StreamConfig = field(default_factory=StreamConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    playout: PlayoutConfig = field(default_factory=PlayoutConfig)
    sink: SinkConfig = field(default_factory=SinkConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        longest, length = MAX_CLIENT_ID_BYTES - SPARE_SUFFIX_BYTES, len((self.broker.client_id or "").encode())
        if self.link.connections > 1 and length > longest:
            raise ValueError(
                f"broker.client_id has {length} bytes, expected {longest} at most where link.connections is more than "
                "1: each further connection logs in with it and _2 or _3 behind it"
            )

    @property
    def adapts(self) -> bool:
        """Whether the playout delay follows the link."""
        return self.playout.adapt == "on" or (self.playout.adapt == "auto" and self.sink.out == "speaker")
