"""Which sound cards there are, and which one a user means."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from codec.audio.cards.card import Direction, SoundCard
from codec.audio.cards.portaudio import call_portaudio, current_portaudio, mark_stale
from codec.errors import SoundCardError

PROBED_RATES = (16000, 44100, 48000, 96000)
"""Hz; what `devices` tries on every card."""

_VERBS = {"input": "record", "output": "play"}


def list_cards(direction: Direction, *, probe_rates: bool = False) -> list[SoundCard]:
    """All cards that can record or play. Raises SoundCardError (`library`, `failed`).

    probe_rates: ask each for PROBED_RATES, which may take a second and disturbs a card that is in use.
    """
    return call_portaudio(lambda: _list(direction, probe_rates=probe_rates))


def find_card(wanted: str | None, direction: Direction) -> SoundCard:
    """The card with that index or name; None: the default one.

    A whole name goes before a part of one, which need not match in case; `name, host API` tells twins apart. Raises
    SoundCardError that names what there is: `missing`, or `ambiguous` where several names have that part.
    """
    cards = list_cards(direction)
    try:
        return _choose(cards, wanted, direction)
    except SoundCardError:
        mark_stale()  # PortAudio lists cards once: whoever asks again wants to hear of one plugged in since
        raise


def probe_rates_of(card: SoundCard, rates: Iterable[int] = PROBED_RATES) -> tuple[int, ...]:
    """Those of `rates`, in Hz, that the card takes; none where it is in use."""
    return call_portaudio(lambda: _probe(current_portaudio(), card, rates))


def name_cards(cards: Iterable[SoundCard]) -> str:
    """For a sentence."""
    return ", ".join(card.label for card in cards)


def _list(direction: Direction, *, probe_rates: bool) -> list[SoundCard]:
    sounddevice = current_portaudio()
    try:
        devices, apis = sounddevice.query_devices(), sounddevice.query_hostapis()
        default = sounddevice.default.device[0 if direction == "input" else 1]
    except sounddevice.PortAudioError as error:
        raise SoundCardError(f"PortAudio cannot list the sound cards: {error}", reason="failed") from error
    cards = [
        SoundCard(
            index=index,
            name=str(device["name"]),
            host_api=str(apis[device["hostapi"]]["name"]),
            direction=direction,
            channels=int(device[f"max_{direction}_channels"]),
            sample_rate=round(device["default_samplerate"]),
            sample_rates=(),
            is_default=index == default,
        )
        for index, device in enumerate(devices)
        if device[f"max_{direction}_channels"] > 0
    ]
    if not probe_rates:
        return cards
    return [dataclasses.replace(card, sample_rates=_probe(sounddevice, card, PROBED_RATES)) for card in cards]


def _probe(sounddevice: Any, card: SoundCard, rates: Iterable[int]) -> tuple[int, ...]:
    check: Callable[..., None] = getattr(sounddevice, f"check_{card.direction}_settings")
    taken = []
    for rate in rates:
        try:
            check(device=card.index, channels=min(2, card.channels), dtype="float32", samplerate=rate)
        except (sounddevice.PortAudioError, ValueError):
            continue
        taken.append(rate)
    return tuple(taken)


def _choose(cards: list[SoundCard], wanted: str | None, direction: Direction) -> SoundCard:
    if not cards:
        raise SoundCardError(
            f"There is no sound card that can {_VERBS[direction]}: plug one in, or see that the sound server runs and "
            f"that you may use it (group audio)",
            reason="missing",
        )
    if wanted is None:
        return next((card for card in cards if card.is_default), cards[0])
    found = _matches(cards, wanted)
    if len(found) == 1:
        return found[0]
    if not found:
        raise SoundCardError(
            f"No sound card that can {_VERBS[direction]} is called {wanted!r}: there are {name_cards(cards)}",
            reason="missing",
        )
    described = ", ".join(f"{card.label}, {card.host_api}" for card in found)
    raise SoundCardError(
        f"Several sound cards are called {wanted!r}: {described}; give the number or more of the name",
        reason="ambiguous",
    )


def _matches(cards: list[SoundCard], wanted: str) -> list[SoundCard]:
    """The most exact kind of match that fits any card at all."""
    part = wanted.lower()
    kinds: tuple[Callable[[SoundCard], bool], ...] = (
        lambda card: wanted == str(card.index),
        lambda card: wanted in (card.name, _full_name(card)),
        lambda card: not wanted.isdecimal() and part in _full_name(card).lower(),
    )
    for fits in kinds:
        found = [card for card in cards if fits(card)]
        if found:
            return found
    return []


def _full_name(card: SoundCard) -> str:
    return f"{card.name}, {card.host_api}"
