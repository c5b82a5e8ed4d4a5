"""The parts that a frame passes on its way to the wire, and what they have counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.announcer import Announcer
from gateway.packetizer import Packetizer
from gateway.packing import AdaptivePacking, LinkView, longest_packet
from gateway.silence_gate import SilenceGate
from gateway.stream_plan import StreamPlan
from gateway.stream_writer import StreamWriter
from gateway.tiers import TieredPublisher, open_publisher
from protocol.entropy import EntropyTables
from protocol.epoch import epoch_low7
from protocol.service import Stats
from protocol.topics import Topics
from protocol.transport import Connection, ConnectionState

__all__ = ["StreamParts", "make_parts"]


@dataclass(frozen=True, slots=True)
class StreamParts:
    """In the order in which a frame meets them: gate, packetizer, publisher; the writer leads it through.

    gate: None where nothing is held back in pauses. packing: None where every packet has the same length.
    """

    gate: SilenceGate | None
    packing: AdaptivePacking | None
    packetizer: Packetizer
    publisher: TieredPublisher
    writer: StreamWriter

    def counters(self) -> Stats:
        """Flat, by name."""
        gate, packing = self.gate, self.packing
        return {
            "frames_per_packet": self.packetizer.frames_per_packet,
            "packing_raised": 0 if packing is None else packing.stats.packing_raised,
            "packing_lowered": 0 if packing is None else packing.stats.packing_lowered,
            "frames_silent": 0 if gate is None else gate.silent_frames,
            "pauses": 0 if gate is None else gate.pauses,
            "payload_bytes": self.publisher.payload_bytes,
            "entropy_bytes_saved": self.publisher.bytes_saved,
        }


def make_parts(
    plan: StreamPlan,
    connection: Connection,
    topics: Topics,
    announcer: Announcer,
    *,
    live: bool,
    tables: EntropyTables | None,
    clock: Callable[[], float],
) -> StreamParts:
    """As the plan has them. live: whether the source makes sound at its own pace. clock: seconds, monotonic."""
    frames_per_packet = plan.profile.frames_per_packet
    gate = SilenceGate(preroll_frames=plan.preroll_frames) if plan.silence else None
    packetizer = Packetizer(epoch_low7=epoch_low7(plan.epoch), frames_per_packet=frames_per_packet, layers=plan.layers)
    publisher = open_publisher(
        connection,
        plan.config,
        plan.profile,
        topics,
        plan.tiers,
        codebook_size=plan.spec.codebook_size,
        tables=tables,
    )
    packing = None
    if plan.config.packs_adaptively:
        most = longest_packet(plan.profile, frame_s=plan.spec.frame_duration_s)
        packing = AdaptivePacking(lambda: _look_at(connection), usual=frames_per_packet, most=most, clock=clock)
    writer = StreamWriter(packetizer, publisher, announcer, live=live, gate=gate, packing=packing)
    return StreamParts(gate, packing, packetizer, publisher, writer)


def _look_at(connection: Connection) -> LinkView:
    return LinkView(connection.state is ConnectionState.CONNECTED, connection.stats().weight_waiting)
