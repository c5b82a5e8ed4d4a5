"""What one end says about itself."""

from __future__ import annotations

from typing import Any

from protocol.status import StatusMessage, decode_status
from protocol.transport import Presence

TOPIC = "vw/v1/edge/edge-1/status"
EPOCH = 0x1234_5678_9ABC_DEF0


class FakeConnection:
    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, dict[str, Any]]] = []

    def publish(self, topic: str, payload: bytes, **options: Any) -> None:
        self.published.append((topic, payload, options))


def test_the_status_is_retained_and_carries_state_reason_and_epoch() -> None:
    presence, connection = Presence("edge", "edge-1", TOPIC, session=7), FakeConnection()
    presence.update("refused", "a very " + "long " * 80 + "reason", 99)
    presence.announce(connection)
    topic, payload, options = connection.published[0]
    status = decode_status(payload)
    assert topic == TOPIC
    assert (status.state, status.epoch, status.session) == ("refused", 99, 7)
    assert options == {"qos": 1, "retain": True, "reliable": True}


def test_the_will_and_the_farewell_are_told_apart() -> None:
    presence = Presence("edge", "edge-1", TOPIC, session=7)
    will, offline = decode_status(presence.will().payload), decode_status(presence.offline().payload)
    assert (will.state, will.reason) == ("offline", "connection lost")
    assert (offline.state, offline.reason) == ("offline", "stopped")
    assert presence.will().retain


def test_the_will_carries_the_epoch_and_the_session() -> None:
    will = Presence("gateway", "gw", "vw/v1/gateway/gw/status", session=9, epoch=EPOCH).will()
    expected = StatusMessage("gateway", "gw", "offline", 9, reason="connection lost", epoch=EPOCH)
    assert will.topic == "vw/v1/gateway/gw/status"
    assert decode_status(will.payload) == expected


def test_a_message_that_is_only_made_is_not_what_was_said_last() -> None:
    presence = Presence("edge", "edge-1", TOPIC, session=7)
    presence.message("online", stats={"late": 3})
    assert presence.status.state == "waiting"
