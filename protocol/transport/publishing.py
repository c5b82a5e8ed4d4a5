"""What those who only publish need of a Connection."""

from __future__ import annotations

from typing import Protocol


class PublishingConnection(Protocol):
    """The publishing half of `protocol.transport.Connection`; tests put a list in its place."""

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: int | None = None,
        weight: int = 1,
        reliable: bool = False,
        drop_precedence: int = 0,
        max_age_s: float | None = None,
    ) -> None:
        """See `Connection.publish`."""
