"""What `gateway demo` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["DemoOptions", "LinkName"]

LinkName = Literal["lan", "wan", "narrow"]


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """source: None for the bundled clip. out: folder for the results. The rest as in `gateway run`; None: of the link.

    model: directory with encoder.onnx and decoder.onnx, None for the packaged codec. broker: which one to start.
    """

    source: Path | None = None
    out: Path = Path("voxwire-demo")
    link: LinkName = "wan"
    qos: int | None = None
    frames_per_packet: int | None = None
    layers: int | None = None
    codec: str | None = None
    model: Path | None = None
    broker: Literal["auto", "mosquitto", "amqtt"] = "auto"
