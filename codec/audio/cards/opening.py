"""Open a card at a rate and with channels that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.audio.cards.card import Direction, SoundCard
from codec.audio.cards.faults import explain, fault_of
from codec.audio.cards.listing import find_card, list_cards, name_cards, probe_rates_of
from codec.audio.cards.options import CardOptions
from codec.audio.cards.portaudio import call_portaudio, count_stream, current_portaudio, mark_stale
from codec.audio.cards.stream import (
    CardStream,
    InputCallback,
    InputStream,
    OutputCallback,
    OutputStream,
)
from codec.errors import SoundCardError

FALLBACK_RATES = (48000, 44100, 16000)
"""Hz; tried in turn where no rate was asked for and the card refuses the one it says it prefers.

With ALSA they come first: PortAudio asks for 44100 there and calls it preferred where it is taken, though nearly all
cards and sound servers run at 48000 and would resample.
"""


def open_input(options: CardOptions, callback: InputCallback, *, block_s: float) -> CardStream:
    """A card to record from, opened but not started: blocks of about `block_s` seconds. Raises SoundCardError."""
    card = _find(options, "input")
    stream = InputStream(card, _columns(options, card), callback)
    _open(stream, options, block_s=block_s)
    return stream


def open_output(options: CardOptions, callback: OutputCallback, *, block_s: float) -> CardStream:
    """A card to play on, opened but not started. Raises SoundCardError; its reason is `busy`, `format`, `missing`…"""
    card = _find(options, "output")
    stream = OutputStream(card, _columns(options, card), callback)
    _open(stream, options, block_s=block_s)
    return stream


def _find(options: CardOptions, direction: Direction) -> SoundCard:
    card = find_card(options.device, direction)
    if options.exclusive and not card.is_hardware and card.host_api != "Windows WASAPI":
        raise SoundCardError(_why_shared(card), reason="format")
    highest = max(options.channels, default=1) if options.channels else 1
    if highest > card.channels:
        raise SoundCardError(
            f"The sound card {card.name} has no channel {highest}: choose from 1 to {card.channels}", reason="format"
        )
    return card


def _why_shared(card: SoundCard) -> str:
    if card.host_api != "ALSA":
        return f"{card.host_api} gives no card to one program alone: leave exclusive off (ALSA and WASAPI can)"
    hardware = [other for other in list_cards(card.direction) if other.is_hardware]
    instead = f"choose one of {name_cards(hardware)}" if hardware else "this machine shows no card of its own (hw:)"
    return f"The sound card {card.name} is shared by way of a server or mixer and cannot be had exclusively: {instead}"


def _columns(options: CardOptions, card: SoundCard) -> NDArray[np.intp]:
    """Channels from 0, in the order wanted."""
    numbers = options.channels or tuple(range(1, min(2, card.channels) + 1))
    return np.array([number - 1 for number in numbers], dtype=np.intp)


def _candidates(options: CardOptions, card: SoundCard) -> Iterator[tuple[int, int]]:
    """(rate, channels to open) from the most to the least wanted. Some cards open with all their channels only."""
    own = (*FALLBACK_RATES, card.sample_rate) if card.host_api == "ALSA" else (card.sample_rate, *FALLBACK_RATES)
    rates = dict.fromkeys(own if options.sample_rate is None else (options.sample_rate,))
    wanted = int(_columns(options, card).max()) + 1
    for rate in rates:
        for channels in dict.fromkeys((wanted, card.channels)):
            yield rate, channels


def _open(stream: InputStream | OutputStream, options: CardOptions, *, block_s: float) -> None:
    card = stream.card
    refusal = call_portaudio(lambda: _try_all(stream, options, block_s=block_s))
    if refusal is None:
        return
    mark_stale()
    if fault_of(refusal) != "format":
        raise explain(refusal, card) from refusal
    asked = options.sample_rate
    taken = ", ".join(str(rate) for rate in probe_rates_of(card))
    what = "every sample rate" if asked is None else f"{asked} Hz"
    remedy = f"it takes {taken} Hz" if taken else "another program may hold it at another rate"
    raise SoundCardError(f"The sound card {card.name} refuses {what}: {remedy}", reason="format") from refusal


def _try_all(stream: InputStream | OutputStream, options: CardOptions, *, block_s: float) -> Exception | None:
    """Open `stream`. Returns what the card said to the last attempt where none succeeded. PortAudio's thread."""
    sounddevice = current_portaudio()
    refusal: Exception | None = None
    for rate, channels in _candidates(options, stream.card):
        try:
            _open_at(sounddevice, stream, rate, channels, block_s=block_s, exclusive=options.exclusive)
        except (sounddevice.PortAudioError, ValueError) as error:
            refusal = error
            if fault_of(error) != "format":
                break
        else:
            return None
    return refusal


def _open_at(
    sounddevice: Any,
    stream: InputStream | OutputStream,
    rate: int,
    channels: int,
    *,
    block_s: float,
    exclusive: bool,
) -> None:
    card = stream.card
    if isinstance(stream, OutputStream):
        stream.prepare(rate)
    settings = None
    if card.host_api == "Windows WASAPI":
        settings = sounddevice.WasapiSettings(exclusive=exclusive, auto_convert=not exclusive)
    make = sounddevice.InputStream if card.direction == "input" else sounddevice.OutputStream
    stream.raw = make(
        device=card.index,
        samplerate=rate,
        channels=channels,
        dtype="float32",
        blocksize=round(block_s * rate),
        latency="low",
        extra_settings=settings,
        callback=stream.on_block,
        finished_callback=stream.on_finished,
    )
    count_stream(1)
