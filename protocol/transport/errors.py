"""Errors of the MQTT connection.

ServiceError
└── TransportError               exit 69
    ├── BrokerUnavailableError   exit 69: nobody answers, or not as an MQTT broker does; trying again may help
    ├── NotAuthorisedError       exit 77: the broker refuses this login, or what we do; trying again does not help
    │   └── TlsRefusedError      exit 77: broker and we cannot prove to each other by certificate who we are
    ├── ClientIdTakenError       exit 78: another connection uses our client id
    └── OutboxFullError          exit 69: too many reliable messages wait for a broker that does not take them
"""

from __future__ import annotations

from typing import ClassVar

from protocol.service.errors import ServiceError
from protocol.service.exit_codes import ExitCode


class TransportError(ServiceError):
    """The connection to the broker failed."""

    exit_code: ClassVar[ExitCode] = ExitCode.BROKER_UNAVAILABLE


class BrokerUnavailableError(TransportError):
    """No broker could be reached in time."""


class NotAuthorisedError(TransportError):
    """The broker refused user name, password, certificate or client id, or what we want to publish or read."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOT_AUTHORISED


class TlsRefusedError(NotAuthorisedError):
    """The broker's certificate does not verify, or the broker does not take ours."""


class ClientIdTakenError(TransportError):
    """Another connection uses our client id, and the broker serves only one of us."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION


class OutboxFullError(TransportError):
    """The lane of messages that must not be dropped is full."""
