"""Which version of MQTT to try: 5 first, 3.1.1 where the broker refuses it."""

from __future__ import annotations

from typing import Final

from protocol.transport.backoff import EndReason

MQTT_5: Final = 5
MQTT_311: Final = 4  # its number on the wire


class VersionChoice:
    """Remembers what the broker said about versions."""

    def __init__(self) -> None:
        self.current: int = MQTT_5
        self._speaks_5 = False
        self._refused_5 = False

    @property
    def name(self) -> str:
        """As people write it."""
        return version_name(self.current)

    def after(self, reason: EndReason, *, accepted: bool) -> bool:
        """Learn from the end of an attempt; True when the other version should be tried at once.

        Some brokers meet an unknown version with silence or by hanging up (amqtt may wait for ever), but so does a
        broker that is stopped or going down: 3.1.1 is then tried once, and 5 again the next time.
        """
        tried = self.current
        if reason is EndReason.VERSION_REFUSED:
            self._refused_5 = tried == MQTT_5
            self.current = MQTT_311 if tried == MQTT_5 else MQTT_5
            return tried == MQTT_5
        if accepted and tried == MQTT_5:
            self._speaks_5 = True
        if self._refused_5:
            return False
        silent = reason is EndReason.NO_ANSWER and tried == MQTT_5 and not self._speaks_5
        self.current = MQTT_311 if silent else MQTT_5
        return silent


def version_name(version: int) -> str:
    """`5` or `3.1.1`."""
    return "5" if version == MQTT_5 else "3.1.1"
