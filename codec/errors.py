"""The errors of the codec package.

CodecError                      base; exit code 1
├── SpecError                   a codec description that makes no sense                 76
├── CheckpointError             torch weights that are missing, damaged or foreign      76
├── DownloadError               weights that cannot be fetched; `.reason` says why      66
├── FrameSizeError              audio or a batch whose shape is not the codec's          1
├── CodesError                  tokens no encoder of this codec can have made           76
├── ModelError                  an ONNX file that is damaged, foreign or the wrong half 76
│   └── ModelMissingError       no ONNX file where one was looked for                   66
├── TokenFileError              a token file that is missing, damaged or foreign        66
├── AudioFileError              audio that cannot be read; `.reason` says which way     66
├── AudioInputError             sound in memory that is no sound: shape, type, rate     66
├── AddressError                an address on the network that gives no audio           66
├── OutputFileError             a result that cannot be written                          1
├── OverloadError               more live streams, or more of one, than there is room for 1
├── DeviceError                 a GPU was asked for and there is none                   78
└── SoundCardError              no such card, or it refuses; `.reason` says which way   74

One class per reason to react differently. The exit codes are those of DESIGN's command line (sysexits where they fit);
they are plain attributes, so that this package needs nothing of the service layer.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_NO_INPUT = 66
EXIT_AUDIO_DEVICE = 74
EXIT_CODEC_MISMATCH = 76
EXIT_CONFIGURATION = 78

SoundCardFault = Literal["library", "missing", "ambiguous", "busy", "format", "failed"]
DownloadFault = Literal["offline", "missing", "gated", "full", "failed"]
AudioFault = Literal["missing", "unreadable", "unsupported", "empty", "damaged"]


class CodecError(Exception):
    """Base of every error this package raises on purpose. Its text is one sentence a user can act on."""

    exit_code: ClassVar[int] = EXIT_FAILURE


class SpecError(CodecError):
    """A codec description with a missing, ill-typed or impossible field."""

    exit_code: ClassVar[int] = EXIT_CODEC_MISMATCH


class CheckpointError(CodecError):
    """Torch weights that are missing, damaged, or of another model."""

    exit_code: ClassVar[int] = EXIT_CODEC_MISMATCH


class DownloadError(CodecError):
    """Weights that cannot be fetched from their repository. `reason` is a short slug."""

    exit_code: ClassVar[int] = EXIT_NO_INPUT

    def __init__(self, message: str, *, reason: DownloadFault) -> None:
        super().__init__(message)
        self.reason: DownloadFault = reason


class FrameSizeError(CodecError):
    """Audio whose shape is not whole frames of this codec, or a row mask of another batch size."""


class CodesError(CodecError):
    """Codes of a wrong dtype, shape or range, or -1 anywhere but in a suffix of a frame's layers."""

    exit_code: ClassVar[int] = EXIT_CODEC_MISMATCH


class ModelError(CodecError):
    """An ONNX file that is damaged, was not made by our export, or holds another codec or half than asked for."""

    exit_code: ClassVar[int] = EXIT_CODEC_MISMATCH


class ModelMissingError(ModelError):
    """No ONNX file where one was looked for."""

    exit_code: ClassVar[int] = EXIT_NO_INPUT


class TokenFileError(CodecError):
    """A token file that is missing, damaged, or not a token file at all."""

    exit_code: ClassVar[int] = EXIT_NO_INPUT


class AudioFileError(CodecError):
    """Audio that cannot be read. `reason` is a short slug, `path` the file."""

    exit_code: ClassVar[int] = EXIT_NO_INPUT

    def __init__(self, message: str, *, path: Path, reason: AudioFault) -> None:
        super().__init__(message)
        self.path = path
        self.reason: AudioFault = reason


class AudioInputError(CodecError):
    """Sound handed over in memory that cannot be taken: an array of the wrong shape, type or rate, or none at all."""

    exit_code: ClassVar[int] = EXIT_NO_INPUT


class AddressError(CodecError):
    """An address on the network gives no audio. transient: asking again later may help."""

    exit_code: ClassVar[int] = EXIT_NO_INPUT

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient


class OutputFileError(CodecError):
    """A result that cannot be written."""


class OverloadError(CodecError):
    """More live streams, or more frames of one, than there is room for. Nothing was taken; later may be right."""


class DeviceError(CodecError):
    """A device was asked for that is not here, or not for this build. Nothing else is taken in its place unasked."""

    exit_code: ClassVar[int] = EXIT_CONFIGURATION


class SoundCardError(CodecError):
    """A sound card that is not there, or cannot be used as asked. The sentence says what to install or try.

    reason: `library` PortAudio is missing · `missing` no such card · `ambiguous` several fit the name · `busy` another
    program has it · `format` it refuses rate or channels · `failed` anything else.
    """

    exit_code: ClassVar[int] = EXIT_AUDIO_DEVICE

    def __init__(self, message: str, *, reason: SoundCardFault) -> None:
        super().__init__(message)
        self.reason: SoundCardFault = reason
