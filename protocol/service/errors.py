"""Errors that a user can meet.

ServiceError                 exit 1: one sentence, no traceback
├── ConfigError              exit 78: a setting is unknown, missing or wrong
├── PartFailedError          exit 1: a thread of ours ended or hangs (in liveness.py)
└── (transport, gateway, edge_player derive theirs from ServiceError)
"""

from __future__ import annotations

from typing import ClassVar

from protocol.service.exit_codes import ExitCode


class ServiceError(Exception):
    """An expected failure; its text says what was expected, what came and what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE


class ConfigError(ServiceError):
    """A setting is unknown, missing, of the wrong type or out of range."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION
