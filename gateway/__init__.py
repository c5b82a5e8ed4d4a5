"""The sending end: audio in, tokens out over MQTT. The command is `gateway`; see `gateway.cli`.

    source -> FrameAssembler -> encoder -> Packetizer -> Publisher -> broker
    (sources)      (encoder_worker, one thread)        (protocol.transport)

The names below load on first use, so that `gateway --help` answers at once, and Ctrl-C meets a command that is ready.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config import CodecConfig, GatewayConfig, RunConfig, SourceConfig, StreamConfig
    from gateway.errors import DemoError, GatewayError, MicrophoneError, SourceError

_MODULES = {
    "gateway.config": ("CodecConfig", "GatewayConfig", "RunConfig", "SourceConfig", "StreamConfig"),
    "gateway.errors": ("DemoError", "GatewayError", "MicrophoneError", "SourceError"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

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


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'gateway' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
