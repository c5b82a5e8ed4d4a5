"""MQTT 5 first, 3.1.1 where it must be."""

from __future__ import annotations

from protocol.transport.backoff import EndReason
from protocol.transport.version_choice import MQTT_5, MQTT_311, VersionChoice


def test_a_refusal_of_5_is_remembered() -> None:
    choice = VersionChoice()
    assert choice.current == MQTT_5
    assert choice.after(EndReason.VERSION_REFUSED, accepted=False), "3.1.1 is tried at once"
    assert choice.current == MQTT_311
    assert not choice.after(EndReason.LOST, accepted=True)
    assert choice.current == MQTT_311
    assert choice.name == "3.1.1"


def test_silence_leads_to_one_attempt_with_3_1_1_and_back() -> None:
    choice = VersionChoice()
    assert choice.after(EndReason.NO_ANSWER, accepted=False)
    assert choice.current == MQTT_311
    assert not choice.after(EndReason.NO_ANSWER, accepted=False), "both were silent: wait"
    assert choice.current == MQTT_5


def test_silence_of_a_broker_that_spoke_5_is_no_reason_to_leave_5() -> None:
    choice = VersionChoice()
    choice.after(EndReason.LOST, accepted=True)
    assert not choice.after(EndReason.NO_ANSWER, accepted=False)
    assert choice.current == MQTT_5


def test_a_broker_that_refuses_3_1_1_is_asked_in_5_again_without_a_hot_loop() -> None:
    choice = VersionChoice()
    choice.after(EndReason.VERSION_REFUSED, accepted=False)
    assert not choice.after(EndReason.VERSION_REFUSED, accepted=False)
    assert choice.current == MQTT_5


def test_a_broker_that_is_down_says_nothing_about_versions() -> None:
    choice = VersionChoice()
    assert not choice.after(EndReason.UNREACHABLE, accepted=False)
    assert choice.current == MQTT_5
