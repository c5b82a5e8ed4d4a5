"""What a row left behind, for the checker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.course import Sample
from tests.faults.end import Stats


@dataclass(frozen=True, slots=True)
class EndEvidence:
    """stats: final counters, None where none were written. rss: resident bytes over time. code: exit code, None where
    it had to be killed."""

    code: int | None
    stats: Stats | None
    log: str
    rss: Sequence[int]
    samples: Sequence[Sample] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """began_at, repaired_at: of the faults, in the samples' seconds. foreign_frames: of the decoy's tone in what the
    players recorded; own_frames: of ours. seen_frames: different frames of the stream that passed the broker.
    epochs: of the stream, as announced. recorder, recorder_frames: a player that writes to a disk that fills
    up, and frames of our tone in what is left of it. repeater_dropped:
    frames that the repeater kept from the players. card_back_s: from the card's return until our tone came out of it.
    lost_packets, passed_packets: of the emulated link.
    """

    began_at: float
    repaired_at: float
    gateway: EndEvidence
    player: EndEvidence
    beside: EndEvidence | None
    broker_rss: Sequence[int]
    seen_frames: int
    epochs: int
    foreign_frames: int
    own_frames: int
    recorder: EndEvidence | None = None
    recorder_frames: int = 0
    repeater_dropped: int = 0
    card_back_s: float | None = None
    lost_packets: int = 0
    passed_packets: int = 0
    notes: Mapping[str, str] = field(default_factory=dict)
