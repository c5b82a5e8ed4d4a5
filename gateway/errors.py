"""What can go wrong at the gateway, one class per reason to react differently.

    GatewayError                 1   anything of ours that is not below
    ├── SourceError             66   there is no audio to send: missing, empty, unreadable, unknown kind
    ├── MicrophoneError         74   the microphone went away and did not come back
    ├── PlanError               78   no stream can be planned so: a figure out of range, or a link too thin for it
    └── DemoError                1   a process of the demo failed (it carries that process's exit code)

Beside SourceError stands the codec's AddressError (66): an address on the network that gives no audio; `.transient`:
it may later. Errors of the broker, of the codec and of the configuration come from `protocol.transport`, `codec` and
`protocol.service` with exit codes of their own; nothing here wraps them again.
"""

from __future__ import annotations

from typing import ClassVar

from protocol.service import ExitCode, ServiceError

__all__ = ["DemoError", "GatewayError", "MicrophoneError", "PlanError", "SourceError"]


class GatewayError(ServiceError):
    """Base of every error that the gateway itself raises for its user."""


class SourceError(GatewayError):
    """No audio to send. The sentence names the source, what was expected, and what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.NO_INPUT


class MicrophoneError(GatewayError):
    """The microphone went away in mid-stream. One that cannot be opened is the codec's SoundCardError, also 74."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUDIO_DEVICE


class PlanError(GatewayError):
    """No stream can be planned like that. The sentence names the quantity and what would do."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION


class DemoError(GatewayError):
    """A process of the demo failed; the sentence is that process's own, and so is the exit code."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # an instance may be narrower than its class
