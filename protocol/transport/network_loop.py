"""The network thread of a connection: connects, serves the session until it ends, waits, and connects again."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol.service.errors import ServiceError
from protocol.transport.backoff import Backoff, EndReason
from protocol.transport.broker_config import BrokerConfig
from protocol.transport.delivery import Delivery
from protocol.transport.departure import Departure
from protocol.transport.explain import explain_connect_error
from protocol.transport.lifecycle import Lifecycle
from protocol.transport.permissions import Permissions
from protocol.transport.rotation import Rotation
from protocol.transport.session import MAX_MQTT_PACKET_BYTES, Session, SessionEvents
from protocol.transport.sockets import Wakeup
from protocol.transport.subscriptions import Subscriptions
from protocol.transport.values import Message, Will
from protocol.transport.version_choice import MQTT_311
from protocol.transport.wire import WireMeter

IDLE_POLL_S: Final = 1.0  # how often keep-alive is looked after when nothing happens
RENEW_LINGER_S: Final = 0.2  # for the broker to take our farewell; what it still sends is thrown away meanwhile
JOIN_GRACE_S: Final = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a connection is made of, besides the loop. `changed` guards plain data, and no call into paho."""

    config: BrokerConfig
    client_id: str
    will: Will | None
    offline: Will | None
    clock: Callable[[], float]
    changed: threading.Condition
    delivery: Delivery
    subscriptions: Subscriptions
    permissions: Permissions
    lifecycle: Lifecycle


