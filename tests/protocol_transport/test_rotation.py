"""Several addresses in turn, on a clock that stands still and with the longest of all delays."""

from __future__ import annotations

from protocol.transport.addresses import BrokerAddress
from protocol.transport.backoff import Backoff, EndReason
from protocol.transport.rotation import Rotation

A, B, C = (BrokerAddress("mqtt", name, 1883) for name in "abc")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def rotation(*addresses: BrokerAddress) -> tuple[Rotation, Clock]:
    clock = Clock()
    return Rotation(addresses, Backoff(lambda low, high: high), clock=clock), clock


def fail(turns: Rotation, reason: EndReason = EndReason.UNREACHABLE, *, accepted: bool = False) -> float:
    """Fails at the current address; returns the wait for the next."""
    return turns.ended(reason, f"{turns.address.host} {reason.value}", accepted=accepted, lived_s=20.0 * accepted)


def test_a_round_has_no_pause_and_the_next_one_waits() -> None:
    turns, _ = rotation(A, B, C)
    asked = []
    waits = []
    for _ in range(6):
        asked.append(turns.address)
        waits.append(fail(turns))
    assert asked == [A, B, C, A, B, C]
    assert waits == [0.0, 0.0, 0.25, 0.0, 0.0, 0.5]


def test_after_a_loss_the_good_one_is_asked_first_and_then_the_others() -> None:
    turns, _ = rotation(A, B, C)
    fail(turns)
    assert turns.address == B
    turns.connected()
    assert fail(turns, EndReason.LOST, accepted=True) == 0.25
    asked = []
    for _ in range(3):
        asked.append(turns.address)
        fail(turns)
    assert asked == [B, C, A]


def test_every_failure_is_explained_with_its_address() -> None:
    turns, _ = rotation(A, B)
    fail(turns)
    fail(turns, EndReason.NO_ANSWER)  # MQTT 5; 3.1.1 is tried at once
    fail(turns, EndReason.NO_ANSWER)
    assert turns.explain() == "mqtt://a:1883: a unreachable; mqtt://b:1883: b no answer"
    turns.connected()
    assert turns.explain() == ""


def test_the_only_address_need_not_be_named() -> None:
    turns, _ = rotation(A)
    fail(turns)
    assert turns.explain() == "a unreachable"


def test_an_address_that_refused_the_login_is_left_alone_while_the_others_are_tried() -> None:
    turns, clock = rotation(A, B)
    assert fail(turns, EndReason.LOGIN_REFUSED) == 0.0
    assert turns.refusals() == frozenset(), "there is hope for the other"
    for _ in range(3):
        assert turns.address == B
        fail(turns)
    clock.now += 61.0
    fail(turns)
    assert turns.address == A


def test_when_all_have_refused_nobody_is_asked_for_half_a_minute_or_more() -> None:
    turns, clock = rotation(A, B)
    assert fail(turns, EndReason.LOGIN_REFUSED) == 0.0
    clock.now += 1.0
    assert fail(turns, EndReason.TLS_REFUSED) == 59.0, "the first refusal is the first to be over"
    assert turns.refusals() == {EndReason.LOGIN_REFUSED, EndReason.TLS_REFUSED}
    assert turns.address == A


def test_each_address_has_its_own_version_of_mqtt() -> None:
    turns, _ = rotation(A, B)
    assert fail(turns, EndReason.VERSION_REFUSED) == 0.0
    assert (turns.address, turns.version.name) == (A, "3.1.1")
    fail(turns)
    assert (turns.address, turns.version.name) == (B, "5")


def test_what_is_news_is_told_apart_from_what_is_known() -> None:
    turns, _ = rotation(A)
    assert turns.is_new(EndReason.UNREACHABLE)
    fail(turns)
    assert not turns.is_new(EndReason.UNREACHABLE)
    assert turns.is_new(EndReason.LOGIN_REFUSED)
    turns.connected()
    assert turns.is_new(EndReason.UNREACHABLE)


def test_a_take_over_moves_nobody_to_another_address_in_a_hurry() -> None:
    turns, _ = rotation(A, B)
    turns.connected()
    assert fail(turns, EndReason.TAKEN_OVER, accepted=True) == 15.0
    assert turns.address == A
