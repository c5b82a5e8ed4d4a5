"""Every counter and figure of a player, flat, gathered from its parts."""

from __future__ import annotations

from dataclasses import dataclass

from edge_player.buffer.timeline import Timeline
from edge_player.intake.first_copy import FirstCopy
from edge_player.intake.inbox import Inbox
from edge_player.intake.link_watch import LinkWatch
from edge_player.intake.links import Links
from edge_player.intake.receiver import Receiver
from edge_player.intake.tier_follower import TierFollower
from edge_player.metrics import WireWindow, memory_stats
from edge_player.render.decoder import OnnxFrameDecoder
from edge_player.render.playout import Playout
from edge_player.sinks import AudioSink
from protocol.service import Stats, counters_snapshot


@dataclass(frozen=True, slots=True)
class PlayerParts:
    """The parts of a player that count. id, stream: whose they are. started_at: by the player's clock, seconds."""

    id: str
    stream: str
    started_at: float
    links: Links
    inbox: Inbox
    copies: FirstCopy
    receiver: Receiver
    timeline: Timeline
    playout: Playout
    decoder: OnnxFrameDecoder
    sink: AudioSink
    wire: WireWindow
    link_watch: LinkWatch
    tier_follower: TierFollower

    def stats(self) -> Stats:
        """Every counter, now. `frames_due = played + concealed + skipped + comfort` once the player has ended."""
        playout = self.playout.stats
        totals = self.timeline.totals()
        buffer = counters_snapshot(self.timeline.stats())
        for name, ours in (
            ("skipped_frames", "frames_skipped"),
            ("thinned_frames", "frames_thinned"),
            ("accepted", "packets_accepted"),
        ):
            buffer[ours] = buffer.pop(name)
        latency = playout.latency_ms.snapshot()
        first_sound = playout.first_sound_at
        return {
            "id": self.id,
            "stream": self.stream,
            "codec": self.decoder.spec.name,
            "sink": self.sink.description,
            "state": self.receiver.state.state,
            "active_provider": self.decoder.active_provider,
            "requested_provider": self.decoder.requested_provider,
            **buffer,
            "frames_due": totals.due,
            "frames_played": totals.played,
            "frames_concealed": totals.concealed,
            "frames_skipped": totals.skipped,
            "frames_comfort": totals.comfort,
            "epochs": self.timeline.epochs,
            "epochs_unknown": self.timeline.unknown_epoch,
            "epochs_bad_end": self.timeline.bad_ends,
            **counters_snapshot(self.receiver.stats),
            "inbox_dropped": self.inbox.tokens_dropped + self.inbox.control_dropped,
            "underruns": self.playout.ring.underruns,
            "underrun_samples": self.playout.ring.underrun_samples,
            "decoder_resets": playout.decoder_resets,
            "frames_primed": playout.frames_primed,
            "nonfinite_frames": self.decoder.nonfinite_frames,
            "decode_rtf": round(self.decoder.real_time_factor, 5),
            "decode_overloads": self.decoder.pace.overloads,
            "decode_longer_steps": self.playout.longer_steps,
            **self.playout.depth_stats(),
            "decode_frames_per_step": self.playout.frames_per_step,
            "latency_ms_last": round(playout.last_latency_ms, 2),
            "latency_ms_p50": round(latency.p50, 2),
            "latency_ms_p95": round(latency.p95, 2),
            "latency_ms_p99": round(latency.p99, 2),
            "latency_ms_max": round(latency.maximum, 2) if latency.count else 0.0,
            "first_sound_ms": -1 if first_sound is None else round((first_sound - self.started_at) * 1000.0, 1),
            **self.sink.counters,
            **self.links.stats(),
            **counters_snapshot(self.copies.stats),
            **counters_snapshot(self.link_watch.stats),
            **counters_snapshot(self.tier_follower.stats),
            "lag_ms": round(1000.0 * self.link_watch.lag_s),
            **self.wire.stats(),
            **memory_stats(),
        }
