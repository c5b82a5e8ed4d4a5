"""Where a connection stands, what ended it last, and waiting for better times."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection

from protocol.transport.backoff import EndReason
from protocol.transport.errors import BrokerUnavailableError, NotAuthorisedError, TlsRefusedError
from protocol.transport.values import ConnectionState

logger = logging.getLogger(__name__)


class Lifecycle:
    """The state machine CONNECTING → CONNECTED ⇄ RECONNECTING → CLOSED. `changed` guards it and is told of changes."""

    def __init__(self, changed: threading.Condition, *, url: str, client_id: str) -> None:
        self.state = ConnectionState.CONNECTING
        self.last_error: str | None = None
        self.id_taken: str | None = None
        """What made us think that another connection uses our client id; None as long as nothing has."""
        self.connects = 0
        self.disconnects = 0
        self.connect_failures = 0
        self._changed = changed
        self._url = url
        self._where = "" if "," in url else f"{url}: "  # of several addresses, each is named with its own failure
        self._client_id = client_id
        self._refusals: frozenset[EndReason] = frozenset()

    def connected(self) -> None:
        """The broker accepted us."""
        with self._changed:
            if self.state is ConnectionState.CLOSED:  # stop() has stopped waiting for us
                return
            self.state = ConnectionState.CONNECTED
            self.connects += 1
            self.last_error = None
            self._refusals = frozenset()
            self._changed.notify_all()

    def ended(
        self,
        reason: EndReason,
        text: str,
        *,
        accepted: bool,
        refusals: Collection[EndReason] = (),
        say: str | None = None,
    ) -> None:
        """A session, or the attempt to get one (then not `accepted`), is over.

        text: what is wrong, with every address. refusals: how all addresses refused us, empty while one may not.
        say: for the log, where that is news.
        """
        with self._changed:
            if self.state is ConnectionState.CONNECTED:
                self.state = ConnectionState.RECONNECTING
            if reason is not EndReason.CLOSED:
                self.last_error = text
                self._refusals = frozenset(refusals)
                self.disconnects += accepted
                self.connect_failures += not accepted
            self._changed.notify_all()
        if reason is not EndReason.CLOSED:
            level = logging.DEBUG if say is None else logging.WARNING  # once per episode
            logger.log(level, "%s: %s; trying again", self._client_id, say or text)

    def closed(self) -> None:
        """It is over for good."""
        with self._changed:
            self.state = ConnectionState.CLOSED
            self._changed.notify_all()

    def wait_connected(self, timeout_s: float) -> None:
        """See Connection.wait_connected."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self.state is not ConnectionState.CONNECTED:
                if self.state is ConnectionState.CLOSED:
                    raise BrokerUnavailableError(f"the connection to {self._url} is closed")
                if self._refusals:
                    login = EndReason.LOGIN_REFUSED in self._refusals
                    kind = NotAuthorisedError if login else TlsRefusedError
                    raise kind(f"{self._where}{self.last_error}")
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    why = self.last_error or "no answer yet"
                    raise BrokerUnavailableError(f"no MQTT connection to {self._url} within {timeout_s:g} s: {why}")
                self._changed.wait(remaining)
