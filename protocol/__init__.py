"""What is on the wire: packets, manifest, topics, status and events. SPEC.md describes every byte.

Pure functions from values to bytes and back; `protocol.transport` carries them, `protocol.service` is what the programs
share besides. Needs numpy and msgpack only.
"""

from __future__ import annotations

from protocol.epoch import epoch_low7, new_epoch
from protocol.errors import Fault, ManifestError, MessageError, PacketError, ProtocolError, TopicError
from protocol.event import (
    CLOCK_REPORT_S,
    HEARTBEAT_S,
    ClockReport,
    Event,
    PriorityChanged,
    SourceResumed,
    SourceStalled,
    StreamGap,
    StreamPaused,
    StreamStarted,
    StreamStopped,
    decode_event,
    encode_event,
)
from protocol.limits import (
    MAX_CLIP_BYTES,
    MAX_EVENT_BYTES,
    MAX_FRAMES_PER_PACKET,
    MAX_MANIFEST_BYTES,
    MAX_PACKET_BYTES,
    MAX_REASON_LENGTH,
    MAX_STATUS_BYTES,
    WIRE_VERSION,
)
from protocol.link import LINK_PROFILES, LinkProfile, link_profile
from protocol.manifest import (
    MANIFEST_EXPIRY_S,
    MANIFEST_REFRESH_S,
    CodecIdentity,
    StreamManifest,
    Tier,
    decode_manifest,
    encode_manifest,
)
from protocol.packet import PacketLimits, TokenPacket, decode_packet, encode_packet
from protocol.packing import bits_per_code, pack_codes, packed_bytes, unpack_codes
from protocol.sequence import extend_serial, serial_add, serial_before, serial_distance, to_serial
from protocol.status import Role, Stat, State, StatusMessage, decode_status, encode_status
from protocol.topics import ParsedTopic, TopicKind, Topics, check_id
from protocol.untrusted import clean_text

__all__ = [
    "CLOCK_REPORT_S",
    "HEARTBEAT_S",
    "LINK_PROFILES",
    "MANIFEST_EXPIRY_S",
    "MANIFEST_REFRESH_S",
    "MAX_CLIP_BYTES",
    "MAX_EVENT_BYTES",
    "MAX_FRAMES_PER_PACKET",
    "MAX_MANIFEST_BYTES",
    "MAX_PACKET_BYTES",
    "MAX_REASON_LENGTH",
    "MAX_STATUS_BYTES",
    "WIRE_VERSION",
    "ClockReport",
    "CodecIdentity",
    "Event",
    "Fault",
    "LinkProfile",
    "ManifestError",
    "MessageError",
    "PacketError",
    "PacketLimits",
    "ParsedTopic",
    "PriorityChanged",
    "ProtocolError",
    "Role",
    "SourceResumed",
    "SourceStalled",
    "Stat",
    "State",
    "StatusMessage",
    "StreamGap",
    "StreamManifest",
    "StreamPaused",
    "StreamStarted",
    "StreamStopped",
    "Tier",
    "TokenPacket",
    "TopicError",
    "TopicKind",
    "Topics",
    "bits_per_code",
    "check_id",
    "clean_text",
    "decode_event",
    "decode_manifest",
    "decode_packet",
    "decode_status",
    "encode_event",
    "encode_manifest",
    "encode_packet",
    "encode_status",
    "epoch_low7",
    "extend_serial",
    "link_profile",
    "new_epoch",
    "pack_codes",
    "packed_bytes",
    "serial_add",
    "serial_before",
    "serial_distance",
    "to_serial",
    "unpack_codes",
]
