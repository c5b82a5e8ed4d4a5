"""What the receiver is told, what it says of the stream, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass

from edge_player.errors import PlayerError
from protocol.status import State


@dataclass(frozen=True, slots=True)
class ReceiverConfig:
    """stream: its id. layers: play the first so many only, None for all. playout_delay_ms: None for the manifest's.
    playout_offset_ms: added to it, may be negative; the sum is 0 or more. slack_s: as in JitterConfig.
    """

    stream: str
    layers: int | None = None
    playout_delay_ms: int | None = None
    playout_offset_ms: int = 0
    slack_s: float = 1.0


@dataclass(frozen=True, slots=True)
class StreamState:
    """How the player stands to its stream, as its status says it. `error` is set when it was refused."""

    state: State
    reason: str | None = None
    epoch: int | None = None
    error: PlayerError | None = None


@dataclass(slots=True)
class ReceiverStats:
    """Counters that only rise. Messages, except where the name says frames.

    base_missing: how often upper tiers came and the base did not. layers_short: epochs with fewer layers than were
    asked for.
    """

    packets_received: int = 0
    packets_bad: int = 0
    packets_retained: int = 0
    packets_early: int = 0
    packets_unexpected: int = 0
    flood_dropped: int = 0
    manifests: int = 0
    manifests_bad: int = 0
    manifests_refused: int = 0
    manifests_rolled_back: int = 0
    events: int = 0
    events_bad: int = 0
    events_unknown: int = 0
    statuses_bad: int = 0
    clock_reports: int = 0
    sender_gaps: int = 0
    sender_gap_frames: int = 0
    source_stalls: int = 0
    pauses: int = 0
    heartbeats: int = 0
    base_missing: int = 0
    layers_short: int = 0
