"""WebSocket frames and the handshake, against a peer made of bytes."""

from __future__ import annotations

import base64
import hashlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.transport.addresses import BrokerAddress
from protocol.transport.websocket import MAX_REPLY_BYTES, WebSocket, WebSocketError

CONTINUATION, BINARY, CLOSE, PING, PONG = 0x0, 0x2, 0x8, 0x9, 0xA
UPGRADED = b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
ADDRESS = BrokerAddress("ws", "broker.example", 8080, "/mqtt")


def from_server(payload: bytes, *, opcode: int = BINARY, final: bool = True) -> bytes:
    """An unmasked frame."""
    size = len(payload)
    head = bytes([0x80 * final | opcode])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


def accept(request: bytes, *extra: str) -> bytes:
    """The right answer to a request."""
    (key,) = [line[19:] for line in request.decode().split("\r\n") if line.startswith("Sec-WebSocket-Key: ")]
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    lines = ("HTTP/1.1 101 Switching Protocols", "upgrade: WebSocket", "Connection: Upgrade", *extra)
    return "\r\n".join((*lines, f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}", "", "")).encode()


@contextmanager
def peer(answer: Callable[[bytes], bytes]) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end and the server's end, which answers the request by itself."""
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def serve() -> None:
            request = theirs.recv(4096)
            if reply := answer(request):
                theirs.sendall(reply)
            else:
                theirs.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve)
        thread.start()
        yield ours, theirs
        thread.join(5.0)


@contextmanager
def opened() -> Iterator[tuple[WebSocket, socket.socket]]:
    """A WebSocket that never blocks, and the server's end of it."""
    with peer(accept) as (ours, theirs):
        websocket = WebSocket(ours, ADDRESS, timeout_s=5.0)
        websocket.setblocking(False)
        yield websocket, theirs


@pytest.mark.parametrize(("size", "head"), [(0, 6), (125, 6), (126, 8), (65535, 8), (65536, 14)])
def test_a_frame_out_is_masked_and_as_long_as_documented(size: int, head: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    with opened() as (websocket, theirs):
        assert websocket.send(payload) == size
        frame = theirs.recv(size + head, socket.MSG_WAITALL)
        with pytest.raises(BlockingIOError):
            theirs.recv(1, socket.MSG_DONTWAIT)
    assert len(frame) == size + head
    assert frame[0] == 0x80 | BINARY
    assert frame[1] & 0x80
    assert bytes(value ^ frame[head - 4 + index % 4] for index, value in enumerate(frame[head:])) == payload


def test_every_frame_has_a_mask_of_its_own() -> None:
    with opened() as (websocket, theirs):
        for _ in range(8):
            websocket.send(b"")
        frames = theirs.recv(100)
    assert len({frames[start + 2 : start + 6] for start in range(0, 48, 6)}) == 8


@given(payloads=st.lists(st.binary(max_size=300), max_size=6), cut=st.integers(1, 40))
@settings(max_examples=60)
def test_payload_comes_out_whole_however_it_is_cut(payloads: list[bytes], cut: int) -> None:
    data = b"".join(
        from_server(payload[:1], final=False)
        + from_server(b"p", opcode=PING)
        + from_server(payload[1:], opcode=CONTINUATION)
        for payload in payloads
    )
    got = b""
    with opened() as (websocket, theirs):
        for start in range(0, len(data), cut):
            theirs.sendall(data[start : start + cut])
            got += read_all(websocket)
        pongs = theirs.recv(100) if payloads else b""
    assert got == b"".join(payloads)
    assert len(pongs) == 7 * len(payloads)
    assert set(pongs[::7]) <= {0x80 | PONG}


def read_all(websocket: WebSocket) -> bytes:
    """What is there now."""
    got = b""
    with suppress(BlockingIOError):
        while data := websocket.recv(100):
            got += data
    return got


def test_payload_is_handed_out_before_its_frame_is_complete() -> None:
    with opened() as (websocket, theirs):
        theirs.sendall(b"\x82\x7f" + (2**62).to_bytes(8, "big") + b"abc")
        assert read_all(websocket) == b"abc"
        theirs.sendall(b"def")
        assert read_all(websocket) == b"def"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x81\x01x", "expected binary WebSocket frames"),
        (b"\x82\x81\x00\x00\x00\x00x", "rules .*masked"),
        (b"\x89\x7e\x00\x80", "rules .*125"),
        (b"\x83\x00", "rules .*opcode 0x3"),
        (b"\x80\x00", "rules .*CONTINUATION"),
        (b"\xc2\x00", "rules .*Reserved bit"),
        (b"\x88\x02\x00\x00", "rules .*CLOSE"),
    ],
)
def test_what_no_server_may_send_is_an_error(data: bytes, words: str) -> None:
    with opened() as (websocket, theirs):
        theirs.sendall(data)
        with pytest.raises(WebSocketError, match=words):
            websocket.recv(10)


