"""Which cards there are, and which one a user means."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from codec.audio.cards import find_card, list_cards, refresh_portaudio
from codec.audio.cards.listing import probe_rates_of
from codec.errors import SoundCardError
from tests.codec.audio.cards.conftest import INVALID_RATE, FakePortAudio, FakePortAudioError, device


@pytest.mark.usefixtures("portaudio")
def test_only_cards_of_that_direction_are_listed_and_the_default_one_is_marked() -> None:
    assert [card.index for card in list_cards("output")] == [1, 2, 3]
    assert [card.index for card in list_cards("input")] == [0, 2]
    assert [card.name for card in list_cards("output") if card.is_default] == ["USB Speaker: Audio (hw:2,0)"]
    assert list_cards("output")[2].channels == 8


def test_rates_are_tried_only_when_asked_for(portaudio: FakePortAudio) -> None:
    portaudio.refuse = lambda options: INVALID_RATE if options["samplerate"] != 44100 else None
    assert list_cards("output")[0].sample_rates == ()
    assert list_cards("output", probe_rates=True)[0].sample_rates == (44100,)
    assert probe_rates_of(find_card("1", "output"), (44100, 48000)) == (44100,)


@pytest.mark.usefixtures("portaudio")
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 1),
        ("3", 3),
        ("default", 2),
        ("USB Speaker: Audio (hw:2,0)", 1),
        ("usb speaker", 1),
        ("STUDIO", 3),
        ("default, ALSA", 2),
    ],
)
def test_a_card_is_found_by_number_name_or_part_of_it(wanted: str | None, index: int) -> None:
    assert find_card(wanted, "output").index == index


def test_a_whole_name_goes_before_a_part_of_another(portaudio: FakePortAudio) -> None:
    portaudio.devices = [device("pulse mixer", outputs=2), device("pulse", outputs=2)]
    assert find_card("pulse", "output").index == 1


def test_a_part_that_fits_several_names_is_refused_and_they_are_named(portaudio: FakePortAudio) -> None:
    portaudio.devices = [device("Headset A", outputs=2), device("Headset B", outputs=2), device("HDMI", outputs=2)]
    with pytest.raises(SoundCardError, match=r"0: Headset A, ALSA, 1: Headset B, ALSA; give the number") as caught:
        find_card("headset", "output")
    assert caught.value.reason == "ambiguous"
    assert caught.value.exit_code == 74


def test_twins_of_two_host_apis_are_told_apart_by_the_apis_name(portaudio: FakePortAudio) -> None:
    portaudio.devices = [device("Speakers", outputs=2, api=1), device("Speakers", outputs=2, api=2)]
    assert find_card("Speakers, Core Audio", "output").index == 1
    with pytest.raises(SoundCardError, match="Several"):
        find_card("Speakers", "output")


@pytest.mark.usefixtures("portaudio")
@pytest.mark.parametrize("wanted", ["bluetooth", "0", "99", "-1", ""])
def test_a_card_that_is_not_there_is_refused_and_those_there_are_named(wanted: str) -> None:
    with pytest.raises(SoundCardError) as caught:
        find_card(wanted, "output")
    assert caught.value.reason in ("missing", "ambiguous")
    assert "1: USB Speaker: Audio (hw:2,0)" in str(caught.value)


def test_a_number_is_never_taken_for_a_part_of_a_name(portaudio: FakePortAudio) -> None:
    portaudio.devices = [device("Card 7", outputs=2)]
    with pytest.raises(SoundCardError, match="No sound card that can play is called '7'"):
        find_card("7", "output")


def test_a_machine_without_a_card_is_told_what_to_do(portaudio: FakePortAudio) -> None:
    portaudio.devices = portaudio.plugged = [device("mic", inputs=1)]
    with pytest.raises(SoundCardError, match="no sound card that can play: plug one in") as caught:
        find_card(None, "output")
    assert caught.value.reason == "missing"


def test_without_a_default_the_first_card_is_taken(portaudio: FakePortAudio) -> None:
    portaudio.default.device = (-1, -1)
    assert find_card(None, "output").index == 1


def test_a_card_that_was_plugged_in_since_is_found_the_second_time(portaudio: FakePortAudio) -> None:
    portaudio.plugged = [*portaudio.devices, device("Bluetooth", outputs=2)]
    with pytest.raises(SoundCardError):
        find_card("bluetooth", "output")
    assert find_card("bluetooth", "output").index == 4
    assert portaudio.starts == 1


def test_a_refresh_lists_what_is_plugged_in_now(portaudio: FakePortAudio) -> None:
    portaudio.plugged = []
    refresh_portaudio()
    assert list_cards("output") == []


def test_a_library_that_cannot_list_is_a_sentence(portaudio: FakePortAudio, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise FakePortAudioError("Error querying device", -10000)

    monkeypatch.setattr(portaudio, "query_devices", fail)
    with pytest.raises(SoundCardError, match="cannot list"):
        list_cards("output")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError("PortAudio library not found"), "apt-get install libportaudio2"),
        (ModuleNotFoundError("No module named 'sounddevice'"), "pip install sounddevice"),
    ],
)
def test_a_machine_without_portaudio_is_told_what_to_install(
    error: Exception, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise error

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(SoundCardError, match=remedy) as caught:
        list_cards("output")
    assert caught.value.reason == "library"
