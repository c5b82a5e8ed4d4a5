"""Exit codes of every command; numbers from 66 on follow sysexits.h where it has a fitting one."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """What a command's exit status means; service units and tests depend on these numbers."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NO_INPUT = 66
    BROKER_UNAVAILABLE = 69
    AUDIO_DEVICE = 74
    CODEC_MISMATCH = 76
    NOT_AUTHORISED = 77
    CONFIGURATION = 78
    INTERRUPTED = 130


EXIT_CODES_HELP: Final = (
    "exit codes: 0 done, 2 usage, 66 no input or no such stream, 69 broker unavailable, 74 audio device or output, "
    "76 codec mismatch, 77 not authorised, 78 configuration"
)
"""For the end of every `--help`."""
