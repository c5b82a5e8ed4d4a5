"""The connection to a broker: kept up by one network thread, used from any other.

Publishing only puts a message into the outbox and subscribing only notes a filter; the network thread does the rest.
The lock here guards plain data and is never held around a call into paho.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from protocol.service.errors import ServiceError
from protocol.transport.backoff import Backoff, EndReason
from protocol.transport.broker_config import BrokerConfig
from protocol.transport.delivery import Delivery
from protocol.transport.errors import TransportError
from protocol.transport.explain import explain_connect_error
from protocol.transport.lifecycle import Lifecycle
from protocol.transport.outbox import Outgoing
from protocol.transport.session import MAX_MQTT_PACKET_BYTES, Session, SessionEvents
from protocol.transport.sockets import Wakeup
from protocol.transport.subscriptions import Handler, Subscription, Subscriptions, check_topic
from protocol.transport.tls import tls_context
from protocol.transport.values import ConnectionState, Message, TransportStats, Will
from protocol.transport.version_choice import VersionChoice
from protocol.transport.wire import WireCounters, WireMeter

IDLE_POLL_S: Final = 1.0  # how often keep-alive is looked after when nothing happens
DRAIN_SHARE: Final = 0.7  # of the time to stop, for what waits; the rest is for the offline message
JOIN_GRACE_S: Final = 0.5

logger = logging.getLogger(__name__)


class Connection:
    """Keeps an MQTT session up until stopped. A context manager (start, stop); not reusable.

    will: what the broker publishes if we vanish; offline: what we publish before leaving in order (default: the will).
    outbox_capacity: live messages that may wait; max_age_s: for how long. window: QoS 1 live messages in flight.
    clock: seconds, for `Message.received_at` and the age of live messages; time-outs of the network use real time.
    """

    def __init__(
        self,
        config: BrokerConfig,
        *,
        will: Will | None = None,
        offline: Will | None = None,
        outbox_capacity: int = 64,
        window: int = 3,
        max_age_s: float = 4.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if config.tls:
            tls_context(config)  # unusable files are an error now, not a reason to try again for ever
        self._config = config
        self._client_id = config.client_id or f"vw-{secrets.token_hex(8)}"
        self._will = will
        self._offline = offline or will
        self._clock = clock
        self._changed = threading.Condition(threading.Lock())
        self._delivery = Delivery(
            self._changed, capacity=outbox_capacity, max_age_s=max_age_s, window=window, clock=clock
        )
        self._subscriptions = Subscriptions()
        self._meter = WireMeter()
        self._backoff = Backoff()
        self._version = VersionChoice()
        self._lifecycle = Lifecycle(self._changed, url=config.url, client_id=self._client_id)
        self._subscribing = False
        self._commands: deque[Callable[[Session], None]] = deque()
        self._callbacks: list[Callable[[], None]] = []
        self._oversize = 0
        self._callback_errors = 0
        self._subscriptions_refused = 0
        self._stopping = threading.Event()
        self._stop_at = 0.0
        self._drain_until = 0.0
        self._said_offline = False
        self._wakeup: Wakeup | None = None
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{self._client_id}", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # --- used from any thread ---

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._lifecycle.state

    @property
    def last_error(self) -> str | None:
        """Why the last attempt or connection failed; None while connected."""
        return self._lifecycle.last_error

    @property
    def protocol_version(self) -> int:
        """5, or 4 (which is MQTT 3.1.1) where the broker refuses 5."""
        return self._version.current

    @property
    def url(self) -> str:
        """Where the broker is, without the login."""
        return self._config.url

    @property
    def client_id(self) -> str:
        """The id we log in with."""
        return self._client_id

    def start(self) -> None:
        """Start connecting in the background."""
        if self._wakeup is not None or self._lifecycle.state is ConnectionState.CLOSED:
            raise RuntimeError("a Connection is started once; make a new one")
        self._wakeup = Wakeup()
        self._warn_of_plain_password()
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Send what waits, say that we are offline, and close; all within `timeout_s`. Harmless when repeated."""
        with self._changed:
            if not self._stopping.is_set():
                now = time.monotonic()
                self._stop_at = now + timeout_s
                self._drain_until = now + timeout_s * DRAIN_SHARE
                self._stopping.set()
        self._wake()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            # A thread inside a TCP connect cannot be woken; it is a daemon and ends when its connect does.
            self._thread.join(max(0.0, self._stop_at - time.monotonic()) + JOIN_GRACE_S)
        if threading.current_thread() is not self._thread:
            self._close()

    def wait_connected(self, timeout_s: float) -> None:
        """Return once connected. Raises BrokerUnavailableError after `timeout_s`, NotAuthorisedError at once."""
        self._lifecycle.wait_connected(timeout_s)

    def subscribe(self, topic: str, qos: int, handler: Handler) -> None:
        """Get messages on a topic filter, now and after every reconnect; the last handler of a filter counts.

        `handler` runs on the network thread and must only enqueue; what it raises is counted.
        """
        _check_qos(qos)
        self._subscriptions.add(Subscription(topic, qos, handler))
        self._command(lambda session: session.subscribe([(topic, qos)]))

    def unsubscribe(self, topic: str) -> None:
        """Get no more messages on this filter."""
        if self._subscriptions.remove(topic):
            self._command(lambda session: session.unsubscribe(topic))

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call this on the network thread after every successful connect, and soon if connected already.

        The place to announce what a broker that restarted no longer knows. It must not block; `publish` does not.
        """
        with self._changed:  # both at once: a greeting in between would call it twice
            self._callbacks.append(callback)
            self._commands.append(lambda session: self._call(callback))
        self._wake()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: int | None = None,
        weight: int = 1,
        reliable: bool = False,
    ) -> None:
        """Accept a message for sending; never waits.

        Live (the default): bounded, the oldest gives way, and what waits too long is dropped; counted in messages and
        `weight` (frames). `reliable` (manifest, status, events): a lane of its own, sent first, kept over reconnects;
        raises OutboxFullError when that is full. `expiry_s`: only MQTT 5 carries it (5 bytes more).
        """
        _check_qos(qos)
        check_topic(topic)
        message = Outgoing(topic, bytes(payload), qos, retain, self._clock(), expiry_s, weight, reliable)
        self._delivery.accept(message)
        self._wake()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was published and subscribed is with the broker; False when `timeout_s` was too short.

        QoS 1 is acknowledged then; QoS 0, which nobody acknowledges, is written to the socket.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._lifecycle.state is not ConnectionState.CONNECTED or not self._is_idle():
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._lifecycle.state is ConnectionState.CLOSED:
                    return False
                self._changed.wait(remaining)
            return True

    def stats(self) -> TransportStats:
        """The counters now."""
        with self._changed:
            return TransportStats(
                connects=self._lifecycle.connects,
                disconnects=self._lifecycle.disconnects,
                connect_failures=self._lifecycle.connect_failures,
                messages_received=self._subscriptions.received,
                messages_unmatched=self._subscriptions.unmatched,
                messages_oversize=self._oversize,
                handler_errors=self._subscriptions.handler_errors,
                callback_errors=self._callback_errors,
                subscriptions_refused=self._subscriptions_refused,
                **self._delivery.counters(),
            )

    def wire(self) -> WireCounters | None:
        """Bytes and segments of all sockets so far; None where the kernel does not tell."""
        return self._meter.read()

    def _command(self, command: Callable[[Session], None]) -> None:
        """Have the network thread do something once connected; what was noted before is done by the greeting."""
        with self._changed:
            self._commands.append(command)
        self._wake()

    def _wake(self) -> None:
        if self._wakeup is not None:
            self._wakeup.wake()

    def _is_idle(self) -> bool:
        """Lock held."""
        return self._delivery.is_idle() and not self._commands and not self._subscribing

    def _warn_of_plain_password(self) -> None:
        if self._config.username is not None and not self._config.tls and not self._config.is_loopback:
            logger.warning("the password for %s travels unencrypted; use mqtts://", self._config.url)

    # --- the network thread ---

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._attempt())
        self._close()
        assert self._wakeup is not None
        self._wakeup.close()

    def _attempt(self) -> float:
        """Connect, serve until that ends, and return the seconds to wait before the next attempt."""
        reason, text = EndReason.LOST, "unexpected failure"
        session: Session | None = None
        try:
            session = self._make_session()
            session.open()
            self._serve(session)
            session.close()
            reason, text = session.end_reason or EndReason.LOST, session.end_text
        except ServiceError as error:  # a password or certificate file that is not there any more
            reason, text = EndReason.UNREACHABLE, str(error)
        except (OSError, ValueError) as error:
            reason, text = EndReason.UNREACHABLE, explain_connect_error(error, self._config)
        except Exception:  # a bug of ours; the connection must come back all the same
            logger.exception("%s: unexpected failure of the connection", self._client_id)
        lived_s = 0.0
        if session is not None:
            session.close()
            lived_s = session.lived_s
        accepted = session is not None and session.accepted
        again_at_once = self._version.after(reason, accepted=accepted)
        delay_s = 0.0 if again_at_once else self._backoff.next_delay(reason, lived_s=lived_s)
        if self._backoff.suspects_twin:
            text += "; it happens again and again: does another device use our client id?"
        if not (again_at_once and reason is EndReason.VERSION_REFUSED):
            self._lifecycle.ended(reason, text, accepted=accepted)
        self._delivery.connection_lost()
        return delay_s

    def _make_session(self) -> Session:
        assert self._wakeup is not None
        return Session(
            self._config,
            version=self._version.current,
            client_id=self._client_id,
            will=self._will,
            events=SessionEvents(self._on_received, self._delivery.acknowledged, self._on_subscribed),
            meter=self._meter,
            wakeup=self._wakeup,
        )

    def _serve(self, session: Session) -> None:
        greeted = False
        while not session.ended:
            if session.accepted:
                if not greeted:
                    self._greet(session)
                    greeted = True
                self._obey(session)
                self._delivery.pump(session)
            if self._stopping.is_set() and self._leave(session):
                return
            session.step(self._poll_s(), want_write=session.accepted and self._delivery.wants_write())

    def _greet(self, session: Session) -> None:
        """The broker accepted us: subscribe again, and let the owner announce again."""
        with self._changed:
            self._commands.clear()  # all of it is done here
            self._subscribing = True
            callbacks = list(self._callbacks)
        self._delivery.set_broker_limit(session.broker_receive_maximum)
        session.subscribe([(entry.topic, entry.qos) for entry in self._subscriptions.all()])
        self._lifecycle.connected()
        for callback in callbacks:
            self._call(callback)
        logger.info("%s: connected to %s (MQTT %s)", self._client_id, self._config.url, self._version.name)

    def _obey(self, session: Session) -> None:
        while True:
            with self._changed:
                command = self._commands.popleft() if self._commands else None
                self._subscribing = session.waiting_for_suback or command is not None
            if command is None:
                return
            command(session)

    def _leave(self, session: Session) -> bool:
        """While stopping: first what waits, then the offline message, then DISCONNECT. True when done."""
        now = time.monotonic()
        with self._changed:
            idle = self._is_idle()
        if session.accepted and not self._said_offline:
            if not idle and now < self._drain_until:
                return False
            self._say_offline()
            self._delivery.pump(session)
            with self._changed:
                idle = self._is_idle()
        if session.accepted and not idle and now < self._stop_at:
            return False
        session.disconnect(linger_s=self._stop_at - now)
        return True

    def _say_offline(self) -> None:
        self._said_offline = True
        if self._offline is not None:
            offline = self._offline
            with contextlib.suppress(TransportError):  # the lane is full: the broker takes nothing anyway
                self.publish(offline.topic, offline.payload, qos=offline.qos, retain=offline.retain, reliable=True)

    def _poll_s(self) -> float:
        if not self._stopping.is_set():
            return IDLE_POLL_S
        next_deadline = self._stop_at if self._said_offline else self._drain_until
        return min(IDLE_POLL_S, max(0.0, next_deadline - time.monotonic()))

    def _close(self) -> None:
        self._delivery.abandon()
        self._lifecycle.closed()

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            self._callback_errors += 1
            logger.warning("%s: what was to be done on connect failed", self._client_id, exc_info=True)

    def _on_received(self, topic: str, payload: bytes, retained: bool) -> None:
        if len(payload) > MAX_MQTT_PACKET_BYTES:  # MQTT 3.1.1 cannot tell the broker our limit
            self._oversize += 1
            return
        self._subscriptions.dispatch(Message(topic, payload, retained, self._clock()))

    def _on_subscribed(self, packet_id: int, refused: list[str]) -> None:
        if refused:
            self._subscriptions_refused += len(refused)
            logger.warning("%s: the broker refused to subscribe us to %s", self._client_id, ", ".join(refused))


def _check_qos(qos: int) -> None:
    if qos not in (0, 1):  # QoS 2 costs two more packets per message and saves no duplicate that we could not bear
        raise ValueError(f"QoS must be 0 or 1, got {qos}")
