"""What the gateway is told, one frozen dataclass per concern. `protocol.service.load_config` fills them in."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from protocol.limits import MAX_FRAMES_PER_PACKET, MAX_PLAYOUT_DELAY_MS, MAX_TIERS
from protocol.link import LINK_PROFILES, LinkProfile
from protocol.service import PathOrName
from protocol.topics import check_id
from protocol.transport import BrokerConfig
from protocol.transport.broker_config import MAX_KEEPALIVE_S

__all__ = [
    "CodecConfig",
    "ConditioningConfig",
    "GatewayConfig",
    "LinkConfig",
    "MicrophoneConfig",
    "RunConfig",
    "SourceConfig",
    "StreamConfig",
]

MAX_CARD_CHANNELS = 64
MAX_WINDOW = 100
MAX_AGE_MS = 10 * MAX_PLAYOUT_DELAY_MS
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where the audio comes from.

    target: `mic`, a file, a play list, a directory, an http(s) address, or `-` for raw PCM on standard input.
    loop: start again at the end, files, play lists and directories only. shuffle: play lists and directories in
    another order on every pass. limit_s: end after so much audio.
    format, rate (Hz), channels: of standard input. live: the writer on standard input keeps time itself; an address on
    the network is a radio though it does not say so.
    """

    target: str = ""
    loop: bool = False
    shuffle: bool = False
    limit_s: float | None = None
    format: Literal["s16le", "s24le", "s32le", "f32le"] = "s16le"
    rate: int = 16000
    channels: int = 1
    live: bool = False

    def __post_init__(self) -> None:
        if not 1000 <= self.rate <= 768000:
            raise ValueError(f"source.rate is {self.rate} Hz, expected 1000 to 768000")
        if not 1 <= self.channels <= 64:
            raise ValueError(f"source.channels is {self.channels}, expected 1 to 64")
        if self.limit_s is not None and self.limit_s <= 0:
            raise ValueError(f"source.limit_s is {self.limit_s}, expected more than 0 s")


@dataclass(frozen=True, slots=True)
class MicrophoneConfig:
    """Which sound card is recorded, and how; for the source `mic` only.

    device: index or name, whole or in part; none for the system's default. rate: Hz to open it at; none for the
    card's own. channel: the one to send, counted from 1; none for the mean of the first two. exclusive: for us alone.
    """

    device: str | None = None
    rate: int | None = None
    channel: int | None = None
    exclusive: bool = False

    def __post_init__(self) -> None:
        if self.rate is not None and not 8000 <= self.rate <= 384000:
            raise ValueError(f"microphone.rate is {self.rate} Hz, expected 8000 to 384000")
        if self.channel is not None and not 1 <= self.channel <= MAX_CARD_CHANNELS:
            raise ValueError(f"microphone.channel is {self.channel}, expected 1 to {MAX_CARD_CHANNELS}")


