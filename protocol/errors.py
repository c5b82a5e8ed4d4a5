"""What can be wrong with a value that crosses the wire.

ProtocolError                 something does not follow SPEC.md; `reason` is a `Fault`, for counters
├── PacketError               a token packet: count it, drop it
├── ManifestError             a manifest: refuse the stream
├── MessageError              a status or event message: count it, ignore it
├── TablesError               a file of entropy tables: do without it
└── TopicError                an id or a topic base that may not stand in a topic

Decoders raise nothing else, whatever the bytes. Wrong use of this package (limits that make no sense) is a ValueError:
that is our own bug and has to be loud.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Fault(StrEnum):
    """Why a value was refused; the text is a short slug that fits in the name of a counter."""

    SIZE = "size"
    """More bytes than the kind of message may have, or none."""
    MALFORMED = "malformed"
    """Not msgpack or not JSON, cut short, or beyond the limits for nesting and lengths."""
    STRUCTURE = "structure"
    """Not the array or object that was expected, or a field is missing."""
    TYPE = "type"
    """A field has another type; true and false are not integers."""
    RANGE = "range"
    """A field has the right type and a value outside its limits."""
    LENGTH = "length"
    """The bit string does not have the length that the number of frames asks for."""
    PADDING = "padding"
    """The bits after the last code are not zero."""
    CODE = "code"
    """A code is not smaller than the codebook size."""
    ENTROPY = "entropy"
    """The entropy-coded string is none that a writer makes."""
    VERSION = "version"
    """Written for a version of the protocol that this package does not know."""
    UNKNOWN = "unknown"
    """Well formed, of a kind that this package does not know: ignore it."""


class ProtocolError(Exception):
    """Something does not follow SPEC.md. `reason` says what, the text says what was expected and what came."""

    exit_code: ClassVar[int] = 1
    reason: Fault

    def __init__(self, reason: Fault, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return self.message


class PacketError(ProtocolError):
    """A token packet that has to be dropped."""


class ManifestError(ProtocolError):
    """A manifest that does not describe a stream."""


class MessageError(ProtocolError):
    """A status or event message that has to be ignored."""


class TablesError(ProtocolError):
    """A file that holds no usable entropy tables."""

    def __init__(self, message: str) -> None:
        super().__init__(Fault.MALFORMED, message)


class TopicError(ProtocolError):
    """An id or base that may not stand in a topic: the user has to choose another."""

    exit_code: ClassVar[int] = 2
