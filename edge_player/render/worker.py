"""The one thread that owns decoder, jitter buffers and the writing end of the ring."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from edge_player.intake.inbox import Inbox, InboxMessage
from edge_player.intake.receiver import Receiver
from edge_player.render.playout import Playout

logger = logging.getLogger(__name__)

IDLE_S = 0.25
"""The longest sleep: a sink whose clock differs from ours is looked at again by then."""

MIN_SLEEP_S = 0.001


class PlayerWorker:
    """Takes messages from the inbox and keeps the ring full. Started once; `stop` joins it.

    `error` is what ended it early: a bug of ours, since nothing from outside raises here.
    """

    def __init__(
        self,
        inbox: Inbox,
        receiver: Receiver,
        playout: Playout,
        *,
        clock: Callable[[], float] = time.monotonic,
        admit: Callable[[InboxMessage], bool] = lambda message: True,
        look: Callable[[float], None] = lambda now: None,
    ) -> None:
        """`admit(message)`: whether the receiver gets it. `look(now)` is called once a turn, after the messages of that
        turn.
        """
        self._inbox = inbox
        self._receiver = receiver
        self._playout = playout
        self._clock = clock
        self._admit = admit
        self._look = look
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)
        self.error: BaseException | None = None
        self.turns = 0
        """Rises with every turn: four a second at least."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End and join; False when it did not end in time. Safe to call twice and before `start`."""
        self._stopping.set()
        self._inbox.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def turn(self, timeout_s: float) -> float:
        """One round: wait up to `timeout_s` for messages, handle them, fill the ring. Returns how long to wait next."""
        for message in self._inbox.take(timeout_s):
            if self._admit(message):
                self._receiver.handle(message)
        now = self._clock()
        self._look(now)
        wake_at = self._playout.step(now)
        if wake_at is None:
            return IDLE_S
        return min(IDLE_S, max(MIN_SLEEP_S, wake_at - now))

    def _run(self) -> None:
        timeout_s = 0.0
        try:
            while not self._stopping.is_set():
                timeout_s = self.turn(timeout_s)
                self.turns += 1
        except BaseException as error:  # seen by the pipeline, on the main thread
            logger.exception("the player worker ended")
            self.error = error
