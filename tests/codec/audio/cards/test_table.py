"""Cards as people and programs read them."""

from __future__ import annotations

import json

from codec.audio.cards import SoundCard, describe_cards

CARDS = [
    SoundCard(1, "USB Speaker", "ALSA", "output", 2, 44100, (44100, 48000), is_default=False),
    SoundCard(12, "default", "ALSA", "output", 32, 48000, (), is_default=True),
]


def test_a_table_marks_the_default_card_and_shows_rates_with_the_preferred_one_first() -> None:
    assert describe_cards(CARDS, as_json=False).splitlines() == [
        "   no.  name         channels  rates, Hz    by",
        "   1    USB Speaker  2         44100 48000  ALSA",
        "*  12   default      32        48000        ALSA",
    ]


def test_json_has_every_field() -> None:
    described = json.loads(describe_cards(CARDS, as_json=True))
    assert described[0] == {
        "index": 1,
        "name": "USB Speaker",
        "host_api": "ALSA",
        "direction": "output",
        "channels": 2,
        "sample_rate": 44100,
        "sample_rates": [44100, 48000],
        "default": False,
    }
    assert described[1]["default"] is True


def test_no_card_is_said_in_words_and_is_an_empty_list() -> None:
    assert describe_cards([], as_json=False) == "no sound card"
    assert json.loads(describe_cards([], as_json=True)) == []
