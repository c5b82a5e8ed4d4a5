"""What a bad repeater does to the packets of a stream: twice, in the wrong order, not at all, or 10 years later."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from protocol.event import ClockReport, SourceResumed, SourceStalled, StreamGap, StreamStarted, StreamStopped
from protocol.event import Event as StreamEvent
from protocol.manifest import StreamManifest
from protocol.packet import TokenPacket
from protocol.sequence import to_serial
from tests.faults.course import FRAME_S

FRAME_MS: Final = round(1000 * FRAME_S)
_SERIALS: Final = 2**32


@dataclass(frozen=True, slots=True)
class Mischief:
    """Shares of packets, 0 to 1. twice: sent twice. swapped: after the next one. missing: never sent.

    frames_until_wrap: as if the stream had run for years, so that after so many frames the 32 bits of the index begin
    at 0 again; None leaves indices alone.
    """

    twice: float = 0.0
    swapped: float = 0.0
    missing: float = 0.0
    frames_until_wrap: int | None = None

    @property
    def shift(self) -> int:
        """What is added to each index."""
        return 0 if self.frames_until_wrap is None else _SERIALS - self.frames_until_wrap


class PacketMischief:
    """Plays one `Mischief`, by dice; pure."""

    def __init__(self, mischief: Mischief, *, seed: int) -> None:
        self._mischief = mischief
        self._dice = random.Random(seed)
        self._held: TokenPacket | None = None
        self.doubled = 0
        self.swaps = 0
        self.dropped_frames = 0

    def packet(self, packet: TokenPacket) -> Iterator[TokenPacket]:
        """What goes out when this one comes."""
        wrong = self._mischief
        packet = replace(packet, first_frame=to_serial(packet.first_frame + wrong.shift))
        if self._dice.random() < wrong.missing:
            self.dropped_frames += packet.num_frames
            return
        if self._held is None and self._dice.random() < wrong.swapped:
            self._held = packet
            self.swaps += 1
            return
        yield packet
        if self._dice.random() < wrong.twice:
            self.doubled += 1
            yield packet
        yield from self.flush()

    def flush(self) -> Iterator[TokenPacket]:
        """What was held back."""
        if self._held is not None:
            yield self._held
            self._held = None

    def manifest(self, manifest: StreamManifest, stream: str) -> StreamManifest:
        """As if it were of that stream, which started as many frames earlier."""
        shift = self._mischief.shift
        return replace(
            manifest,
            stream=stream,
            first_frame=manifest.first_frame + shift,
            started_at_ms=manifest.started_at_ms - shift * FRAME_MS,
        )

    def event(self, event: StreamEvent) -> StreamEvent:
        """With its indices moved."""
        shift = self._mischief.shift
        if isinstance(event, StreamStopped):
            return replace(event, first_frame=event.first_frame + shift, last_frame=event.last_frame + shift)
        if isinstance(event, StreamStarted | StreamGap):
            return replace(event, first_frame=event.first_frame + shift)
        if isinstance(event, ClockReport | SourceStalled | SourceResumed):
            return replace(event, frame=event.frame + shift)
        return event
