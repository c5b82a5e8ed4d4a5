"""What a recording is listened to as: rebuilt by nano from fewer and fewer layers, and by two others at their rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.listening.clips import Samples
from benchmarks.quality.contenders import Codec2, Contender, Nano, Opus
from codec import Tokenizer
from codec.comparison.alignment import align

NANO_LAYERS = (16, 8, 4)
OPUS_RATE = (6, 20)  # kbit/s, milliseconds in a frame: its lowest rate, its usual frame
CODEC2_MODE = "3200"


@dataclass(frozen=True, slots=True)
class Version:
    """One way to rebuild. name: of its folder, and in answers; title: for people."""

    name: str
    title: str


VERSIONS = (
    *(Version(f"nano-{layers}", f"nano, {layers} layers") for layers in NANO_LAYERS),
    Version(f"opus-{OPUS_RATE[0]}", "Opus"),
    Version(f"codec2-{CODEC2_MODE}", f"Codec2 {CODEC2_MODE}"),
)
"""In the order in which `rebuild` gives them."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """A recording as one version has it: samples [T], as many as the original has and at the same places in time."""

    version: Version
    samples: Samples
    kbps: float


def contenders(tokenizer: Tokenizer) -> Sequence[Contender]:
    """The codecs behind VERSIONS."""
    return Nano(tokenizer, NANO_LAYERS), Opus(rates=(OPUS_RATE,)), Codec2(variants=(CODEC2_MODE,))


def rebuild(original: Samples, codecs: Sequence[Contender]) -> Iterator[Take]:
    """`original` [T] as each of VERSIONS. Raises ContenderError where a program is missing."""
    rebuilt = (each for codec in codecs for each in codec.rebuild(original))
    for version, result in zip(VERSIONS, rebuilt, strict=True):
        yield Take(version, in_place(original, result.samples), result.kbps)


def in_place(original: Samples, late: Samples) -> Samples:
    """`late` without its delay, cut or filled with silence to the length of `original`: a switch in mid-word is one."""
    delay = align(original, late).delay
    moved = late[delay:] if delay >= 0 else np.pad(late, (-delay, 0))
    return np.pad(moved[: original.size], (0, max(0, original.size - moved.size)))