@dataclass(frozen=True, slots=True)
class ConditioningConfig:
    """What is done to the sound of any source before it is encoded; by default nothing.

    gain_db: fixed gain. auto_gain: follow the speech level slowly to a comfortable one, with the limiter behind it.
    high_pass_hz: take away rumble below; none for no filter. limiter: keep peaks below full scale instead of clipping.
    """

    gain_db: float = 0.0
    auto_gain: bool = False
    high_pass_hz: float | None = None
    limiter: bool = False

    def __post_init__(self) -> None:
        if not -60 <= self.gain_db <= 60:
            raise ValueError(f"conditioning.gain_db is {self.gain_db}, expected -60 to 60")
        if self.high_pass_hz is not None and not 20 <= self.high_pass_hz <= 1000:
            raise ValueError(f"conditioning.high_pass_hz is {self.high_pass_hz}, expected 20 to 1000")


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What the stream is called and how it is cut into packets.

    base: first part of every topic. name: id of the stream. link: lan, wan or narrow; sets what is not set here.
    frames_per_packet: 1 to 25. qos: 0 or 1. layers: send the first so many layers only. tiers: so many layers on each
    tier, in layer order, 1 to 4 of them; none for all on one. upper_qos: of all tiers but the base; none for qos.
    start_delay_s: announce the stream so long before its first sample, for players to be there in time. entropy: code
    the packets by the codec's tables, which players must have too; auto: where there are tables and packets are long
    enough for it to pay. silence: on for sending nothing while nobody speaks. packing: fixed, all packets are
    of one length; adaptive, they grow while the link acknowledges slowly; auto, adaptive at QoS 1 with one tier where
    frames_per_packet is not set.
    """

    name: str = "lobby"
    base: str = "vw"
    title: str | None = None
    language: str | None = None
    link: Literal["lan", "wan", "narrow"] = "wan"
    frames_per_packet: int | None = None
    qos: int | None = None
    layers: int | None = None
    tiers: tuple[int, ...] | None = None
    upper_qos: int | None = None
    start_delay_s: float = 0.0
    entropy: Literal["auto", "on", "off"] = "auto"
    silence: Literal["off", "on"] = "off"
    packing: Literal["auto", "fixed", "adaptive"] = "auto"

    def __post_init__(self) -> None:
        check_id(self.name)
        if self.silence not in ("off", "on"):
            raise ValueError(f"stream.silence is {self.silence!r}, expected off or on")
        if self.frames_per_packet is not None and not 1 <= self.frames_per_packet <= MAX_FRAMES_PER_PACKET:
            raise ValueError(
                f"stream.frames_per_packet is {self.frames_per_packet}, expected 1 to {MAX_FRAMES_PER_PACKET}"
            )
        if self.qos not in (None, 0, 1):
            raise ValueError(f"stream.qos is {self.qos}, expected 0 or 1")
        if self.layers is not None and self.layers < 1:
            raise ValueError(f"stream.layers is {self.layers}, expected 1 or more")
        self._check_tiers()
        if not 0 <= self.start_delay_s <= 3600:
            raise ValueError(f"stream.start_delay_s is {self.start_delay_s}, expected 0 to 3600")

    def _check_tiers(self) -> None:
        if self.tiers is not None:
            shown = ",".join(str(size) for size in self.tiers) or "empty"
            if not 1 <= len(self.tiers) <= MAX_TIERS:
                raise ValueError(f"stream.tiers is {shown}, expected 1 to {MAX_TIERS} tiers")
            if any(size < 1 for size in self.tiers):
                raise ValueError(f"stream.tiers is {shown}, expected 1 layer or more on each tier")
            if self.layers is not None and sum(self.tiers) != self.layers:
                raise ValueError(
                    f"stream.tiers is {shown}, which comes to {sum(self.tiers)} layers, expected {self.layers}, "
                    "as stream.layers has it"
                )
        if self.upper_qos not in (None, 0, 1):
            raise ValueError(f"stream.upper_qos is {self.upper_qos}, expected 0 or 1")
        if self.upper_qos and not self.profile.qos:
            raise ValueError(
                "stream.upper_qos is 1 and the base tier goes at QoS 0, expected no more than that: the upper tiers "
                "are of no use without the base"
            )

    @property
    def packs_adaptively(self) -> bool:
        """Whether packets may become longer than `frames_per_packet`."""
        if self.packing == "auto":
            # Where layers can give way instead, they do: longer packets would make the base late.
            return self.profile.qos == 1 and self.frames_per_packet is None and len(self.tiers or (0,)) == 1
        return self.packing == "adaptive"

    def qos_of(self, tier: int) -> int:
        """Of the packets of that tier, 0 the base."""
        return self.profile.qos if tier == 0 or self.upper_qos is None else self.upper_qos

    @property
    def profile(self) -> LinkProfile:
        """The link profile with what is set here put over it."""
        profile = LINK_PROFILES[self.link]
        return dataclasses.replace(
            profile,
            frames_per_packet=self.frames_per_packet or profile.frames_per_packet,
            qos=profile.qos if self.qos is None else self.qos,
        )


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """A link that is none of the three: what is set here goes over the profile that `stream.link` names.

    `gateway plan` works all of it out. window: packets of QoS 1 that may be on their way. keepalive_s: MQTT's, where
    broker.keepalive_s is not set. playout_delay_ms: what players wait before they sound the first packet.
    max_age_ms: past which audio is dropped; none for as much above the playout delay as the profile has.
    """

    window: int | None = None
    keepalive_s: int | None = None
    playout_delay_ms: int | None = None
    max_age_ms: int | None = None

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("window", self.window, 1, MAX_WINDOW),
            ("keepalive_s", self.keepalive_s, 1, MAX_KEEPALIVE_S),
            ("playout_delay_ms", self.playout_delay_ms, 0, MAX_PLAYOUT_DELAY_MS),
            ("max_age_ms", self.max_age_ms, 1, MAX_AGE_MS),
        ):
            if value is not None and not low <= value <= high:
                raise ValueError(f"link.{name} is {value}, expected {low} to {high}")

    def over(self, profile: LinkProfile) -> LinkProfile:
        """`profile` with what is set here. ValueError where the two contradict each other."""
        delay_ms = profile.playout_delay_ms if self.playout_delay_ms is None else self.playout_delay_ms
        patience_ms = profile.max_age_ms - profile.playout_delay_ms
        return dataclasses.replace(
            profile,
            window=self.window or profile.window,
            keepalive_s=self.keepalive_s or profile.keepalive_s,
            playout_delay_ms=delay_ms,
            max_age_ms=self.max_age_ms or delay_ms + patience_ms,
        )


@dataclass(frozen=True, slots=True)
class CodecConfig:
    """Which codec encodes, and on what.

    name: nano or qwen3-12hz; none for nano, or for whatever codec `model` holds.
    model: directory with encoder.onnx, that file, a directory of released weights, or the name of their repository as
    in Qwen/Qwen3-TTS-Tokenizer-12Hz; none for the packaged one.
    engine: auto for torch where the model is released weights and ONNX else. device: cpu, cuda, cuda:1, or auto for a
    GPU where there is one. threads: of the engine, on the CPU.
    """

    name: str | None = None
    model: PathOrName | None = None
    engine: Literal["auto", "onnx", "torch"] = "auto"
    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= 64:
            raise ValueError(f"codec.threads is {self.threads}, expected 1 to 64")
        if _DEVICE.fullmatch(self.device) is None:
            raise ValueError(f"codec.device is {self.device!r}, expected auto, cpu, cuda or cuda:1")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How the process behaves.

    id: of this gateway; none for one made from the machine's identity. wait: wait for broker and microphone for as
    long as it takes, instead of failing after 10 s. stats_file: where to write the counters as JSON at the end.
    meter: show the input level where standard error is a terminal.
    """

    id: str | None = None
    wait: bool = False
    meter: bool = True
    stats_file: Path | None = None

    def __post_init__(self) -> None:
        if self.id is not None:
            check_id(self.id)


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Everything `gateway run` needs."""

    broker: BrokerConfig = field(default_factory=BrokerConfig)
    source: SourceConfig = field(default_factory=SourceConfig)
    microphone: MicrophoneConfig = field(default_factory=MicrophoneConfig)
    conditioning: ConditioningConfig = field(default_factory=ConditioningConfig)
    stream: StreamConfig = field(default_factory=StreamConfig)
    link: LinkConfig = field(default_factory=LinkConfig)
    codec: CodecConfig = field(default_factory=CodecConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        try:
            self.link.over(self.stream.profile)
        except ValueError as error:
            raise ValueError(f"[link] over [stream] link = {self.stream.link!r}: {error}") from error

    @property
    def profile(self) -> LinkProfile:
        """The link profile with what [stream] and [link] set put over it."""
        return self.link.over(self.stream.profile)
