"""What can go wrong with the material of a training run."""

from __future__ import annotations

from typing import ClassVar

from codec.errors import EXIT_NO_INPUT, CodecError


class TrainingDataError(CodecError):
    """The data folder lacks its index, or holds audio of another format."""

    exit_code: ClassVar[int] = EXIT_NO_INPUT
