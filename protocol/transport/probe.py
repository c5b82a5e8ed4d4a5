"""What the broker lets this login do: tried once, for `check`, without disturbing what others hear."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from protocol.service.check import Finding
from protocol.service.exit_codes import ExitCode
from protocol.transport.broker_config import BrokerConfig
from protocol.transport.cautions import broker_cautions
from protocol.transport.connection import Connection
from protocol.transport.permissions import ECHO_TIMEOUT_S
from protocol.transport.values import Message
from protocol.transport.waiting import PROBE_TIMEOUT_S, probe_broker

ANSWER_S: Final = 3.0
"""So long the broker may take for one answer."""

_REMEDY: Final = (
    "change the broker's access rules (ACL) for this login, or give the --stream, --base and --id they allow"
)


def broker_finding(config: BrokerConfig) -> Finding:
    """Log in once and leave; what a careful person would change is a warning. Raises as `probe_broker` does."""
    begun = time.perf_counter()
    answer = probe_broker(config)
    figures = {"login_ms": round((time.perf_counter() - begun) * 1000, 1)}
    cautions = list(broker_cautions(config))
    if cautions:
        return Finding(answer, "warning", "; ".join(cautions), figures=figures)
    return Finding(answer, figures=figures)


def permissions_finding(
    config: BrokerConfig,
    *,
    publish: Mapping[str, bytes],
    subscribe: Collection[str] = (),
    patience_s: float | None = None,
) -> Finding:
    """May this login publish on each topic of `publish`, and read `subscribe`? Found out as `run` finds it out.

    publish: by topic, a message that does no harm there; it is not retained. patience_s: None for as long as the
    version of MQTT needs. Raises what `Connection.wait_connected` raises.
    """
    with _connection(config) as connection:
        for topic in publish:
            connection.verify_publishing(topic)
        for topic in subscribe:
            connection.subscribe(topic, 1, lambda message: None)
        _start(connection)
        for topic, payload in publish.items():
            connection.publish(topic, payload, qos=1, reliable=True)
        longest_s = ANSWER_S + (ECHO_TIMEOUT_S if connection.protocol_version < 5 else 0.0)
        connection.flush(longest_s if patience_s is None else patience_s)
        verdicts = {topic: connection.may_publish(topic) for topic in publish}
        unread = [topic for topic in subscribe if topic in connection.subscriptions_refused]
        refusal = connection.publish_refused
    refused = [topic for topic, allowed in verdicts.items() if allowed is False]
    unknown = [topic for topic, allowed in verdicts.items() if allowed is None]
    said = []
    if refusal is not None:
        others = [topic for topic in refused if topic != refusal.topic]
        said.append(refusal.describe(config.as_whom) + (f"; the same on {', '.join(others)}" if others else ""))
    if unread:
        said.append(f"we may not subscribe to {', '.join(unread)} {config.as_whom}")
    if said:
        return Finding("; ".join(said), "failed", _REMEDY, int(ExitCode.NOT_AUTHORISED))
    if unknown:
        return Finding(f"the broker does not tell whether we may publish on {', '.join(unknown)}", "note")
    return Finding(f"may publish on {', '.join(publish)} {config.as_whom}")


def retained_message(config: BrokerConfig, topic: str, *, wait_s: float) -> bytes | None:
    """What the broker keeps on `topic`; None where nothing came within `wait_s`. Raises as `permissions_finding`."""
    found: list[bytes] = []
    came = threading.Event()

    def on_message(message: Message) -> None:
        found.append(message.payload)
        came.set()

    with _connection(config) as connection:
        connection.subscribe(topic, 1, on_message)
        _start(connection)
        came.wait(wait_s)
    return found[0] if found else None


@contextlib.contextmanager
def _connection(config: BrokerConfig) -> Iterator[Connection]:
    """Not started. With a client id of its own: the one of `run` would throw out what is running."""
    connection = Connection(dataclasses.replace(config, client_id=f"vw-check-{secrets.token_hex(5)}"))
    try:
        yield connection
    finally:
        connection.stop()


def _start(connection: Connection) -> None:
    connection.start()
    connection.wait_connected(PROBE_TIMEOUT_S)
