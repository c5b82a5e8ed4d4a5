"""Byte and segment counters of sockets."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
from collections.abc import Iterator

import pytest

from protocol.transport.sockets import PROBE_AFTER_S, UNSENT_LIMIT_BYTES, Wakeup, is_writable, probe_after, tune
from protocol.transport.wire import WireCounters, WireMeter, read_wire_counters


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield near, far


def test_headers_are_counted_per_segment() -> None:
    counters = WireCounters(bytes_in=100, bytes_out=10, segments_in=3, segments_out=2)
    assert (counters.ip_bytes_in, counters.ip_bytes_out) == (100 + 3 * 52, 10 + 2 * 52)
    assert counters - counters == WireCounters()
    assert counters + WireCounters(1, 1, 1, 1) == WireCounters(101, 11, 4, 3)


def test_payload_bytes_are_exact(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    near.sendall(bytes(300))
    assert len(far.recv(1000)) == 300
    sent, received = read_wire_counters(near), read_wire_counters(far)
    assert sent is not None
    assert received is not None
    assert sent.bytes_out == received.bytes_in == 300
    assert sent.segments_out >= 1


def test_a_socket_without_tcp_has_no_counters() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert read_wire_counters(left) is None


def test_the_meter_adds_up_one_socket_after_the_other(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    meter = WireMeter()
    meter.attach(near)
    near.sendall(bytes(10))
    far.recv(100)
    meter.detach()
    meter.detach()
    near.sendall(bytes(10))
    first = meter.read()
    assert first is not None
    assert first.bytes_out == 10, "what a detached socket does is not ours"
    meter.attach(far)
    far.sendall(bytes(5))
    second = meter.read()
    assert second is not None
    assert second.bytes_out == 15


def test_a_tuned_socket_is_not_writable_beyond_a_little_unsent_data(pair: tuple[socket.socket, socket.socket]) -> None:
    near, _ = pair
    tune(near, stall_timeout_s=5.0)
    assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    near.setblocking(False)
    assert is_writable(near)
    with contextlib.suppress(BlockingIOError):
        while True:  # nobody reads at the other end
            near.send(bytes(UNSENT_LIMIT_BYTES))
    assert not is_writable(near)


@pytest.mark.skipif(sys.platform != "linux", reason="an option of Linux")
def test_a_tuned_socket_does_not_wait_ever_longer_to_send_a_lost_packet_again(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    thin_linear_timeouts = 16
    near, _ = pair
    tune(near, stall_timeout_s=5.0)
    assert near.getsockopt(socket.IPPROTO_TCP, thin_linear_timeouts) == 1


def test_waking_wakes_and_is_forgotten_and_survives_closing() -> None:
    wakeup = Wakeup()
    assert not _readable(wakeup)
    for _ in range(100_000):
        wakeup.wake()
    assert _readable(wakeup)
    wakeup.clear()
    assert not _readable(wakeup)
    wakeup.close()
    wakeup.wake()


def _readable(wakeup: Wakeup) -> bool:
    poller = select.poll()
    poller.register(wakeup, select.POLLIN)
    return bool(poller.poll(0))


def test_a_socket_is_probed_as_late_as_it_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    near, _ = pair
    tune(near, stall_timeout_s=5.0)
    assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == PROBE_AFTER_S
    probe_after(near, 20)
    assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 20
    near.close()
    probe_after(near, 5)  # as it may be on the network thread: no fault of anybody's