def test_what_comes_right_behind_the_handshake_is_not_lost() -> None:
    with peer(lambda request: accept(request) + from_server(b"early")) as (ours, _):
        websocket = WebSocket(ours, ADDRESS, timeout_s=5.0)
        assert websocket.pending() == 5
        assert (websocket.recv(2), websocket.recv(9)) == (b"ea", b"rly")


def test_the_request_asks_for_mqtt_at_the_path() -> None:
    requests = []

    def answer(request: bytes) -> bytes:
        requests.append(request.decode())
        return accept(request, "Sec-WebSocket-Protocol: mqtt")

    with peer(answer) as (ours, _):
        WebSocket(ours, ADDRESS, timeout_s=5.0)
    assert requests[0].startswith("GET /mqtt HTTP/1.1\r\nHost: broker.example:8080\r\n")
    assert "Sec-WebSocket-Protocol: mqtt\r\n" in requests[0]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", r"at /mqtt: the peer answered '404 Not Found'; is the path right"),
        (b"\x20\x02\x00\x01\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 999 Odd\r\n\r\n", "the peer answered '999'"),
        (UPGRADED + b"Sec-WebSocket-Accept: x\r\n\r\n", "does not belong to our question"),
        (UPGRADED + b"\r\n", "does not belong to our question"),
        (UPGRADED + b"Sec-WebSocket-Protocol: \xff\r\n\r\n", "answer is not right .* is there a proxy"),
        (b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: x\r\n\r\n", "answer is not right .*Connection: Upgrade"),
        (b"x" * 9000, "no end within 8192 bytes"),
        (b"", "without a WebSocket answer"),
    ],
)
def test_a_handshake_that_fails_says_what_came(reply: bytes, words: str) -> None:
    with peer(lambda request: reply) as (ours, _), pytest.raises(WebSocketError, match=words):
        WebSocket(ours, ADDRESS, timeout_s=5.0)


def test_another_protocol_in_the_websocket_is_refused() -> None:
    with (
        peer(lambda request: accept(request, "Sec-WebSocket-Protocol: chat")) as (ours, _),
        pytest.raises(WebSocketError, match="not MQTT"),
    ):
        WebSocket(ours, ADDRESS, timeout_s=5.0)


def test_a_peer_that_says_nothing_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        WebSocket(ours, ADDRESS, timeout_s=0.1)


def test_a_ping_is_answered_and_a_close_ends_the_reading() -> None:
    with peer(accept) as (ours, theirs):
        websocket = WebSocket(ours, ADDRESS, timeout_s=5.0)
        theirs.sendall(from_server(b"hi", opcode=PING) + from_server(b"x") + from_server(b"\x03\xe8", opcode=CLOSE))
        assert websocket.recv(10) == b"x"
        assert websocket.recv(10) == b""
        answers = theirs.recv(100)
    assert answers[0] == 0x80 | PONG
    assert answers[8] == 0x80 | CLOSE


def test_after_the_close_of_the_peer_what_came_before_is_read_and_nothing_is_sent() -> None:
    with opened() as (websocket, theirs):
        theirs.sendall(from_server(b"last words") + from_server(b"", opcode=CLOSE))
        assert websocket.recv(4) == b"last"
        with pytest.raises(BlockingIOError):
            websocket.send(b"x")
        assert websocket.recv(10) == b" words"
        assert websocket.pending(), "or nobody would come to read the end"
        assert websocket.recv(10) == b""
        assert len(theirs.recv(100)) == 6, "the answer to the close, no more"


def test_a_peer_that_pings_and_never_reads_costs_no_memory() -> None:
    with opened() as (websocket, theirs):
        with pytest.raises(BlockingIOError):
            websocket.send(bytes(4_000_000))
        waiting = len(websocket._unsent)
        for _ in range(100):
            theirs.sendall(from_server(b"p" * 125, opcode=PING))
            assert read_all(websocket) == b""
        assert 0 < len(websocket._unsent) - waiting < MAX_REPLY_BYTES + 200


def test_a_message_that_the_socket_takes_in_parts_arrives_once_and_whole() -> None:
    with peer(accept) as (ours, theirs):
        websocket = WebSocket(ours, ADDRESS, timeout_s=5.0)
        websocket.setblocking(False)
        message = bytes(range(256)) * 8000
        with pytest.raises(BlockingIOError):
            websocket.send(message)
        got = bytearray()

        def read() -> None:
            while len(got) < len(message) + 14:
                got.extend(theirs.recv(65536))

        reader = threading.Thread(target=read)
        reader.start()
        while True:
            try:
                assert websocket.send(message) == len(message)
                break
            except BlockingIOError:
                continue
        reader.join(10.0)
    key = int.from_bytes(bytes(got[10:14]) * (len(message) // 4), "big")
    assert (int.from_bytes(got[14:], "big") ^ key).to_bytes(len(message), "big") == message


def test_who_uses_no_websocket_does_not_load_the_library() -> None:
    program = "import sys, protocol.transport; raise SystemExit('wsproto' in sys.modules or 'h11' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
