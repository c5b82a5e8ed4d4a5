"""Errors of the MQTT connection.

ServiceError
└── TransportError               exit 69
    ├── BrokerUnavailableError   exit 69: nobody answers, or not as an MQTT broker does; trying again may help
    ├── NotAuthorisedError       exit 77: the broker refuses this login; trying again does not help
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
    """The broker refused user name, password, certificate or client id."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOT_AUTHORISED


class OutboxFullError(TransportError):
    """The lane of messages that must not be dropped is full."""
