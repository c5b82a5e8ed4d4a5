"""Cards are opened at a rate and with channels they take; refusals are sentences."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.audio.cards import CardOptions, CardStream, list_cards, open_input, open_output, refresh_portaudio
from codec.errors import SoundCardError
from tests.codec.audio.cards.conftest import (
    BUSY,
    INVALID_CHANNELS,
    INVALID_RATE,
    FakePortAudio,
    FakePortAudioError,
    device,
)

NO_FLAGS = SimpleNamespace(output_underflow=False, input_overflow=False)


def play_on(device_name: str | None = None, **options: Any) -> CardStream:
    def fill(out: NDArray[np.float32], _underflowed: bool) -> None:
        out[:] = np.arange(1, len(out) + 1)

    return open_output(CardOptions(device_name, **options), fill, block_s=0.02)


def times(**values: float) -> SimpleNamespace:
    return SimpleNamespace(**{"currentTime": 0.0, "outputBufferDacTime": 0.0, "inputBufferAdcTime": 0.0, **values})


def test_the_rate_that_was_asked_for_is_the_only_one_tried(portaudio: FakePortAudio) -> None:
    portaudio.refuse = lambda options: INVALID_RATE if options["samplerate"] == 96000 else None
    with pytest.raises(
        SoundCardError, match=r"USB Speaker.* refuses 96000 Hz: it takes 16000, 44100, 48000 Hz"
    ) as caught:
        play_on("usb", sample_rate=96000)
    assert caught.value.reason == "format"
    assert portaudio.streams == []


@pytest.mark.parametrize(("taken", "expected"), [({44100, 48000}, 48000), ({44100, 16000}, 44100), ({96000}, 96000)])
def test_without_one_the_first_rate_that_is_taken(portaudio: FakePortAudio, taken: set[int], expected: int) -> None:
    portaudio.refuse = lambda options: None if options["samplerate"] in taken else INVALID_RATE
    assert play_on("studio").sample_rate == expected


def test_beyond_alsa_a_cards_own_rate_goes_first(portaudio: FakePortAudio) -> None:
    portaudio.devices = [device("Built-in Output", outputs=2, rate=44100.0, api=2)]
    assert play_on("0").sample_rate == 44100


@pytest.mark.usefixtures("portaudio")
def test_with_alsa_48_khz_goes_before_what_portaudio_calls_preferred() -> None:
    assert play_on("usb").sample_rate == 48000


def test_a_card_that_takes_no_rate_at_all_is_a_sentence(portaudio: FakePortAudio) -> None:
    portaudio.refuse = lambda options: INVALID_RATE
    with pytest.raises(SoundCardError, match="refuses every sample rate"):
        play_on("usb")


def test_a_card_that_opens_with_all_its_channels_only_is_opened_so(portaudio: FakePortAudio) -> None:
    portaudio.refuse = lambda options: INVALID_CHANNELS if options["channels"] != 8 else None
    stream = play_on("studio")
    assert stream.channels == 8
    out = np.full((4, 8), 9.0, dtype=np.float32)
    portaudio.streams[0].callback(out, 4, times(), NO_FLAGS)
    assert out[:, :2].tolist() == [[1, 1], [2, 2], [3, 3], [4, 4]]
    assert not out[:, 2:].any()


def test_sound_goes_to_the_chosen_channels_and_nowhere_else(portaudio: FakePortAudio) -> None:
    assert play_on("studio", channels=(5, 3)).channels == 5
    out = np.full((2, 5), 9.0, dtype=np.float32)
    portaudio.streams[0].callback(out, 2, times(), NO_FLAGS)
    assert out.tolist() == [[0, 0, 1, 0, 1], [0, 0, 2, 0, 2]]


def test_a_card_with_one_channel_gets_one(portaudio: FakePortAudio) -> None:
    portaudio.devices = [device("Mono", outputs=1)]
    assert play_on("mono").channels == 1


@pytest.mark.usefixtures("portaudio")
def test_a_channel_the_card_does_not_have_is_refused() -> None:
    with pytest.raises(SoundCardError, match="has no channel 3: choose from 1 to 2") as caught:
        play_on("usb", channels=(1, 3))
    assert caught.value.reason == "format"


@pytest.mark.parametrize("channels", [(), (0,), (1, -1)])
def test_channel_numbers_count_from_one(channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="from 1"):
        CardOptions(channels=channels)


def test_a_longer_block_than_asked_for_is_filled_in_pieces(portaudio: FakePortAudio) -> None:
    play_on("usb", sample_rate=1000)  # a scratch of 100 samples
    out = np.zeros((250, 2), dtype=np.float32)
    portaudio.streams[0].callback(out, 250, times(), NO_FLAGS)
    assert out[:, 0].tolist() == [*range(1, 101), *range(1, 101), *range(1, 51)]


def test_an_underflow_is_told_once_a_block(portaudio: FakePortAudio) -> None:
    told: list[bool] = []
    open_output(CardOptions("usb", sample_rate=1000), lambda out, flag: told.append(flag), block_s=0.02)
    flags = SimpleNamespace(output_underflow=True)
    portaudio.streams[0].callback(np.zeros((250, 2), dtype=np.float32), 250, times(), flags)
    assert told == [True, False, False]


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (BUSY, "busy", "in use by another program"),
        (FakePortAudioError("x", -9999, (0, -16, "Device or resource busy")), "busy", "in use"),
        (FakePortAudioError("x", -9999, (0, -19, "No such device")), "missing", "not there"),
        (FakePortAudioError("Illegal combination of I/O devices", -9993), "missing", "unplugged"),
        (FakePortAudioError("Internal PortAudio error", -9986), "failed", "Internal PortAudio error"),
        (FakePortAudioError("odd"), "failed", "cannot be opened: odd"),
        (ValueError("odd"), "failed", "cannot be opened: odd"),
    ],
)
def test_each_refusal_has_its_reason_and_its_sentence(
    portaudio: FakePortAudio, error: Exception, reason: str, words: str
) -> None:
    def refuse(options: dict[str, Any]) -> FakePortAudioError | None:
        raise error

    portaudio.refuse = refuse
    with pytest.raises(SoundCardError, match=words) as caught:
        play_on("usb")
    assert caught.value.reason == reason
    assert caught.value.exit_code == 74


def test_a_card_that_does_not_start_is_a_sentence(portaudio: FakePortAudio) -> None:
    stream = play_on("usb")
    portaudio.start_error = BUSY
    with pytest.raises(SoundCardError, match="in use"):
        stream.start()
    assert not stream.active


# -- exclusive


def test_a_shared_card_is_never_had_exclusively_and_those_that_can_are_named(portaudio: FakePortAudio) -> None:
    with pytest.raises(SoundCardError, match=r"choose one of 1: USB Speaker.*, 3: Studio") as caught:
        play_on("default", exclusive=True)
    assert caught.value.reason == "format"
    assert portaudio.streams == []


def test_where_there_is_no_hardware_of_our_own_that_is_said(portaudio: FakePortAudio) -> None:
    portaudio.devices = [device("default", outputs=2)]
    with pytest.raises(SoundCardError, match="shows no card of its own"):
        play_on("default", exclusive=True)


@pytest.mark.usefixtures("portaudio")
def test_a_card_itself_is_exclusive() -> None:
    assert play_on("usb", exclusive=True).card.is_hardware


@pytest.mark.parametrize("exclusive", [False, True])
def test_windows_is_asked_for_the_card_alone_or_to_convert(portaudio: FakePortAudio, exclusive: bool) -> None:
    portaudio.devices = [device("Speakers", outputs=2, api=1)]
    play_on("0", exclusive=exclusive)
    assert portaudio.streams[0].options["extra_settings"] == {"exclusive": exclusive, "auto_convert": not exclusive}


def test_other_systems_say_that_they_share(portaudio: FakePortAudio) -> None:
    portaudio.devices = [device("Built-in", outputs=2, api=2)]
    with pytest.raises(SoundCardError, match="Core Audio gives no card to one program alone"):
        play_on("0", exclusive=True)


# -- recording, latency, life and death


def record(portaudio: FakePortAudio, **options: Any) -> list[tuple[list[list[float]], float, bool]]:
    """What the callback got of one block of three samples, whose channel c is 10 s + c."""
    got: list[tuple[list[list[float]], float, bool]] = []
    open_input(
        CardOptions("default", **options),
        lambda samples, age_s, overflowed: got.append((samples.tolist(), age_s, overflowed)),
        block_s=0.02,
    )
    channels = portaudio.streams[0].channels
    data = (10 * np.arange(3)[:, np.newaxis] + np.arange(1, channels + 1)).astype(np.float32)
    flags = SimpleNamespace(input_overflow=True)
    portaudio.streams[0].callback(data, 3, times(currentTime=5.0, inputBufferAdcTime=4.97), flags)
    data[:] = 0
    portaudio.streams[0].callback(data, 3, times(currentTime=5.0), NO_FLAGS)
    return got


def test_a_block_is_copied_with_its_chosen_channels_age_and_overflow(portaudio: FakePortAudio) -> None:
    first, second = record(portaudio, channels=(3, 1))
    assert first[0] == [[3, 1], [13, 11], [23, 21]]
    assert first[1] == pytest.approx(0.03)
    assert first[2]
    assert second[1] == pytest.approx(3 / 48000), "a host that tells no time: as old as it is long"


def test_the_first_two_channels_are_recorded_where_none_were_chosen(portaudio: FakePortAudio) -> None:
    assert record(portaudio)[0][0] == [[1, 2], [11, 12], [21, 22]]


def test_latency_is_measured_where_the_host_tells_it_and_promised_where_not(portaudio: FakePortAudio) -> None:
    stream = play_on("usb")
    out = np.zeros((10, 2), dtype=np.float32)
    assert stream.latency_s == 0.05
    portaudio.streams[0].callback(out, 10, times(), NO_FLAGS)
    assert stream.latency_s == 0.05
    portaudio.streams[0].callback(out, 10, times(currentTime=7.0, outputBufferDacTime=7.08), NO_FLAGS)
    assert stream.latency_s == pytest.approx(0.08)


def test_a_stream_is_active_between_its_start_and_its_end(portaudio: FakePortAudio) -> None:
    stream = play_on("usb")
    states = [stream.active]
    stream.start()
    states.append(stream.active)
    portaudio.streams[0].vanish()
    states.append(stream.active)
    assert states == [False, True, False]
    stream.close()
    stream.close()
    assert portaudio.streams[0].closed


def test_a_card_that_refuses_to_be_closed_is_left_alone(portaudio: FakePortAudio) -> None:
    stream = play_on("usb")
    portaudio.close_error = FakePortAudioError("gone")
    stream.close()
    portaudio.close_error = None
    refresh_portaudio()  # it counts as closed


def test_portaudio_is_not_started_anew_under_an_open_stream(portaudio: FakePortAudio) -> None:
    stream = play_on("usb")
    with pytest.raises(RuntimeError, match="a stream is open"):
        refresh_portaudio()
    portaudio.plugged = []
    with pytest.raises(SoundCardError):
        play_on("bluetooth")
    assert len(list_cards("output")) == 3, "the list is as it was while a stream needs it"
    stream.close()
    assert list_cards("output") == []
