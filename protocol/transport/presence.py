"""The retained status of one end, and the will that replaces it should that end vanish."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.limits import MAX_REASON_LENGTH
from protocol.status import Role, Stat, State, StatusMessage, encode_status
from protocol.transport.publishing import PublishingConnection
from protocol.transport.values import Will
from protocol.untrusted import clean_text


class Presence:
    """What one end last said about itself. Any thread may call.

    role, own_id: who speaks. topic: of its status. session: higher at every start, so that an old will is known as
    such. epoch: of the stream that the wills speak of, None where there is none yet.
    """

    def __init__(self, role: Role, own_id: str, topic: str, *, session: int, epoch: int | None = None) -> None:
        self._role = role
        self._id = own_id
        self._topic = topic
        self._session = session
        self._epoch = epoch
        self._status = self.message("waiting", reason="starting")

    @property
    def status(self) -> StatusMessage:
        """What was said last."""
        return self._status

    def will(self) -> Will:
        """For the broker to publish when the connection is lost."""
        return self._farewell("connection lost")

    def offline(self) -> Will:
        """For a clean end."""
        return self._farewell("stopped")

    def update(
        self,
        state: State,
        reason: str | None = None,
        epoch: int | None = None,
        stats: Mapping[str, Stat] | None = None,
    ) -> None:
        """Change what `announce` says. Any text will do for `reason`: it is cut to what a status may hold."""
        self._status = self.message(state, reason=reason, epoch=epoch, stats=stats)

    def announce(self, connection: PublishingConnection) -> None:
        """Publish the status, retained; again after each connect, since the will may have replaced it."""
        connection.publish(self._topic, encode_status(self._status), qos=1, retain=True, reliable=True)

    def message(
        self,
        state: State,
        *,
        reason: str | None = None,
        epoch: int | None = None,
        stats: Mapping[str, Stat] | None = None,
    ) -> StatusMessage:
        """A status message of this end that is not remembered."""
        text = None if reason is None else clean_text(reason, MAX_REASON_LENGTH)
        return StatusMessage(self._role, self._id, state, self._session, reason=text, epoch=epoch, stats=stats or {})

    def _farewell(self, reason: str) -> Will:
        return Will(self._topic, encode_status(self.message("offline", reason=reason, epoch=self._epoch)))
