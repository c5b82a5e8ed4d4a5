"""Waiting for a broker: as `run` does, and as `check` does."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from protocol.service.identity import device_id
from protocol.transport.broker_config import BrokerConfig
from protocol.transport.connection import Connection
from protocol.transport.errors import BrokerUnavailableError, TlsRefusedError
from protocol.transport.version_choice import version_name

PROBE_TIMEOUT_S: Final = 5.0
_SLICE_S: Final = 0.2  # so long a stop may go unnoticed
_SHORTEST_S: Final = 0.05  # a clock that stands still must not make this loop spin


def await_connected(
    connection: Connection,
    *,
    stop: threading.Event,
    timeout_s: float | None,
    clock: Callable[[], float] = time.monotonic,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Return once connected, or once `stop` is set; `timeout_s` None: wait for as long as it takes. clock: seconds.

    `look` is called several times a second; what it raises ends the waiting.
    Raises BrokerUnavailableError after `timeout_s`, NotAuthorisedError at once: a refused login is never waited out. A
    certificate may be: TlsRefusedError comes at once as well, but not to those who wait for as long as it takes.
    """
    patience_s = math.inf if timeout_s is None else timeout_s
    deadline = clock() + patience_s
    while not stop.is_set():
        look()
        try:
            connection.wait_connected(min(_SLICE_S, max(_SHORTEST_S, deadline - clock())))
            return
        except TlsRefusedError:
            if timeout_s is not None:
                raise
            stop.wait(_SLICE_S)  # certificates are renewed, and clocks set, while we wait
        except BrokerUnavailableError as error:
            if clock() >= deadline:
                where = "any of " if "," in connection.url else ""
                raise BrokerUnavailableError(
                    f"No MQTT broker at {where}{connection.url} within {patience_s:g} s "
                    f"({connection.last_error or 'no answer'}); start it, or give --wait"
                ) from error


def probe_broker(config: BrokerConfig, *, timeout_s: float = PROBE_TIMEOUT_S) -> str:
    """Log in once and leave; returns a sentence on what answered. Raises what `Connection.wait_connected` raises.

    With a client id of its own: the one that `run` uses would throw out a gateway or player that is running.
    """
    with Connection(dataclasses.replace(config, client_id=device_id("vw-check"))) as connection:
        connection.wait_connected(timeout_s)
        return f"{connection.address} answers with MQTT {version_name(connection.protocol_version)}"
