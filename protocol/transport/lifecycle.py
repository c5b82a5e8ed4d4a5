"""Where a connection stands, what ended it last, and waiting for better times."""

from __future__ import annotations

import logging
import threading
import time

from protocol.transport.backoff import EndReason
from protocol.transport.errors import BrokerUnavailableError, NotAuthorisedError
from protocol.transport.values import ConnectionState

logger = logging.getLogger(__name__)


class Lifecycle:
    """The state machine CONNECTING → CONNECTED ⇄ RECONNECTING → CLOSED. `changed` guards it and is told of changes."""

    def __init__(self, changed: threading.Condition, *, url: str, client_id: str) -> None:
        self.state = ConnectionState.CONNECTING
        self.last_error: str | None = None
        self.connects = 0
        self.disconnects = 0
        self.connect_failures = 0
        self._changed = changed
        self._url = url
        self._client_id = client_id
        self._login_refused = False

    def connected(self) -> None:
        """The broker accepted us."""
        with self._changed:
            if self.state is ConnectionState.CLOSED:  # stop() has stopped waiting for us
                return
            self.state = ConnectionState.CONNECTED
            self.connects += 1
            self.last_error = None
            self._login_refused = False
            self._changed.notify_all()

    def ended(self, reason: EndReason, text: str, *, accepted: bool) -> None:
        """A session, or the attempt to get one (then not `accepted`), is over."""
        with self._changed:
            if self.state is ConnectionState.CONNECTED:
                self.state = ConnectionState.RECONNECTING
            first = self.last_error is None
            if reason is not EndReason.CLOSED:
                self.last_error = text
                self._login_refused = reason is EndReason.LOGIN_REFUSED
                self.disconnects += accepted
                self.connect_failures += not accepted
            self._changed.notify_all()
        if reason is not EndReason.CLOSED:
            level = logging.WARNING if first else logging.DEBUG  # once per episode
            logger.log(level, "%s: %s: %s; trying again", self._client_id, self._url, text)

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
                if self._login_refused:
                    raise NotAuthorisedError(f"{self._url}: {self.last_error}")
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    why = self.last_error or "no answer yet"
                    raise BrokerUnavailableError(f"no MQTT connection to {self._url} within {timeout_s:g} s: {why}")
                self._changed.wait(remaining)
