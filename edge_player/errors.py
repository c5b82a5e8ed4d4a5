"""What can go wrong at the player, one class per reason to react differently.

    PlayerError                   1   anything of ours that is not below
    ├── NoStreamError            66   no such stream on this broker within the time allowed
    ├── ModelMismatchError       76   the stream's codec or weights are not those of the decoder here
    └── SinkError                74   the sound card, PortAudio, the output file or the pipe refused

Errors of the broker, of the configuration and of model files come from `protocol.transport`, `protocol.service` and
`codec` with exit codes of their own; nothing here wraps them again.
"""

from __future__ import annotations

from typing import ClassVar

from protocol.service import ExitCode, ServiceError

__all__ = ["ModelMismatchError", "NoStreamError", "PlayerError", "SinkError"]


class PlayerError(ServiceError):
    """Base of every error that the player itself raises for its user."""


class NoStreamError(PlayerError):
    """No manifest of the stream was found on the broker. The sentence names both and says how to wait."""

    exit_code: ClassVar[ExitCode] = ExitCode.NO_INPUT


class ModelMismatchError(PlayerError):
    """The stream needs another decoder. `field` is the first that differs, `expected` the stream's, `got` ours."""

    exit_code: ClassVar[ExitCode] = ExitCode.CODEC_MISMATCH

    def __init__(self, message: str, *, field: str, expected: object, got: object) -> None:
        super().__init__(message)
        self.field = field
        self.expected = expected
        self.got = got


class SinkError(PlayerError):
    """The sound card, PortAudio, the output file or the pipe refused. The sentence says what to install or try.

    retryable: whether it may pass by waiting, as a card that is not there may; a library that is missing does not.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.AUDIO_DEVICE

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable
