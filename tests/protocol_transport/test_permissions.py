"""What may be published, found out with a clock that stands still."""

from __future__ import annotations

import pytest

from protocol.transport.answers import Objection
from protocol.transport.errors import NotAuthorisedError
from protocol.transport.permissions import ECHO_TIMEOUT_S, Permissions

NO = Objection("Not authorized", not_authorised=True)
BUSY = Objection("Quota exceeded", not_authorised=False)
T = "vw/v1/s/lobby/t0"


class Clock:
    now = 5.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def permissions(clock: Clock) -> Permissions:
    permissions = Permissions(clock)
    permissions.verify(T)
    return permissions


def check(permissions: Permissions, *subscriptions: str) -> None:
    permissions.check(publishing=True, subscriptions=subscriptions, url="mqtt://h", as_whom="as user 'gw'")


def test_in_mqtt_5_the_first_message_asks_for_an_answer_and_the_others_do_not(permissions: Permissions) -> None:
    assert permissions.connected(echo=False) == []
    assert permissions.qos_for(T, 0) == 1
    permissions.published(T, b"1")
    assert permissions.qos_for(T, 0) == 0, "one question is enough"
    permissions.taken(T)
    assert (permissions.qos_for(T, 0), permissions.verdict(T)) == (0, True)
    permissions.connected(echo=False)
    assert permissions.qos_for(T, 0) == 1, "another connection, another answer"


def test_while_the_broker_says_no_every_message_asks(permissions: Permissions) -> None:
    permissions.connected(echo=False)
    permissions.published(T, b"1")
    assert permissions.refused(T, NO), "news"
    assert not permissions.refused(T, NO), "no news"
    assert (permissions.qos_for(T, 0), permissions.verdict(T), permissions.publishes_refused) == (1, False, 2)
    permissions.taken(T)
    assert permissions.publish_refused is None, "the access list was put right"


def test_only_topics_to_be_sure_of_are_treated_so(permissions: Permissions) -> None:
    permissions.connected(echo=False)
    assert permissions.qos_for("other", 0) == 0
    permissions.connected(echo=True)
    assert permissions.qos_for(T, 0) == 0, "3.1.1 acknowledges what it throws away"


def test_a_refusal_names_user_and_topic(permissions: Permissions) -> None:
    permissions.refused("any", NO)
    with pytest.raises(
        NotAuthorisedError, match=r"mqtt://h: we may not publish on any as user 'gw' \(Not authorized\)"
    ):
        check(permissions)


def test_a_refusal_that_passes_by_itself_is_no_error(permissions: Permissions) -> None:
    permissions.refused("any", BUSY)
    check(permissions)
    assert permissions.publish_refused is not None


def test_an_echo_is_known_by_what_it_says(permissions: Permissions) -> None:
    assert permissions.connected(echo=True) == [T]
    assert not permissions.waits_for_echo(), "nothing was sent yet"
    permissions.published(T, b"ours")
    assert permissions.waits_for_echo()
    assert permissions.received(T, b"theirs") == (True, False)
    assert permissions.received(T, b"ours") == (True, True)
    assert permissions.received(T, b"ours") == (True, False), "what is still on its way back is not news"
    assert permissions.received("other", b"x") == (False, False)
    assert not permissions.waits_for_echo()
    assert permissions.overdue() == []


def test_an_echo_that_does_not_come_is_a_refusal_with_both_causes(permissions: Permissions, clock: Clock) -> None:
    permissions.connected(echo=True)
    permissions.published(T, b"ours")
    permissions.taken(T)
    clock.now += ECHO_TIMEOUT_S - 0.1
    assert permissions.overdue() == []
    clock.now += 0.1
    assert [refusal.topic for refusal in permissions.overdue()] == [T]
    assert permissions.overdue() == [], "once"
    assert permissions.echoes_missing == 1
    with pytest.raises(NotAuthorisedError, match="may not publish there, or may not read what we publish"):
        check(permissions)


def test_who_may_not_subscribe_to_its_own_topic_is_not_accused(permissions: Permissions, clock: Clock) -> None:
    permissions.connected(echo=True)
    assert permissions.subscribed([], [T]) == []
    permissions.published(T, b"ours")
    clock.now += 2 * ECHO_TIMEOUT_S
    assert permissions.overdue() == []
    check(permissions, T)


def test_a_refused_subscription_counts_for_those_who_need_it(permissions: Permissions) -> None:
    assert permissions.subscribed(["a"], ["b"]) == ["b"]
    check(permissions, "a")
    with pytest.raises(NotAuthorisedError, match="may not subscribe to b as user 'gw'"):
        check(permissions, "a", "b")
    permissions.subscribed(["b"], [])
    check(permissions, "a", "b")
    assert permissions.subscriptions_refused == 1