class NetworkLoop:
    """Owns the thread and everything only it may touch; other threads give it commands."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._changed = parts.changed
        self._commands: deque[Callable[[Session], None]] = deque()
        self._callbacks: list[Callable[[], None]] = []
        self._subscribing = False
        self._departure = Departure(parts.delivery, parts.offline, clock=parts.clock)
        self._wakeup: Wakeup | None = None
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{parts.client_id}", daemon=True)
        self.rotation = Rotation(parts.config.addresses, Backoff())
        self.meter = WireMeter()
        self.oversize = 0
        self.callback_errors = 0
        self.turns = 0
        self.keepalive_s = parts.config.keepalive
        self.failure: BaseException | None = None

    # --- used from any thread ---

    @property
    def started(self) -> bool:
        """Was it ever?"""
        return self._wakeup is not None

    def start(self) -> None:
        """Begin, once."""
        self._wakeup = Wakeup()
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Leave in order, within `timeout_s`."""
        with self._changed:
            self._departure.ask(timeout_s)
        self.wake()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            # A thread inside a TCP connect cannot be woken; it is a daemon and ends when its connect does.
            self._thread.join(self._departure.remaining_s() + JOIN_GRACE_S)
        if threading.current_thread() is not self._thread:
            self._close()

    def command(self, command: Callable[[Session], None]) -> None:
        """Have the network thread do something once connected; what was noted before is done by the greeting."""
        with self._changed:
            self._commands.append(command)
        self.wake()

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call it after every connect, and soon."""
        with self._changed:  # both at once: a greeting in between would call it twice
            self._callbacks.append(callback)
            self._commands.append(lambda session: self._call(callback))
        self.wake()

    def resubscribe(self) -> None:
        """Ask for everything once more, on the connection there is; the greeting of a new one does so anyway."""
        self.command(lambda session: session.subscribe([(e.topic, e.qos) for e in self._parts.subscriptions.all()]))

    def renew(self) -> None:
        """Leave the broker politely, which brings no will, and come back. Without a connection there is nothing to do:
        the next greeting forgets what was commanded before it."""
        self.command(lambda session: session.disconnect(linger_s=RENEW_LINGER_S))

    def wake(self) -> None:
        """Something is to be done."""
        if self._wakeup is not None:
            self._wakeup.wake()

    def is_idle(self) -> bool:
        """Lock held. Is all done that was asked for?"""
        return self._parts.delivery.is_idle() and not self._commands and not self._subscribing

    def _is_idle_now(self) -> bool:
        with self._changed:
            return self.is_idle()

    # --- the network thread ---

    def _run(self) -> None:
        try:
            while not self._departure.asked:
                self._departure.wait(self._attempt())
        except BaseException as error:  # a bug of ours: whoever uses the connection must not take it for a live one
            logger.exception("%s: the network thread ended", self._parts.client_id)
            self.failure = error
        finally:
            self._close()
            assert self._wakeup is not None
            self._wakeup.close()

    def _attempt(self) -> float:
        """Connect, serve until that ends, and return the seconds to wait before the next attempt."""
        reason, text = EndReason.LOST, "unexpected failure"
        address = self.rotation.address
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
            explained = explain_connect_error(error, self._parts.config, address)
            reason, text = explained.reason, explained.text
        except Exception:  # a bug of ours; the connection must come back all the same
            logger.exception("%s: unexpected failure of the connection", self._parts.client_id)
        if session is not None:
            session.close()
        delay_s = self._conclude(session, reason, text)
        self._parts.delivery.connection_lost()
        return delay_s

    def _conclude(self, session: Session | None, reason: EndReason, text: str) -> float:
        """Take note of how an attempt ended; returns the seconds to wait before the next one."""
        rotation, lifecycle = self.rotation, self._parts.lifecycle
        address, is_new = rotation.address, rotation.is_new(reason)
        accepted = session is not None and session.accepted
        delay_s = rotation.ended(reason, text, accepted=accepted, lived_s=session.lived_s if session else 0.0)
        if reason is EndReason.VERSION_REFUSED and delay_s == 0.0 and rotation.address == address:
            return delay_s  # not worth a word: the other version is tried now
        doubt = ""
        if rotation.suspects_twin:
            doubt = "; it happens again and again: another device seems to use our client id"
        if reason is EndReason.TAKEN_OVER or (rotation.suspects_twin and accepted):
            lifecycle.id_taken = f"{address.url}: {text}{doubt}"
        lifecycle.ended(
            reason,
            rotation.explain() + doubt,
            accepted=accepted,
            refusals=rotation.refusals(),
            say=f"{address.url}: {text}{doubt}" if is_new or doubt else None,
        )
        return delay_s

    def _make_session(self) -> Session:
        assert self._wakeup is not None
        parts = self._parts
        return Session(
            parts.config,
            self.rotation.address,
            version=self.rotation.version.current,
            client_id=parts.client_id,
            will=parts.will,
            events=SessionEvents(self._on_received, parts.delivery.acknowledged, self._on_subscribed),
            meter=self.meter,
            wakeup=self._wakeup,
        )

    def _serve(self, session: Session) -> None:
        greeted = False
        while not session.ended:
            self.turns += 1
            if session.accepted:
                if not greeted:
                    self._greet(session)
                    greeted = True
                self._obey(session)
                if session.ended:  # a command was to leave
                    return
                self._parts.delivery.pump(session)
                self._look_for_echoes(session)
            if self._departure.asked and self._departure.leave(session, self._is_idle_now):
                return
            session.step(
                self._departure.poll_s(IDLE_POLL_S), want_write=session.accepted and self._parts.delivery.wants_write()
            )

    def _greet(self, session: Session) -> None:
        """The broker accepted us: subscribe again, and let the owner announce again."""
        with self._changed:
            self._commands.clear()  # all of it is done here
            self._subscribing = True
            callbacks = list(self._callbacks)
        parts = self._parts
        parts.delivery.set_broker_limit(session.broker_receive_maximum)
        self.keepalive_s = session.keepalive_s or parts.config.keepalive
        session.subscribe([(entry.topic, entry.qos) for entry in parts.subscriptions.all()])
        self.verify_topics(session)
        self.rotation.connected()
        parts.lifecycle.connected()
        for callback in callbacks:
            self._call(callback)
        version = self.rotation.version.name
        logger.info("%s: connected to %s (MQTT %s)", parts.client_id, self.rotation.address.url, version)

    def verify_topics(self, session: Session) -> None:
        """Begin to find out what we may publish; a command to the loop as well."""
        echoed = self._parts.permissions.connected(echo=session.version == MQTT_311)
        known = {entry.topic for entry in self._parts.subscriptions.all()}
        session.subscribe([(topic, 0) for topic in echoed if topic not in known])

    def _look_for_echoes(self, session: Session) -> None:
        for refusal in self._parts.permissions.overdue():
            self._end_echo(session, refusal.topic)
            where, as_whom = self.rotation.address.url, self._parts.config.as_whom
            logger.warning("%s: %s: %s", self._parts.client_id, where, refusal.describe(as_whom))

    def _end_echo(self, session: Session, topic: str) -> None:
        if all(entry.topic != topic for entry in self._parts.subscriptions.all()):
            session.unsubscribe(topic)

    def _obey(self, session: Session) -> None:
        while True:
            with self._changed:
                command = self._commands.popleft() if self._commands else None
                self._subscribing = session.waiting_for_suback or command is not None
            if command is None:
                return
            command(session)

    def _close(self) -> None:
        self._parts.delivery.abandon()
        self._parts.lifecycle.closed()

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            self.callback_errors += 1
            logger.warning("%s: what was to be done on connect failed", self._parts.client_id, exc_info=True)

    def _on_received(self, topic: str, payload: bytes, retained: bool) -> None:
        if len(payload) > MAX_MQTT_PACKET_BYTES:  # MQTT 3.1.1 cannot tell the broker our limit
            self.oversize += 1
            return
        subscriptions = self._parts.subscriptions
        echoed, over = self._parts.permissions.received(topic, payload)
        if over:
            self.command(lambda session: self._end_echo(session, topic))
        if not echoed or subscriptions.wants(topic):
            subscriptions.dispatch(Message(topic, payload, retained, self._parts.clock()))

    def _on_subscribed(self, granted: list[str], refused: list[str]) -> None:
        missing = self._parts.permissions.subscribed(granted, refused)
        if missing:
            logger.warning("%s: the broker refused to subscribe us to %s", self._parts.client_id, ", ".join(missing))
