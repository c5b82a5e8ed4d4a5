"""The manifest: all a player has to know before the first packet. Retained, JSON, at most 600 bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocol.entropy import CodesCoder, EntropyTables
from protocol.epoch import epoch_low7
from protocol.errors import Fault, ManifestError
from protocol.limits import (
    MAX_CODEBOOK_SIZE,
    MAX_CODEC_DELAY_S,
    MAX_EPOCH,
    MAX_FRAME_INDEX,
    MAX_FRAMES_PER_PACKET,
    MAX_LAYERS,
    MAX_MANIFEST_BYTES,
    MAX_MANIFEST_READ_BYTES,
    MAX_PLAYOUT_DELAY_MS,
    MAX_SAMPLE_RATE,
    MAX_TIERS,
    MAX_TITLE_LENGTH,
    MAX_UTC_MS,
    MIN_SAMPLE_RATE,
    WIRE_VERSION,
)
from protocol.packet import PacketLimits
from protocol.untrusted import (
    check_id,
    check_int,
    check_printable,
    check_text,
    dump_json_object,
    format_hex64,
    parse_hex64,
    parse_json_object,
)

MANIFEST_EXPIRY_S: Final = 600
"""MQTT 5 message expiry: a gateway that died without its will leaves nothing behind for longer."""
MANIFEST_REFRESH_S: Final = 300
"""Half the expiry, so that one missed refresh loses nothing."""
SILENT_EXPIRY_S: Final = 1800
"""Of a stream that is silent in pauses, which the manifest at the usual pace would take a quarter of."""
SILENT_REFRESH_S: Final = 900

_CODEC_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")


@dataclass(frozen=True, slots=True)
class CodecIdentity:
    """What both ends must have in common; the fields of `codec.CodecSpec`."""

    name: str
    sample_rate: int
    """Hz, mono."""
    frame_size: int
    """Samples in a frame."""
    num_layers: int
    """Of the codec; a stream may carry fewer."""
    codebook_size: int
    delay_samples: int
    """Encoder and decoder together, from a sample in to the same sample out."""
    weights_sha256: str
    """Over the source tensors: an int8 player accepts the stream of an fp32 gateway."""

    def __post_init__(self) -> None:
        check_text(self.name, "codec.name", _CODEC_NAME, "1 to 32 of a-z, 0-9 and . _ -", error=ManifestError)
        check_int(self.sample_rate, "codec.sample_rate", MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, error=ManifestError)
        check_int(self.frame_size, "codec.frame_size", 1, self.sample_rate, error=ManifestError)
        check_int(self.num_layers, "codec.num_layers", 1, MAX_LAYERS, error=ManifestError)
        check_int(self.codebook_size, "codec.codebook_size", 2, MAX_CODEBOOK_SIZE, error=ManifestError)
        longest = MAX_CODEC_DELAY_S * self.sample_rate
        check_int(self.delay_samples, "codec.delay_samples", 0, longest, error=ManifestError)
        check_text(self.weights_sha256, "codec.weights_sha256", _SHA256, "64 digits 0-9 a-f", error=ManifestError)


@dataclass(frozen=True, slots=True)
class Tier:
    """A run of layers with a topic of its own."""

    first_layer: int
    num_layers: int

    def __post_init__(self) -> None:
        check_int(self.first_layer, "tier.first_layer", 0, MAX_LAYERS - 1, error=ManifestError)
        check_int(self.num_layers, "tier.num_layers", 1, MAX_LAYERS, error=ManifestError)


@dataclass(frozen=True, slots=True)
class StreamManifest:
    """The retained description of a stream. Raises ManifestError where a field is out of its range."""

    stream: str
    codec: CodecIdentity
    tiers: tuple[Tier, ...]
    """Tier i is on topic t<i>. They follow one another from layer 0 without gap."""
    frames_per_packet: int
    """The usual number. A packet may have fewer or more, up to 25."""
    epoch: int
    """64 random bits; another one means that the encoder started anew and old state is void."""
    started_at_ms: int
    """UTC of the first sample of frame 0, ms. Nominal where first_frame is not 0."""
    gateway_id: str
    qos: int
    """Of token packets, 0 or 1; of the base tier's where the others go at 0. A subscriber that asks for more gains
    nothing, and one that asks for this gets every tier as it was sent."""
    playout_delay_ms: int
    """What the link profile recommends."""
    first_frame: int = 0
    """Extended index of the first frame of this epoch."""
    key_id: str | None = None
    """Of the key the packets are sealed with; None: they are not."""
    title: str | None = None
    language: str | None = None
    """BCP 47, as `en` or `pt-BR`."""
    entropy: str | None = None
    """Fingerprint of the tables that codes are entropy-coded by; None: they are packed."""
    silence: bool = False
    """Whether nothing is sent while nobody speaks: a heartbeat alone."""

    def __post_init__(self) -> None:
        check_id(self.stream, "stream", error=ManifestError)
        check_int(self.frames_per_packet, "frames_per_packet", 1, MAX_FRAMES_PER_PACKET, error=ManifestError)
        check_int(self.epoch, "epoch", 0, MAX_EPOCH, error=ManifestError)
        check_int(self.started_at_ms, "started_at_ms", 0, MAX_UTC_MS, error=ManifestError)
        check_int(self.first_frame, "first_frame", 0, MAX_FRAME_INDEX, error=ManifestError)
        check_id(self.gateway_id, "gateway_id", error=ManifestError)
        check_int(self.qos, "qos", 0, 1, error=ManifestError)
        check_int(self.playout_delay_ms, "playout_delay_ms", 0, MAX_PLAYOUT_DELAY_MS, error=ManifestError)
        if self.key_id is not None:
            check_id(self.key_id, "key_id", error=ManifestError)
        if self.title is not None:
            check_printable(self.title, "title", MAX_TITLE_LENGTH, error=ManifestError)
        if self.language is not None:
            check_text(self.language, "language", _LANGUAGE, "a BCP 47 tag such as en or pt-BR", error=ManifestError)
        if self.entropy is not None:
            check_text(self.entropy, "entropy", _FINGERPRINT, "16 digits 0-9 a-f", error=ManifestError)
        if type(self.silence) is not bool:
            raise ManifestError(Fault.TYPE, f"silence: expected true or false, got {type(self.silence).__name__}")
        self._check_tiers()

    def _check_tiers(self) -> None:
        check_int(len(self.tiers), "number of tiers", 1, MAX_TIERS, error=ManifestError)
        layer = 0
        for tier in self.tiers:
            if tier.first_layer != layer:
                raise ManifestError(Fault.RANGE, f"tiers: expected the next at layer {layer}, got {tier.first_layer}")
            layer += tier.num_layers
        if layer > self.codec.num_layers:
            raise ManifestError(Fault.RANGE, f"tiers: expected at most {self.codec.num_layers} layers, got {layer}")

    @property
    def expiry_s(self) -> int:
        """MQTT 5 message expiry of this manifest, seconds."""
        return SILENT_EXPIRY_S if self.silence else MANIFEST_EXPIRY_S

    @property
    def refresh_s(self) -> int:
        """So many seconds after it was published it is published again."""
        return SILENT_REFRESH_S if self.silence else MANIFEST_REFRESH_S

    @property
    def epoch_low7(self) -> int:
        """What the token packets of this epoch carry."""
        return epoch_low7(self.epoch)

    @property
    def num_layers(self) -> int:
        """Layers that this stream carries, all tiers together."""
        return sum(tier.num_layers for tier in self.tiers)

    @property
    def frame_duration_ms(self) -> float:
        return 1000.0 * self.codec.frame_size / self.codec.sample_rate

    def captured_at_ms(self, frame: int) -> float:
        """UTC of the first sample of a frame by its extended index, ms; a clock report is nearer to the truth."""
        return self.started_at_ms + frame * self.frame_duration_ms

    def packet_limits(self, tier: int, tables: EntropyTables | None = None) -> PacketLimits:
        """What every packet on topic t<tier> must agree with; ManifestError where the stream has no such tier.

        tables: those that `entropy` names; without them, entropy-coded packets are bad ones. Of a stream that is not
        entropy-coded they are not asked for.
        """
        if not 0 <= tier < len(self.tiers):
            raise ManifestError(Fault.RANGE, f"tier: expected 0 to {len(self.tiers) - 1}, got {tier}")
        layers = self.tiers[tier]
        coder = None
        if self.entropy is not None and tables is not None:
            coder = CodesCoder(tables, first_layer=layers.first_layer, num_layers=layers.num_layers)
        return PacketLimits(num_layers=layers.num_layers, codebook_size=self.codec.codebook_size, coder=coder)


def encode_manifest(manifest: StreamManifest) -> bytes:
    """JSON in UTF-8; ManifestError where it has more than 600 bytes."""
    codec = manifest.codec
    fields: dict[str, object] = {
        "v": WIRE_VERSION,
        "stream": manifest.stream,
        "codec": {
            "name": codec.name,
            "sample_rate": codec.sample_rate,
            "frame_size": codec.frame_size,
            "num_layers": codec.num_layers,
            "codebook_size": codec.codebook_size,
            "delay_samples": codec.delay_samples,
            "weights_sha256": codec.weights_sha256,
        },
        "tiers": [[tier.first_layer, tier.num_layers] for tier in manifest.tiers],
        "frames_per_packet": manifest.frames_per_packet,
        "epoch": format_hex64(manifest.epoch),
        "started_at_ms": manifest.started_at_ms,
        "first_frame": manifest.first_frame,
        "gateway_id": manifest.gateway_id,
        "qos": manifest.qos,
        "playout_delay_ms": manifest.playout_delay_ms,
    }
    optional = {
        "key_id": manifest.key_id,
        "title": manifest.title,
        "language": manifest.language,
        "entropy": manifest.entropy,
    }
    fields.update({name: value for name, value in optional.items() if value is not None})
    if manifest.silence:
        fields["silence"] = True
    return dump_json_object(fields, max_bytes=MAX_MANIFEST_BYTES, error=ManifestError, advice="shorten the title")


def decode_manifest(payload: bytes) -> StreamManifest:
    """The manifest in `payload`; raises ManifestError and nothing else. Empty (reason SIZE): the stream is gone."""
    fields = parse_json_object(payload, max_bytes=MAX_MANIFEST_READ_BYTES, error=ManifestError)
    version = check_int(_required(fields, "v"), "v", 0, 2**31, error=ManifestError)
    if version != WIRE_VERSION:
        raise ManifestError(Fault.VERSION, f"expected version {WIRE_VERSION}, got {version}: update the player")
    codec = fields.get("codec")
    if not isinstance(codec, dict):
        raise ManifestError(Fault.STRUCTURE, f"codec: expected an object, got {type(codec).__name__}")
    return StreamManifest(
        stream=_text(fields, "stream"),
        codec=_codec(codec),
        tiers=_tiers(_required(fields, "tiers")),
        frames_per_packet=_number(fields, "frames_per_packet"),
        epoch=parse_hex64(_required(fields, "epoch"), "epoch", error=ManifestError),
        started_at_ms=_number(fields, "started_at_ms"),
        first_frame=_number(fields, "first_frame") if fields.get("first_frame") is not None else 0,
        gateway_id=_text(fields, "gateway_id"),
        qos=_number(fields, "qos"),
        playout_delay_ms=_number(fields, "playout_delay_ms"),
        key_id=_optional_text(fields, "key_id"),
        title=_optional_text(fields, "title"),
        language=_optional_text(fields, "language"),
        entropy=_optional_text(fields, "entropy"),
        silence=_flag(fields, "silence"),
    )


def _codec(fields: dict[str, object]) -> CodecIdentity:
    return CodecIdentity(
        name=_text(fields, "name"),
        sample_rate=_number(fields, "sample_rate"),
        frame_size=_number(fields, "frame_size"),
        num_layers=_number(fields, "num_layers"),
        codebook_size=_number(fields, "codebook_size"),
        delay_samples=_number(fields, "delay_samples"),
        weights_sha256=_text(fields, "weights_sha256"),
    )


def _tiers(value: object) -> tuple[Tier, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_TIERS:
        raise ManifestError(Fault.STRUCTURE, f"tiers: expected 1 to {MAX_TIERS} pairs [first layer, layers]")
    tiers = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) < 2:
            raise ManifestError(Fault.STRUCTURE, "tiers: expected pairs [first layer, layers]")
        tiers.append(Tier(first_layer=pair[0], num_layers=pair[1]))
    return tuple(tiers)


def _required(fields: dict[str, object], name: str) -> object:
    if name not in fields:
        raise ManifestError(Fault.STRUCTURE, f"expected a field {name!r}, it is missing")
    return fields[name]


def _number(fields: dict[str, object], name: str) -> int:
    # The range is the dataclass's business; here only the type, so that nothing else gets that far.
    value = _required(fields, name)
    if type(value) is not int:
        raise ManifestError(Fault.TYPE, f"{name}: expected an integer, got {type(value).__name__}")
    return value


def _text(fields: dict[str, object], name: str) -> str:
    value = _required(fields, name)
    if type(value) is not str:
        raise ManifestError(Fault.TYPE, f"{name}: expected text, got {type(value).__name__}")
    return value


def _flag(fields: dict[str, object], name: str) -> bool:
    value = fields.get(name)
    if value is None:
        return False
    if type(value) is not bool:
        raise ManifestError(Fault.TYPE, f"{name}: expected true or false, got {type(value).__name__}")
    return value


def _optional_text(fields: dict[str, object], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)
