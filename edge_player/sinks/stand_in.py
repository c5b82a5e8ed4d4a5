"""Time goes on while the sound card does not ask."""

from __future__ import annotations

from edge_player.render.ring import PcmRing
from edge_player.sinks.card_watch import SETTLED_CALLBACKS

PATIENCE_S = 0.3
"""A card that asked for nothing for so long, and for twice its latency, stands still; less is jitter, which it makes
good by itself."""

MAX_BACKLOG_S = 30.0
"""What the ring could not give at once is taken later, up to this."""


class StandIn:
    """Takes samples out of the ring, unheard, in the place of a card that vanished or hangs.

    So the stream plays on in real time: when the card is back it goes on with what is due then. Nothing stale is
    heard, and the delay is what it was before. A card that comes back fills its buffer first, at once, and may stand
    still again before it runs: how long for, nobody tells. So it gets silence until it has asked a few times, and real
    time is kept here until then.

    Pure in time; the caller holds the reading end of the ring, and gives the card silence while this is `active`.
    """

    def __init__(self, *, block_s: float) -> None:
        """`block_s`: what the card takes each time, seconds."""
        self.unheard_s = 0.0
        self.active = False
        self._block_s = block_s
        self._since = 0.0
        self._taken_s = 0.0
        self._asked_before = 0

    def tick(
        self, ring: PcmRing, now: float, *, sample_rate: int, asked_at: float, asked: int, latency_s: float | None
    ) -> None:
        """Take what became due since the card last asked, at `asked_at` and for the `asked`th time. Seconds, Hz.

        `latency_s`: of the card; None: there is none, so that nothing is to be waited for.
        """
        still = latency_s is None or now - asked_at >= PATIENCE_S + 2.0 * latency_s
        if not self.active:
            if not still:
                return
            self.active = True
            self._since = asked_at + self._block_s  # so much it took when it asked
            self._taken_s = 0.0
        if still:
            self._asked_before = asked
        self._take(ring, now, sample_rate)
        self.active = asked - self._asked_before < SETTLED_CALLBACKS

    def _take(self, ring: PcmRing, now: float, sample_rate: int) -> None:
        due_s = now - self._since - self._taken_s
        taken_s = ring.drop(max(0, round(due_s * sample_rate))) / sample_rate
        self.unheard_s += taken_s
        # Where nothing is due, or far too much, time is not made good.
        self._taken_s += taken_s if ring.active else due_s
        self._taken_s = max(self._taken_s, now - self._since - MAX_BACKLOG_S)
