"""What is measured: one row of the table each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

from benchmarks.wire.speech import CODEC2_MODES, OPUS_KBPS, PCM_RATES_HZ

FRAMES: Final = (1, 2, 5, 10, 25)
LAYERS: Final = (4, 8, 16)
OTHERS: Final = (
    *(f"PCM {rate // 1000} kHz" for rate in PCM_RATES_HZ),
    *(f"Opus {kbps} kbit/s" for kbps in OPUS_KBPS),
    *(f"Codec2 {mode}" for mode in CODEC2_MODES),
)
OURS: Final = "tokens"
IDLE: Final = "idle"
IDLE_TOLD: Final = "idle, told"

Mqtt = Literal["5", "3.1.1"]


@dataclass(frozen=True, slots=True)
class Variant:
    """How tokens are packed. tiers: layers of each topic; empty for all on one. entropy, silence: as the packer knows
    them. `flow.tier_packers` is where each of these comes to be bytes."""

    entropy: bool = False
    silence: bool = False
    tiers: Sequence[int] = ()


PLAIN: Final = Variant()
VARIANTS: Sequence[Variant] = (PLAIN, Variant(entropy=True))
"""All that the packer can do. A new way to pack joins the whole table by a line here."""


@dataclass(frozen=True, slots=True)
class Case:
    """One stream. what: OURS, IDLE, IDLE_TOLD, or one of OTHERS. layers: of ours; 0 for what has none."""

    what: str
    frames: int
    qos: int
    tls: bool = False
    mqtt: Mqtt = "5"
    layers: int = 0
    variant: Variant = PLAIN


def batches() -> Iterator[Sequence[Case]]:
    """Cases that are measured at the same time: few enough that every message is answered before a kernel gets
    impatient, which would cost an acknowledgement more."""
    for variant in VARIANTS:
        for lengths in ((1,), (2,), FRAMES[2:]):
            yield list(_ours(lengths, variant))
    yield list(_others((1,)))
    yield list(_others((2,)))
    yield [*_others(FRAMES[2:]), *_idle()]


def _ours(lengths: Sequence[int], variant: Variant) -> Iterator[Case]:
    mqtts: tuple[Mqtt, ...] = ("5", "3.1.1")
    for frames, layers, mqtt, tls, qos in product(lengths, LAYERS, mqtts, (False, True), (0, 1)):
        yield Case(OURS, frames, qos, tls, mqtt, layers, variant)


def _others(lengths: Sequence[int]) -> Iterator[Case]:
    """In the clear, and the lengths that are for thin links over TLS as well."""
    for frames in lengths:
        for what in OTHERS:
            for tls in (False, True) if frames >= 5 else (False,):
                for qos in (0, 1):
                    yield Case(what, frames, qos, tls)


def _idle() -> Iterator[Case]:
    for what in (IDLE, IDLE_TOLD):
        for tls in (False, True):
            yield Case(what, 0, 1, tls)
