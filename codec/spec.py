"""What a codec is, in seven numbers: everything else about it is derived."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from codec.errors import SpecError

MAX_NUM_LAYERS = 64
"""More layers than any residual codec uses; a bound for data from outside."""

MAX_CODEBOOK_SIZE = 65536
"""Codes travel as uint16."""

MAX_SAMPLE_RATE = 768_000
"""Hz; the highest rate audio files are made at."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """One codec: name, geometry, weights.

    `sample_rate` in Hz (mono), `frame_size` in samples: one codec step. `num_layers` residual layers of
    `codebook_size` entries each. `delay_samples`: how many samples the decoded audio lags the input by.
    `weights_sha256` is over the source tensors (sorted name, dtype, shape, bytes), not over a file, so that every
    export of the same weights carries the same one. Raises SpecError.
    """

    name: str
    sample_rate: int
    frame_size: int
    num_layers: int
    codebook_size: int
    delay_samples: int
    weights_sha256: str

    def __post_init__(self) -> None:
        self._check_text("name", _NAME, "1 to 32 of a-z 0-9 . _ -")
        self._check_integer("sample_rate", 1, MAX_SAMPLE_RATE)
        self._check_integer("frame_size", 1, MAX_SAMPLE_RATE)
        self._check_integer("num_layers", 1, MAX_NUM_LAYERS)
        self._check_integer("codebook_size", 2, MAX_CODEBOOK_SIZE)
        self._check_integer("delay_samples", 0, MAX_SAMPLE_RATE)
        self._check_text("weights_sha256", _SHA256, "64 lower-case hex digits")

    def _check_text(self, field: str, pattern: re.Pattern[str], wanted: str) -> None:
        value: object = getattr(self, field)  # from JSON it may be anything
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise SpecError(f"{field} of a codec is {wanted}, not {value!r}")

    def _check_integer(self, field: str, lowest: int, highest: int) -> None:
        value = getattr(self, field)
        # type() rather than isinstance: True is an int to Python, and never a sample rate.
        if type(value) is not int or not lowest <= value <= highest:
            raise SpecError(f"{field} of a codec is an integer from {lowest} to {highest}, not {value!r}")

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.frame_size

    @property
    def frame_duration_s(self) -> float:
        """Seconds of audio in one frame."""
        return self.frame_size / self.sample_rate

    @property
    def bits_per_code(self) -> int:
        """Bits that hold any index of a codebook."""
        return (self.codebook_size - 1).bit_length()

    @property
    def bits_per_frame(self) -> int:
        """Bits of one frame with all its layers."""
        return self.bits_per_code * self.num_layers

    @property
    def bit_rate(self) -> float:
        """Bits per second of bare codes, without any envelope."""
        return self.bits_per_frame * self.frame_rate

    def to_dict(self) -> dict[str, str | int]:
        """The seven fields, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> CodecSpec:
        """The spec of a JSON object. Fields this version does not know are ignored. Raises SpecError."""
        if not isinstance(values, Mapping):
            raise SpecError(f"A codec description is a JSON object, not {type(values).__name__}")
        missing = [field.name for field in fields(cls) if field.name not in values]
        if missing:
            raise SpecError(f"The codec description lacks {', '.join(missing)}")
        return cls(**{field.name: values[field.name] for field in fields(cls)})  # type: ignore[arg-type]  # checked above
