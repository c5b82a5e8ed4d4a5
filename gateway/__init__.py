"""The sending end: audio in, tokens out over MQTT. The command is `gateway`; see `gateway.cli`.

    source -> FrameAssembler -> encoder -> Packetizer -> Publisher -> broker
    (sources)      (encoder_worker, one thread)        (protocol.transport)

Nothing is imported here but the errors and the configuration, so that `gateway --help` answers at once.
"""

from __future__ import annotations

from gateway.config import CodecConfig, GatewayConfig, RunConfig, SourceConfig, StreamConfig
from gateway.errors import DemoError, GatewayError, MicrophoneError, SourceError

__all__ = [
    "CodecConfig",
    "DemoError",
    "GatewayConfig",
    "GatewayError",
    "MicrophoneError",
    "RunConfig",
    "SourceConfig",
    "SourceError",
    "StreamConfig",
]
