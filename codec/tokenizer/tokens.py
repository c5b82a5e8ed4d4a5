"""The codes of some recordings, with all that is needed to make sound of them again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.checks import complete_codes
from codec.errors import CodesError
from codec.formats.base import checked_layers, frames_needed
from codec.formats.file_sink import FileSink
from codec.formats.kinds import format_by_name
from codec.formats.recordings import recordings_of
from codec.session import AnyIntegers, Codes
from codec.spec import CodecSpec


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The codes of one recording or several, in the order in which they were given.

    codes: per recording int64 [K, T], layer 0 first, K the same for all, 1 to num_layers. num_samples: their lengths at
    the codec's rate, before padding. Raises CodesError for codes that no encoder of `spec` can have made, and for
    lengths that do not fit them.
    """

    codes: tuple[Codes, ...]
    num_samples: tuple[int, ...]
    spec: CodecSpec

    def __post_init__(self) -> None:
        if len(self.codes) != len(self.num_samples):
            raise CodesError(f"{len(self.codes)} recordings have as many lengths, not {len(self.num_samples)}")
        for codes, num_samples in zip(self.codes, self.num_samples, strict=True):
            if codes.ndim != 2 or codes.shape[0] != self.codes[0].shape[0]:
                raise CodesError(f"Codes of a recording are [K, T], the same K for all, not {list(codes.shape)}")
            if codes.shape[1]:
                complete_codes(codes[np.newaxis], self.spec, 1)
            check_length(num_samples, codes.shape[1], self.spec)

    @classmethod
    def of(cls, codes: Iterable[AnyIntegers], spec: CodecSpec, *, num_samples: Iterable[int] | None = None) -> Tokens:
        """Tokens from arrays [K, T]; without lengths, as many samples as the frames hold. Raises CodesError."""
        arrays = tuple(np.asarray(each) for each in codes)
        for each in arrays:
            if each.dtype.kind not in "iu":
                raise CodesError(f"Codes are integers, not {each.dtype}")
        if num_samples is None:
            lengths = tuple(samples_in(each.shape[-1], spec) for each in arrays)
        else:
            lengths = tuple(num_samples)
        return cls(tuple(each.astype(np.int64) for each in arrays), lengths, spec)

    @classmethod
    def load(cls, path: Path | str, *, spec: CodecSpec | None = None) -> Tokens:
        """All recordings of a token file, .vwt, .pt, .npz or an LMDB cache. spec: where the file says none, as those of
        the official package do. Raises TokenFileError, CodesError."""
        place = Path(path)
        codes: list[Codes] = []
        lengths: list[int] = []
        for recording in recordings_of(place):
            with recording.open() as source:
                made_by = source.spec or spec
                if made_by is None:
                    raise CodesError(f"{place} does not say which codec made it: give spec, that of your Tokenizer")
                spec = made_by
                parts = [np.asarray(part, dtype=np.int64) for part in source]
                codes.append(np.concatenate([np.zeros((source.layers, 0), dtype=np.int64), *parts], axis=1))
                known = source.num_samples
                lengths.append(samples_in(codes[-1].shape[1], spec) if known is None else known)
        if spec is None:
            raise CodesError(f"{place} holds no recording")
        return cls(tuple(codes), tuple(lengths), spec)

    def save(self, path: Path | str) -> int:
        """Write the one recording to a token file, by its ending: .vwt, .pt or .npz; returns its bytes. It is whole or
        not there. Raises OutputFileError, and CodesError for several recordings: save each of them."""
        place = Path(path)
        kind = format_by_name(place)
        if kind == "lmdb":
            raise CodesError(f"{place} would be a cache, which `codec encode` makes: save .vwt, .pt or .npz files")
        if len(self) != 1:
            raise CodesError(f"A .vwt, .pt or .npz file holds one recording, not {len(self)}: save each of them")
        sink = FileSink(place, kind, self.spec, layers=self.layers)
        try:
            sink.write(self.codes[0])
            return sink.finish(self.num_samples[0])
        finally:
            sink.discard()

    @property
    def audio_codes(self) -> list[NDArray[np.int64]]:
        """The same codes frames first, [T, K], as the official package and training code have them: views."""
        return [codes.T for codes in self.codes]

    @property
    def layers(self) -> int:
        """Layers of each frame that are here."""
        return int(self.codes[0].shape[0]) if self.codes else self.spec.num_layers

    @property
    def seconds(self) -> tuple[float, ...]:
        """Duration of each recording."""
        return tuple(length / self.spec.sample_rate for length in self.num_samples)

    def first_layers(self, layers: int) -> Tokens:
        """With the first `layers` layers only: fewer bits, less like the original. Raises CodesError."""
        if checked_layers(layers, self.spec) > self.layers:
            raise CodesError(f"These tokens hold {self.layers} layers, not {layers}")
        return Tokens(tuple(codes[:layers] for codes in self.codes), self.num_samples, self.spec)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int | slice) -> Tokens:
        """One recording, or some, as Tokens."""
        chosen = index if isinstance(index, slice) else slice(index, index + 1 or None)
        if not isinstance(index, slice) and not -len(self) <= index < len(self):
            raise IndexError(f"recording {index} of {len(self)}")
        return Tokens(self.codes[chosen], self.num_samples[chosen], self.spec)

    def __iter__(self) -> Iterator[Tokens]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        seconds = ", ".join(f"{each:.2f} s" for each in self.seconds[:8]) + (", …" if len(self) > 8 else "")
        return f"Tokens({self.spec.name}, {self.layers} layers, {counted(len(self), 'recording')}: {seconds})"


def counted(number: int, noun: str) -> str:
    """`1 recording`, `2 recordings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def samples_in(frames: int, spec: CodecSpec) -> int:
    """The most samples that so many frames hold: what the codec's delay takes is not among them."""
    return max(frames * spec.frame_size - spec.delay_samples, 0)


def check_length(num_samples: Any, frames: int, spec: CodecSpec) -> None:
    """Raise CodesError unless so many frames can be of a recording of `num_samples`."""
    if isinstance(num_samples, bool) or not isinstance(num_samples, int | np.integer) or num_samples < 0:
        raise CodesError(f"The length of a recording is a number of samples, not {num_samples!r}")
    if frames_needed(int(num_samples), spec) > frames:
        raise CodesError(f"{frames} frames hold up to {samples_in(frames, spec)} samples, not {num_samples}")
