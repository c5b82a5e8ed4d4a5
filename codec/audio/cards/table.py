"""Sound cards as a table or as JSON: `gateway devices` and `edge-player devices`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from codec.audio.cards.card import Direction, SoundCard
from codec.audio.cards.listing import list_cards


def describe_devices(direction: Direction, *, as_json: bool, none: str, choose: str) -> str:
    """What `devices` prints: the cards of this machine. `none`: the sentence where there is none; `choose`: the flag
    of `run` that names one. Raises SoundCardError (exit 74) where PortAudio is missing.
    """
    cards = list_cards(direction, probe_rates=True)
    text = describe_cards(cards, as_json=as_json)
    if as_json:
        return text
    return f"{text}\n* default; choose another with: {choose}" if cards else none


def describe_cards(cards: Sequence[SoundCard], *, as_json: bool) -> str:
    """One line a card, the default one marked with *; or a JSON list of objects with the fields of SoundCard."""
    if as_json:
        return json.dumps(
            [
                {
                    "index": card.index,
                    "name": card.name,
                    "host_api": card.host_api,
                    "direction": card.direction,
                    "channels": card.channels,
                    "sample_rate": card.sample_rate,
                    "sample_rates": list(card.sample_rates),
                    "default": card.is_default,
                }
                for card in cards
            ]
        )
    if not cards:
        return "no sound card"
    rows = [("", "no.", "name", "channels", "rates, Hz", "by"), *(_row(card) for card in cards)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(card: SoundCard) -> tuple[str, ...]:
    """The rate a card prefers stands in front."""
    others = [rate for rate in card.sample_rates if rate != card.sample_rate]
    rates = " ".join(str(rate) for rate in (card.sample_rate, *others))
    return "*" if card.is_default else "", str(card.index), card.name, str(card.channels), rates, card.host_api
