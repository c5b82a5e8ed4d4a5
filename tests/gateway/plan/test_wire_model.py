"""Against what a capture showed: Mosquitto 2.0.11, paho, Linux 6.18, packets between two network namespaces."""

from __future__ import annotations

import pytest

from gateway.plan.wire_model import (
    Cost,
    Wire,
    companion_cost,
    ping_cost,
    publish_bytes,
    publish_cost,
)

TOPIC = len("vw/v1/s/lobby/t0")
EVENT = len("vw/v1/s/lobby/event")
PACKET_25 = 561
PACKET_1 = 32


@pytest.mark.parametrize(
    ("wire", "payload", "qos", "prompt", "forth", "back"),
    [
        (Wire(), PACKET_25, 1, True, 637 + 52, 56),
        (Wire(tls=True), PACKET_25, 1, True, 659 + 52, 78),
        (Wire(), PACKET_25, 0, True, 635, 52),
        (Wire(), PACKET_1, 1, False, 107 + 52, 56),
        (Wire(mtu=233), PACKET_25, 0, True, 3 * 233 + 92, 4 * 52),
        (Wire(mtu=233), PACKET_25, 1, True, 3 * 233 + 94 + 52, 2 * 52 + 56),
        (Wire(mtu=233), 142, 1, True, 218 + 52, 56),
    ],
)
def test_a_packet_costs_what_the_capture_shows(
    wire: Wire, payload: int, qos: int, prompt: bool, forth: int, back: int
) -> None:
    assert publish_cost(wire, TOPIC, payload, qos=qos, prompt=prompt) == Cost(forth, back)


def test_a_clock_report_shares_the_acknowledgement_of_a_packet_that_comes_soon() -> None:
    assert companion_cost(Wire(), EVENT, 24, qos=0, prompt=False) == Cost(100, 0)
    assert companion_cost(Wire(), EVENT, 24, qos=0, prompt=True) == Cost(100, 52)
    assert companion_cost(Wire(), EVENT, 24, qos=1, prompt=False) == Cost(100, 52)
    assert companion_cost(Wire(tls=True), EVENT, 24, qos=1, prompt=True) == Cost(122, 52)


def test_a_ping_costs_four_packets_between_messages_of_qos_1_and_three_else() -> None:
    assert ping_cost(Wire(), qos=0) == Cost(54 + 52, 54)
    assert ping_cost(Wire(), qos=1) == Cost(54 + 52, 54 + 52)
    assert ping_cost(Wire(tls=True), qos=1).both == 2 * (54 + 22) + 2 * 52


def test_between_packets_that_come_soon_every_second_segment_is_acknowledged() -> None:
    two_segments = 2000
    assert publish_cost(Wire(), TOPIC, two_segments, qos=0, prompt=False).back == 52
    assert publish_cost(Wire(), TOPIC, two_segments, qos=0, prompt=True).back == 2 * 52


@pytest.mark.parametrize(("rest", "length_bytes"), [(127, 1), (128, 2), (16383, 2), (16384, 3)])
def test_the_length_field_grows_with_what_follows(rest: int, length_bytes: int) -> None:
    payload = rest - 2 - TOPIC
    assert publish_bytes(TOPIC, payload, qos=0, mqtt5=False) == 1 + length_bytes + rest


def test_mqtt_5_and_expiry_cost_one_and_five_bytes() -> None:
    plain = publish_bytes(TOPIC, 50, qos=1, mqtt5=False)
    assert publish_bytes(TOPIC, 50, qos=1) == plain + 1
    assert publish_bytes(TOPIC, 50, qos=1, expiry=True) == plain + 6


@pytest.mark.parametrize("mtu", [99, 0, 65536])
def test_an_mtu_that_holds_no_packet_is_refused(mtu: int) -> None:
    with pytest.raises(ValueError, match="mtu: expected 100 to 65535"):
        Wire(mtu=mtu)
