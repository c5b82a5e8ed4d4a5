"""One client, whatever it does, harms no other."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from protocol.limits import MAX_CLIP_BYTES
from protocol.link import NARROW, WAN, LinkProfile
from tests.deploy.site import DEADLINE_S, DEVICES, HOST, PASSWORD, PASSWORDS, SOURCE, WEB, Site, make_site, until
from tests.deploy.strangers import CONNACK_ACCEPTED, CONNECT, knock
from tests.deploy.visitor import NOT_AUTHORISED, Login, Visitor

pytestmark = pytest.mark.broker

TOKENS = "vw/v1/s/lobby/t0"
CLIP = "vw/v1/s/lobby/clip/fire"
FRAME_S = 0.08


@pytest.fixture
def gateway(site: Site) -> Iterator[Visitor]:
    with Visitor(site, Login(site.device("gw-lobby"))) as visitor:
        yield visitor


@pytest.fixture
def player(site: Site) -> Iterator[Visitor]:
    with Visitor(site, Login(site.device("edge-1"))) as visitor:
        visitor.subscribe("vw/v1/s/lobby/+")
        visitor.subscribe("vw/v1/s/lobby/clip/+")
        yield visitor


def setting(name: str) -> int:
    """A number of mosquitto.conf that stands there once, or the first of them."""
    lines = (SOURCE / "mosquitto.conf").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_the_largest_announcement_passes(gateway: Visitor, player: Visitor) -> None:
    assert gateway.publish(CLIP, bytes(MAX_CLIP_BYTES)) < NOT_AUTHORISED
    player.wait_for(CLIP, bytes(MAX_CLIP_BYTES))


def test_every_client_is_told_the_limit(gateway: Visitor) -> None:
    assert gateway.maximum_packet_bytes == setting("max_packet_size")


@pytest.mark.parametrize("version", [5, 4], ids=["MQTT 5", "MQTT 3.1.1"])
@pytest.mark.parametrize("qos", [0, 1])
def test_whoever_sends_more_is_thrown_out_and_nobody_gets_it(
    site: Site, player: Visitor, version: int, qos: int
) -> None:
    with Visitor(site, Login(site.device("gw-lobby")), version=version) as sender:
        sender.send(CLIP, bytes(setting("max_packet_size") + 1), qos=qos)
        sender.wait_until_gone()
    with Visitor(site, Login(site.device("gw-lobby"))) as sender:
        sender.publish(CLIP, b"small")
    player.wait_for(CLIP, b"small")
    assert [got.payload for got in player.got] == [b"small"]


def test_a_length_that_is_only_promised_costs_the_broker_nothing(site: Site) -> None:
    """256 MB announced in five bytes, by every connection that a stranger may open there."""
    context = Login().context(site)
    before = site.rss_bytes()
    for _ in range(20):
        with (
            socket.create_connection((HOST, site.ports[PASSWORDS]), DEADLINE_S) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as sock,
        ):
            sock.sendall(bytes.fromhex("10 ff ff ff 7f"))
            assert _ends(sock)
    assert site.rss_bytes() - before < 4e6


def test_qos_2_is_refused(gateway: Visitor) -> None:
    gateway.send(TOKENS, b"x", qos=2)
    assert gateway.wait_until_gone()


@pytest.mark.parametrize("asked_s", [0, 3600])
def test_a_long_keep_alive_is_shortened(site: Site, asked_s: int) -> None:
    with Visitor(site, Login(site.device("edge-1")), keepalive_s=asked_s) as visitor:
        assert visitor.keepalive_s == setting("max_keepalive")


def test_too_many_connections_are_refused_and_those_inside_stay(tmp_path: Path) -> None:
    with make_site(tmp_path, "gateway gw-lobby lobby", "player edge-1") as site, ExitStack() as stack:
        site.start()
        # On the other listener: each has a number of its own, so passwords cannot crowd out the devices.
        gateway = stack.enter_context(Visitor(site, Login(site.device("gw-lobby"))))
        limit = _limit_of(PASSWORDS)
        for _ in range(limit):
            stack.enter_context(socket.create_connection((HOST, site.ports[PASSWORDS]), DEADLINE_S))
        until(lambda: site.log().count(f"on port {site.ports[PASSWORDS]}") >= limit, "the connections")
        with pytest.raises(OSError, match=r"(?i)eof|reset|unexpected"):
            knock(site, Login().context(site), PASSWORDS)
        assert gateway.publish(TOKENS) < NOT_AUTHORISED
        assert knock(site, Login(site.device("edge-1")).context(site), DEVICES) == CONNACK_ACCEPTED


def _limit_of(listener: int) -> int:
    block = (SOURCE / "mosquitto.conf").read_text().split(f"\nlistener {listener}\n")[1]
    return next(int(line.split()[1]) for line in block.splitlines() if line.startswith("max_connections "))


@pytest.mark.parametrize("link", [WAN, NARROW], ids=["wan", "narrow"])
def test_the_queue_holds_no_older_sound_than_a_player_would_play(link: LinkProfile) -> None:
    packets = setting("max_inflight_messages") + setting("max_queued_messages")
    assert packets * link.frames_per_packet * FRAME_S * 1000 < link.max_age_ms


def test_a_reader_that_does_not_acknowledge_gets_a_few_messages_and_no_more(
    site: Site, gateway: Visitor, player: Visitor
) -> None:
    with SlowReader(site, "edge-2", "vw/v1/s/lobby/t0", qos=1) as slow:
        for number in range(100):
            gateway.publish(TOKENS, number.to_bytes(2, "big"))
            player.wait_for(TOKENS, number.to_bytes(2, "big"))
        got = slow.read_unacknowledged()
    # What is behind the window waits in the broker; the rest was dropped, the newest first.
    assert got == setting("max_inflight_messages")
    assert len(player.got) == 100


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("listener", [DEVICES, WEB], ids=["tcp", "websocket"])
def test_a_reader_that_stops_reading_does_not_fill_the_broker(
    site: Site, gateway: Visitor, player: Visitor, listener: int, qos: int
) -> None:
    login = Login(site.device("edge-2"))
    if listener == WEB:
        login = Login(username="edge-word", password=PASSWORD, listener=WEB)
    payload = bytes(60_000)
    with Visitor(site, login) as stopped:  # a visitor reads only when it is told to
        stopped.subscribe("vw/v1/s/lobby/clip/+", qos)
        gateway.publish(CLIP, payload, qos=qos)
        player.wait_for(CLIP, payload)
        before = site.rss_bytes()
        for number in range(200):  # 12 MB for each reader, more than the kernel holds for one
            gateway.publish(CLIP, number.to_bytes(2, "big") + payload, qos=qos)
            player.wait_for(CLIP, number.to_bytes(2, "big") + payload)
            player.got.clear()
        assert site.rss_bytes() - before < 4e6
        stopped.vanish()
    assert gateway.publish(TOKENS) < NOT_AUTHORISED


def test_a_monitor_sees_every_retained_status_at_qos_0(site: Site) -> None:
    """At QoS 1 the short queue would drop some of many: the price of it, and how to pay it."""
    topics = [f"vw/v1/s/lobby/clip/c{number}" for number in range(60)]
    with Visitor(site, Login(site.device("gw-lobby"))) as sender:
        for topic in topics:
            sender.publish(topic, retain=True)
        with Visitor(site, Login(site.device("edge-1"))) as reader:
            reader.subscribe("vw/v1/s/lobby/clip/+", 0)
            reader.wait_for(topics[-1])
            assert reader.topics() >= set(topics)
        for topic in topics:
            sender.publish(topic, b"", retain=True)


class SlowReader:
    """Subscribes, then reads no more: a raw socket, since every client library would."""

    def __init__(self, site: Site, name: str, topic: str, *, qos: int) -> None:
        self._plain = socket.create_connection((HOST, site.ports[DEVICES]), DEADLINE_S)
        self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._sock = Login(site.device(name)).context(site).wrap_socket(self._plain, server_hostname=HOST)
        self._sock.sendall(CONNECT)
        assert self._sock.recv(4) == CONNACK_ACCEPTED
        filter_ = topic.encode()
        body = b"\x00\x01" + len(filter_).to_bytes(2, "big") + filter_ + bytes([qos])
        self._sock.sendall(b"\x82" + bytes([len(body)]) + body)
        assert self._sock.recv(5)[:1] == b"\x90"

    def read_unacknowledged(self) -> int:
        """How many messages came, none of them acknowledged."""
        self._sock.settimeout(0.3)
        data = b""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            try:
                data += self._sock.recv(65536)
            except TimeoutError:
                break
        return data.count(TOKENS.encode())

    def __enter__(self) -> SlowReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()


def _ends(sock: ssl.SSLSocket) -> bool:
    try:
        return sock.recv(64) == b""
    except OSError:
        return True
