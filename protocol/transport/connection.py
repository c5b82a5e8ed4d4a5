"""The connection to a broker: kept up by one network thread, used from any other.

Publishing only puts a message into the outbox and subscribing only notes a filter; the network thread does the rest.
The lock here guards plain data and is never held around a call into paho.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Final, Self

from protocol.transport.broker_config import BrokerConfig
from protocol.transport.delivery import Delivery
from protocol.transport.errors import ClientIdTakenError
from protocol.transport.lifecycle import Lifecycle
from protocol.transport.network_loop import NetworkLoop, Parts
from protocol.transport.outbox import Outgoing
from protocol.transport.permissions import Permissions, PublishRefusal
from protocol.transport.sockets import PROBE_AFTER_S
from protocol.transport.subscriptions import Handler, Subscription, Subscriptions, check_topic
from protocol.transport.tls import tls_context
from protocol.transport.values import ConnectionState, TransportStats, Will
from protocol.transport.wire import WireCounters

_RECHECK_S: Final = 0.1  # an echo that comes, or does not, tells nobody

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
        self._clock = clock
        self._changed = threading.Condition(threading.Lock())
        self._permissions = Permissions()
        self._delivery = Delivery(
            self._changed, self._permissions, capacity=outbox_capacity, max_age_s=max_age_s, window=window, clock=clock
        )
        self._subscriptions = Subscriptions()
        self._lifecycle = Lifecycle(self._changed, url=config.url, client_id=self._client_id)
        self._loop = NetworkLoop(
            Parts(
                config=config,
                client_id=self._client_id,
                will=will,
                offline=offline or will,
                clock=clock,
                changed=self._changed,
                delivery=self._delivery,
                subscriptions=self._subscriptions,
                permissions=self._permissions,
                lifecycle=self._lifecycle,
            )
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

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
        return self._loop.rotation.version.current

    @property
    def url(self) -> str:
        """Where the broker is, all addresses, without the login."""
        return self._config.url

    @property
    def address(self) -> str:
        """The one address in use, or tried next."""
        return self._loop.rotation.address.url

    @property
    def client_id(self) -> str:
        """The id we log in with."""
        return self._client_id

    @property
    def keepalive_s(self) -> int:
        """The MQTT keep-alive that holds, in seconds: ours, or the one that an MQTT 5 broker wants instead."""
        return self._loop.keepalive_s

    @property
    def turns(self) -> int | None:
        """Rises at least once a second while connected, as long as the network thread gets round; None otherwise."""
        return self._loop.turns if self._lifecycle.state is ConnectionState.CONNECTED else None

    @property
    def failure(self) -> BaseException | None:
        """What ended the network thread, a bug of ours; the state is CLOSED then."""
        return self._loop.failure

    def start(self) -> None:
        """Start connecting in the background."""
        if self._loop.started or self._lifecycle.state is ConnectionState.CLOSED:
            raise RuntimeError("a Connection is started once; make a new one")
        self._warn_of_plain_password()
        self._loop.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Send what waits, say that we are offline, and close; all within `timeout_s`. Harmless when repeated."""
        self._loop.stop(timeout_s)

    def wait_connected(self, timeout_s: float) -> None:
        """Return once connected.

        Raises BrokerUnavailableError after `timeout_s`; NotAuthorisedError as soon as every address has refused us,
        or TlsRefusedError where it was for certificates alone.
        """
        self._lifecycle.wait_connected(timeout_s)

    def subscribe(self, topic: str, qos: int, handler: Handler) -> None:
        """Get messages on a topic filter, now and after every reconnect; the last handler of a filter counts.

        `handler` runs on the network thread and must only enqueue; what it raises is counted.
        """
        _check_qos(qos)
        self._subscriptions.add(Subscription(topic, qos, handler))
        self._loop.command(lambda session: session.subscribe([(topic, qos)]))

    def unsubscribe(self, topic: str) -> None:
        """Get no more messages on this filter."""
        if self._subscriptions.remove(topic):
            self._loop.command(lambda session: session.unsubscribe(topic))

    def resubscribe(self) -> None:
        """Subscribe to everything once more: a broker may have forgotten us and keep the connection all the same.

        Retained messages come again. Without a connection there is nothing to do: the next one subscribes anyway.
        """
        self._loop.resubscribe()

    def reconnect(self) -> None:
        """Leave the broker in order and come back at once, with a clean start: what it has queued for us is gone.

        The will is not published, and `disconnects` does not count it. Without a connection there is nothing to do.
        """
        self._loop.renew()

    def probe_after(self, seconds: int | None) -> None:
        """Let TCP probe the broker after so much silence on the connection there is; None: as ever, 5 s.

        For times in which little is to come: each probe and its answer cost a thin link as much as a packet's headers.
        A new connection probes as ever.
        """
        self._loop.command(lambda session: session.probe_after(PROBE_AFTER_S if seconds is None else seconds))

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call this on the network thread after every successful connect, and soon if connected already.

        The place to announce what a broker that restarted no longer knows. It must not block; `publish` does not.
        """
        self._loop.on_connected(callback)

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
        drop_precedence: int = 0,
        max_age_s: float | None = None,
    ) -> None:
        """Accept a message for sending; never waits.

        Live (the default): bounded, the oldest gives way, and what waits too long (`max_age_s`, None for the
        connection's) is dropped; counted in messages and `weight` (frames). Those with a `drop_precedence` wait behind
        all that have a lower one, and give way before them. `reliable` (manifest, status, events): a lane of its own,
        sent first, kept over reconnects; raises OutboxFullError when that is full. `expiry_s`: only MQTT 5 carries it
        (5 bytes more).
        """
        _check_qos(qos)
        check_topic(topic)
        message = Outgoing(
            topic,
            bytes(payload),
            qos,
            retain,
            self._clock(),
            expiry_s,
            weight,
            reliable,
            drop_precedence,
            max_age_s,
        )
        self._delivery.accept(message)
        self._loop.wake()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was published and subscribed is with the broker; False when `timeout_s` was too short.

        QoS 1 is acknowledged then; QoS 0, which nobody acknowledges, is written to the socket. What `verify_publishing`
        waits for counts as well.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._is_flushed():
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._lifecycle.state is ConnectionState.CLOSED:
                    return False
                self._changed.wait(min(remaining, _RECHECK_S))
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
                messages_oversize=self._loop.oversize,
                handler_errors=self._subscriptions.handler_errors,
                callback_errors=self._loop.callback_errors,
                subscriptions_refused=self._permissions.subscriptions_refused,
                publishes_refused=self._permissions.publishes_refused,
                echoes_missing=self._permissions.echoes_missing,
                **self._delivery.counters(),
            )

    def wire(self) -> WireCounters | None:
        """Bytes and segments of all sockets so far; None where the kernel does not tell."""
        return self._loop.meter.read()

    # --- what we may do ---

    @property
    def publish_refused(self) -> PublishRefusal | None:
        """What the broker does not let us publish; None as far as we know."""
        return self._permissions.publish_refused

    @property
    def subscriptions_refused(self) -> tuple[str, ...]:
        """The topic filters that the broker does not let us read."""
        return self._permissions.subscriptions

    @property
    def client_id_taken(self) -> str | None:
        """What makes us think that another connection uses our client id; None as long as nothing does."""
        return self._lifecycle.id_taken

    def forget_client_id_taken(self) -> None:
        """The other one was ours, and is closed: `raise_refusals` has nothing to say about it."""
        self._lifecycle.id_taken = None

    def verify_publishing(self, topic: str) -> None:
        """Be sure on every connection that the broker takes what we publish there; see `permissions` for how."""
        check_topic(topic)
        self._permissions.verify(topic)
        self._loop.command(self._loop.verify_topics)

    def may_publish(self, topic: str) -> bool | None:
        """What is known of a topic by now: the broker took a message on this connection, refused one, or neither."""
        return self._permissions.verdict(topic)

    def raise_refusals(self, *, publishing: bool = True, subscriptions: Collection[str] = ()) -> None:
        """Raise what makes going on pointless, for those who do not wait.

        NotAuthorisedError: we may not publish, or may not read one of the filters `subscriptions`.
        ClientIdTakenError: another connection uses our client id; ours is closed then, since coming back to say
        good-bye would throw the other out once more.
        """
        if self._lifecycle.id_taken is not None:
            self.stop(0.0)
            raise ClientIdTakenError(
                f"{self._lifecycle.id_taken} ({self._client_id!r}); give each its own --id or broker.client_id"
            )
        self._permissions.check(
            publishing=publishing,
            subscriptions=tuple(subscriptions),
            url=self.address,
            as_whom=self._config.as_whom,
        )

    def _is_flushed(self) -> bool:
        """Lock held."""
        connected = self._lifecycle.state is ConnectionState.CONNECTED
        return connected and self._loop.is_idle() and not self._permissions.waits_for_echo()

    def _warn_of_plain_password(self) -> None:
        if self._config.username is not None and not self._config.tls and not self._config.is_loopback:
            logger.warning("the password for %s travels unencrypted; use mqtts://", self._config.url)


def _check_qos(qos: int) -> None:
    if qos not in (0, 1):  # QoS 2 costs two more packets per message and saves no duplicate that we could not bear
        raise ValueError(f"QoS must be 0 or 1, got {qos}")
