"""What the player does about a link that is up and of no use: nothing comes over it, or only what is too old."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from edge_player.buffer.timeline import EpochPlan
from edge_player.intake.lag import LagStep, LagWatch
from edge_player.intake.silence import SilenceStep, SilenceWatch
from protocol.event import HEARTBEAT_PATIENCE_S, HEARTBEAT_S
from protocol.packet import TokenPacket
from protocol.transport import ConnectionState

logger = logging.getLogger(__name__)

SILENT_KEEPALIVES = 3
"""The broker has answered three pings and sent no packet: it is there, and we are not subscribed as far as it knows."""

SILENT_PACKETS = 3
"""And never less than so many packets last, where the keep-alive is shorter than they are."""


PAUSED_PROBE_S = HEARTBEAT_S + 5
"""In a pause TCP need not probe a link that its heartbeat proves: probes would cost twice what the heartbeats do."""


class Link(Protocol):
    """The part of `protocol.transport.Connection` that is used here; none of it waits."""

    @property
    def state(self) -> ConnectionState: ...

    @property
    def keepalive_s(self) -> int: ...

    def resubscribe(self) -> None: ...

    def reconnect(self) -> None: ...

    def probe_after(self, seconds: int | None) -> None: ...


@dataclass(slots=True)
class LinkWatchStats:
    """Counters that only rise: what was done. age_accepted: reconnects that brought nothing fresher."""

    watchdog_resubscribes: int = 0
    watchdog_reconnects: int = 0
    age_reconnects: int = 0
    age_accepted: int = 0


class LinkWatch:
    """Owned by the player worker: told by the receiver what comes, asked by the worker after each turn to look."""

    def __init__(self, link: Link, *, stream: str) -> None:
        self.stats = LinkWatchStats()
        self._link = link
        self._stream = stream
        self._silence = SilenceWatch()
        self._lag = LagWatch()
        self._packet_s = 0.0
        self.packets = 0
        """Those that the lag was measured by."""
        self._has_heartbeat = False

    @property
    def lag_s(self) -> float:
        """How far the newest packet is behind the least delayed ones, seconds."""
        return self._lag.lag_s

    def opened(self, plan: EpochPlan) -> None:
        """Another epoch is to come."""
        jitter = plan.jitter
        self._packet_s = plan.packet_s
        self._has_heartbeat = plan.silence
        self._silence.excuse()
        self._lag.begin(
            first_frame=plan.first_frame,
            frame_duration_s=jitter.frame_duration_s,
            frames_per_packet=jitter.frames_per_packet,
            too_late_s=jitter.playout_delay_s + jitter.slack_s,
        )

    def heard(self, received_at: float) -> None:
        """A token packet came on the first tier, of whatever worth, or the heartbeat of a pause."""
        silent_s = self._silence.heard(received_at)
        if silent_s is not None:
            logger.info("stream %s: packets again after %.1f s", self._stream, silent_s)

    def arrived(self, packet: TokenPacket, received_at: float) -> None:
        """A packet of the newest epoch, on its first tier, that the jitter buffer believed."""
        self.packets += 1
        self._lag.packet(packet.first_frame, packet.codes.shape[1], received_at)

    def interrupted(self) -> None:
        """The source of the stream stalls, or goes on after it."""
        self._lag.rebase()

    def paused(self, lasts: bool) -> None:
        """A pause of the stream began or has a heartbeat; or packets come again."""
        self._link.probe_after(PAUSED_PROBE_S if lasts else None)

    def look(self, now: float, *, expects_packets: bool) -> None:
        """`expects_packets`: whether the stream is alive, as far as we were told."""
        if not expects_packets:
            self._silence.excuse()
        elif self._link.state is not ConnectionState.CONNECTED:
            self._silence.interrupt()
        else:
            self._look_for_silence(now)
        self._look_for_lag(now)

    def _look_for_silence(self, now: float) -> None:
        # Where pauses have a heartbeat, it measures the link; the keep-alive may then be as long as it likes.
        usual_s = HEARTBEAT_PATIENCE_S if self._has_heartbeat else SILENT_KEEPALIVES * self._link.keepalive_s
        limit_s = max(usual_s, SILENT_PACKETS * self._packet_s)
        first = not self._silence.acted
        step = self._silence.look(now, limit_s=limit_s)
        if step is SilenceStep.RESUBSCRIBE:
            self.stats.watchdog_resubscribes += 1
            level = logging.WARNING if first else logging.DEBUG  # once an episode
            logger.log(
                level,
                "stream %s: connected, and no packet for %.0f s; subscribing again, then reconnecting, ever less often",
                self._stream,
                limit_s,
            )
            self._link.resubscribe()
        elif step is SilenceStep.RECONNECT:
            self.stats.watchdog_reconnects += 1
            logger.debug("stream %s: still no packet; reconnecting", self._stream)
            self._link.reconnect()

    def _look_for_lag(self, now: float) -> None:
        lag_s = self._lag.lag_s
        step = self._lag.look(now)
        if step is LagStep.RECONNECT:
            self.stats.age_reconnects += 1
            logger.warning(
                "stream %s: what comes is %.1f s behind, more than %.1f s for a while; reconnecting to the live edge",
                self._stream,
                lag_s,
                self._lag.limit_s,
            )
            self._link.reconnect()
        elif step is LagStep.ACCEPT:
            self.stats.age_accepted += 1
            logger.warning(
                "stream %s: a new connection brings nothing fresher; the %.1f s are not the broker's, and are kept",
                self._stream,
                lag_s,
            )
