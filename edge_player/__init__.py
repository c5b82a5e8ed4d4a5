"""The player at the edge: tokens from a broker to sound, without torch.

`Player` is the whole; the parts are importable from their own modules. The names below load on first use, so that
`import edge_player` costs neither ONNX Runtime nor a sound library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_player.buffer.jitter_buffer import InsertResult, JitterBuffer, JitterConfig, Lost, Ready, Wait
    from edge_player.config import PlayerConfig
    from edge_player.errors import ModelMismatchError, NoStreamError, PlayerError, SinkError
    from edge_player.pipeline import Player
    from edge_player.render.concealment import Concealer
    from edge_player.render.decoder import FrameDecoder, OnnxFrameDecoder
    from edge_player.sinks import AudioSink, NullSink, PipeSink, SoundDeviceSink, WavSink

_MODULES = {
    "edge_player.render.concealment": ("Concealer",),
    "edge_player.config": ("PlayerConfig",),
    "edge_player.render.decoder": ("FrameDecoder", "OnnxFrameDecoder"),
    "edge_player.errors": ("ModelMismatchError", "NoStreamError", "PlayerError", "SinkError"),
    "edge_player.buffer.jitter_buffer": ("InsertResult", "JitterBuffer", "JitterConfig", "Lost", "Ready", "Wait"),
    "edge_player.pipeline": ("Player",),
    "edge_player.sinks": ("AudioSink", "NullSink", "PipeSink", "SoundDeviceSink", "WavSink"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AudioSink",
    "Concealer",
    "FrameDecoder",
    "InsertResult",
    "JitterBuffer",
    "JitterConfig",
    "Lost",
    "ModelMismatchError",
    "NoStreamError",
    "NullSink",
    "OnnxFrameDecoder",
    "PipeSink",
    "Player",
    "PlayerConfig",
    "PlayerError",
    "Ready",
    "SinkError",
    "SoundDeviceSink",
    "Wait",
    "WavSink",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'edge_player' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
