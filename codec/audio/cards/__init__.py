"""Sound cards by way of PortAudio, once for both ends: list, choose, open.

A card is opened at a rate and with channels it takes, called back from PortAudio's own thread, and closed. Whoever
loses it calls `refresh_portaudio` and opens it anew.
"""

from __future__ import annotations

from codec.audio.cards.card import Direction, SoundCard
from codec.audio.cards.listing import PROBED_RATES, find_card, list_cards
from codec.audio.cards.opening import open_input, open_output
from codec.audio.cards.options import CardOptions
from codec.audio.cards.portaudio import load_portaudio, refresh_portaudio
from codec.audio.cards.stream import CardStream, InputCallback, OutputCallback
from codec.audio.cards.table import describe_cards, describe_devices

__all__ = [
    "PROBED_RATES",
    "CardOptions",
    "CardStream",
    "Direction",
    "InputCallback",
    "OutputCallback",
    "SoundCard",
    "describe_cards",
    "describe_devices",
    "find_card",
    "list_cards",
    "load_portaudio",
    "open_input",
    "open_output",
    "refresh_portaudio",
]
