"""What really went over the wire, by the kernel's own count (TCP_INFO, Linux)."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass
from typing import Final

IPV4_TCP_HEADER_BYTES: Final = 52  # IPv4 20, TCP 20, timestamp option 12; IPv6 would be 72

# Offsets in struct tcp_info (linux/tcp.h); new fields are only ever appended there.
_BYTES_ACKED_OFFSET: Final = 120
_BYTES_RECEIVED_OFFSET: Final = 128
_SEGMENTS_OFFSET: Final = 136
_BYTES_SENT_OFFSET: Final = 200
_TCP_INFO_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class WireCounters:
    """TCP payload bytes (TLS included) and TCP segments, pure acknowledgements included, each way.

    bytes_out counts retransmissions, since they travel too.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    segments_in: int = 0
    segments_out: int = 0

    @property
    def ip_bytes_in(self) -> int:
        """Bytes received with IPv4 and TCP headers."""
        return self.bytes_in + IPV4_TCP_HEADER_BYTES * self.segments_in

    @property
    def ip_bytes_out(self) -> int:
        """Bytes sent with IPv4 and TCP headers."""
        return self.bytes_out + IPV4_TCP_HEADER_BYTES * self.segments_out

    def __add__(self, other: WireCounters) -> WireCounters:
        return WireCounters(
            self.bytes_in + other.bytes_in,
            self.bytes_out + other.bytes_out,
            self.segments_in + other.segments_in,
            self.segments_out + other.segments_out,
        )

    def __sub__(self, earlier: WireCounters) -> WireCounters:
        """What went over the wire between two readings."""
        return WireCounters(
            self.bytes_in - earlier.bytes_in,
            self.bytes_out - earlier.bytes_out,
            self.segments_in - earlier.segments_in,
            self.segments_out - earlier.segments_out,
        )


def read_wire_counters(sock: socket.socket) -> WireCounters | None:
    """The counters of one open TCP socket; None where the kernel does not tell."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, option, _TCP_INFO_BYTES)
    except OSError:
        return None
    if len(info) < _SEGMENTS_OFFSET + 8:
        return None
    (bytes_in,) = struct.unpack_from("=Q", info, _BYTES_RECEIVED_OFFSET)
    segments_out, segments_in = struct.unpack_from("=II", info, _SEGMENTS_OFFSET)
    sent_offset = _BYTES_SENT_OFFSET if len(info) >= _BYTES_SENT_OFFSET + 8 else _BYTES_ACKED_OFFSET  # Linux < 4.19
    (bytes_out,) = struct.unpack_from("=Q", info, sent_offset)
    return WireCounters(bytes_in, bytes_out, segments_in, segments_out)


class WireMeter:
    """Adds up the counters of one socket after the other. Any thread may read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # never held around a call into paho
        self._socket: socket.socket | None = None
        self._finished = WireCounters()

    def attach(self, sock: socket.socket) -> None:
        """Measure `sock` from now on; call `detach` before it is closed."""
        with self._lock:
            self._socket = sock

    def detach(self) -> None:
        """Keep the last reading of the socket and let go of it; harmless when there is none."""
        with self._lock:
            if self._socket is not None:
                self._finished += read_wire_counters(self._socket) or WireCounters()
                self._socket = None

    def read(self) -> WireCounters | None:
        """All sockets so far; None while the kernel does not tell."""
        with self._lock:
            if self._socket is None:
                return self._finished if hasattr(socket, "TCP_INFO") else None
            live = read_wire_counters(self._socket)
            return None if live is None else self._finished + live
