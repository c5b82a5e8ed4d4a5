"""What the kernel is asked to do with our sockets, and how a waiting thread is woken."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time
from typing import Final

UNSENT_LIMIT_BYTES: Final = 1024  # 1 s of an 8 kbit/s link: what waits unsent in the kernel can no longer be dropped
PROBE_AFTER_S: Final = 5  # silence before TCP probes the peer; costs nothing while audio flows, unlike MQTT pings
PROBE_EVERY_S: Final = 2
PROBES: Final = 2
# linux/tcp.h; not in the socket module of Python 3.11
_LINUX: Final = {"TCP_NOTSENT_LOWAT": 25, "TCP_THIN_LINEAR_TIMEOUTS": 16}


def tune(sock: socket.socket, *, stall_timeout_s: float) -> None:
    """Send at once, keep little unsent, send again soon, and notice a dead peer in seconds rather than in TCP's quarter
    of an hour."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wanted = (
        ("TCP_KEEPIDLE", PROBE_AFTER_S),
        ("TCP_KEEPINTVL", PROBE_EVERY_S),
        ("TCP_KEEPCNT", PROBES),
        ("TCP_USER_TIMEOUT", round(stall_timeout_s * 1000)),
        ("TCP_NOTSENT_LOWAT", UNSENT_LIMIT_BYTES),
        # A packet that is lost again and again is sent after twice the pause each time, which soon are seconds. Where
        # few packets are on their way, as here, it need not be so (BBR does not heed it). A longest pause of our own,
        # TCP_RTO_MAX_MS, would flood a slow link whose round trip is longer.
        ("TCP_THIN_LINEAR_TIMEOUTS", 1),
    )
    for name, value in wanted:
        option = getattr(socket, name, None)
        if option is None and sys.platform == "linux":
            option = _LINUX.get(name)
        if option is not None:
            with contextlib.suppress(OSError):  # a refinement the kernel lacks; MQTT's keep-alive remains
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def probe_after(sock: socket.socket, seconds: int) -> None:
    """Let TCP probe the peer after so much silence, from now on."""
    option = getattr(socket, "TCP_KEEPIDLE", None)
    if option is not None:
        with contextlib.suppress(OSError):  # as above; or the socket is about to end
            sock.setsockopt(socket.IPPROTO_TCP, option, seconds)


def is_writable(sock: socket.socket) -> bool:
    """Has the kernel less than UNSENT_LIMIT_BYTES unsent? Does not wait.

    Asking is needed: a write may succeed beyond the limit (it is added to the last unsent segment), poll tells.
    """
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    return any(event & select.POLLOUT for _, event in poller.poll(0))


def linger(sock: socket.socket, timeout_s: float) -> None:
    """Say that we send no more and read until the peer closes, for at most `timeout_s`.

    Closing with unread data makes TCP reset the connection, and the peer may then lose our last messages.
    """
    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(OSError, ValueError):
        sock.shutdown(socket.SHUT_WR)
        while (remaining := deadline - time.monotonic()) > 0:
            sock.settimeout(remaining)
            if not sock.recv(65536):
                return


class Wakeup:
    """Wakes a thread that waits in poll(); any thread may call `wake`, any number of times."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)

    def fileno(self) -> int:
        """The descriptor to poll for input."""
        return self._receiver.fileno()

    def wake(self) -> None:
        """Make the waiting thread's poll return."""
        with contextlib.suppress(OSError):  # full: it is awake already; closed: nobody waits any more
            self._sender.send(b"\0")

    def clear(self) -> None:
        """Forget the calls so far."""
        with contextlib.suppress(OSError):
            while self._receiver.recv(4096):
                pass

    def close(self) -> None:
        """Free the descriptors."""
        self._receiver.close()
        self._sender.close()
