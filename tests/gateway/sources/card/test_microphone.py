from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.audio.cards import CardOptions, CardStream, InputCallback, SoundCard
from codec.errors import SoundCardError, SoundCardFault
from gateway.config import MicrophoneConfig
from gateway.errors import MicrophoneError
from gateway.sources import AudioBlock, MicSource
from gateway.sources.card import microphone

RATE = 16000
CARD = SoundCard(
    index=3,
    name="Desk",
    host_api="ALSA",
    direction="input",
    channels=2,
    sample_rate=RATE,
    sample_rates=(),
    is_default=True,
)


def filled(samples: int, *values: float) -> NDArray[np.float32]:
    """A block `[samples, channels]`, each channel of one value."""
    return np.tile(np.array(values or (0.5,), dtype=np.float32), (samples, 1))


class FakeStream:
    """A card that delivers what it is told to: nothing by itself."""

    def __init__(self, card: SoundCard, rate: int, callback: InputCallback) -> None:
        self.card = card
        self.sample_rate = rate
        self.channels = 2
        self.latency_s = 0.02
        self.active = False
        self.callback = callback
        self.closed = 0
        self.refusal: SoundCardError | None = None
        self.at_start: Callable[[InputCallback], None] | None = None

    def start(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.active = True
        if self.at_start is not None:
            self.at_start(self.callback)

    def close(self) -> None:
        self.active = False
        self.closed += 1


@dataclass
class FakeCards:
    """The machine's cards: what each opening finds, in turn; the last one stays."""

    openings: list[SoundCardError | tuple[str, int]] = field(default_factory=lambda: [("Desk", RATE)])
    asked: list[CardOptions] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)
    refreshed: int = 0
    at_start: Callable[[InputCallback], None] | None = None

    def open(self, options: CardOptions, callback: InputCallback, *, block_s: float) -> CardStream:
        self.asked.append(options)
        found = self.openings.pop(0) if len(self.openings) > 1 else self.openings[0]
        if isinstance(found, SoundCardError):
            raise found
        name, rate = found
        stream = FakeStream(replace(CARD, name=name), rate, callback)
        stream.at_start = self.at_start
        self.streams.append(stream)
        return stream

    def refresh(self) -> None:
        assert not any(stream.active for stream in self.streams)
        self.refreshed += 1


def refusal(reason: SoundCardFault = "missing", text: str = "No sound card is called Desk") -> SoundCardError:
    return SoundCardError(text, reason=reason)


@pytest.fixture
def cards() -> FakeCards:
    return FakeCards()


@pytest.fixture
def make(cards: FakeCards, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., MicSource]:
    """`make(config, wait=…)`: a microphone that never really waits."""
    monkeypatch.setattr(microphone, "_POLL_S", 0.0)
    monkeypatch.setattr(microphone, "_RETRY_S", 0.0)

    def build(config: MicrophoneConfig | None = None, **options: Any) -> MicSource:
        options = {"sample_rate": RATE, "clock": clock, **options}
        return MicSource(config, open_card=cards.open, refresh=cards.refresh, **options)

    return build


def sound(blocks: Iterator[AudioBlock]) -> AudioBlock:
    """The next block that has samples, or says that some were lost."""
    return next(block for block in blocks if block.samples.size or block.lost_samples)


def test_blocks_carry_the_time_of_their_first_sample(
    make: Callable[..., MicSource], cards: FakeCards, clock: Any
) -> None:
    with make() as source:
        cards.streams[0].callback(filled(320), 0.03, False)
        block = sound(source.blocks(threading.Event()))
        assert block.captured_at == pytest.approx(clock() - 0.03)
        assert block.clipped_samples == 0
        assert cards.streams[0].active
    assert cards.streams[0].closed == 1


def test_the_settings_reach_the_card(make: Callable[..., MicSource], cards: FakeCards) -> None:
    with make(MicrophoneConfig(device="usb", rate=44100, channel=2, exclusive=True)):
        assert cards.asked == [CardOptions(device="usb", sample_rate=44100, channels=(2,), exclusive=True)]
    with make():
        assert cards.asked[1] == CardOptions()


def test_it_is_called_what_it_is(make: Callable[..., MicSource]) -> None:
    source = make(MicrophoneConfig(device="des"))
    assert source.description == "microphone des"
    assert make().description == "microphone"
    with source:
        assert source.description == "microphone Desk"
    assert source.live


def test_channels_are_averaged(make: Callable[..., MicSource], cards: FakeCards) -> None:
    with make() as source:
        cards.streams[0].callback(filled(320, 0.5, 0.1), 0.02, False)
        np.testing.assert_allclose(sound(source.blocks(threading.Event())).samples, 0.3, rtol=1e-6)


def test_clipping_of_one_channel_is_seen_before_it_is_averaged(
    make: Callable[..., MicSource], cards: FakeCards
) -> None:
    cards.openings = [("Desk", 48000)]
    with make() as source:
        cards.streams[0].callback(filled(960, 1.0, 0.0), 0.02, False)
        assert next(source.blocks(threading.Event())).clipped_samples == 960


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
def test_a_card_at_its_own_rate_is_resampled_and_keeps_its_times(
    make: Callable[..., MicSource], cards: FakeCards, clock: Any, rate: int
) -> None:
    """A click is found at the time at which it was recorded."""
    cards.openings = [("Desk", rate)]
    card_block = rate // 50
    begun = clock.now
    clicks_at, count, peak = 0.0, 0, 0.0
    with make() as source:
        blocks = source.blocks(threading.Event())
        for number in range(50):
            click = np.zeros((card_block, 1), dtype=np.float32)
            if number == 20:
                click[0] = 0.9
            clock.now = begun + (number + 1) * 0.02
            cards.streams[0].callback(click, 0.02, False)
            block = next(blocks)
            count += len(block.samples)
            if block.samples.size and np.abs(block.samples).max() > peak:
                peak = float(np.abs(block.samples).max())
                assert block.captured_at is not None
                clicks_at = block.captured_at + int(np.abs(block.samples).argmax()) / RATE
    assert count == pytest.approx(RATE, abs=RATE // 8)  # less what soxr still holds
    assert clicks_at - begun == pytest.approx(0.4, abs=1.5 / min(rate, RATE))


def test_an_overflow_is_counted_and_moves_time_on(make: Callable[..., MicSource], cards: FakeCards, clock: Any) -> None:
    with make() as source:
        blocks = source.blocks(threading.Event())
        stream = cards.streams[0]
        stream.callback(filled(320), 0.02, True)
        assert sound(blocks).lost_samples == 320  # nothing to compare with: one block
        clock.now += 0.32
        stream.callback(filled(320), 0.02, True)
        assert sound(blocks).lost_samples == pytest.approx(0.3 * RATE, abs=1)  # what the times say
        clock.now += 500.0
        stream.callback(filled(320), 0.02, True)
        assert sound(blocks).lost_samples == RATE  # times that jump are not believed
        assert source.overflows == 3


def test_an_encoder_that_falls_behind_loses_the_oldest(
    make: Callable[..., MicSource], cards: FakeCards, clock: Any
) -> None:
    with make() as source:
        blocks = source.blocks(threading.Event())
        next(blocks)
        for number in range(150):  # 3 s into a ring of 2 s
            clock.now += 0.02
            cards.streams[0].callback(filled(320, number / 200), 0.02, False)
        block = sound(blocks)
        assert block.lost_samples == 50 * 320
        assert block.samples[0] == pytest.approx(50 / 200)
        assert source.overflows == 50


def test_while_nothing_comes_empty_blocks_let_the_encoder_finish_its_packet(make: Callable[..., MicSource]) -> None:
    with make() as source:
        block = next(source.blocks(threading.Event()))
    assert block.samples.size == 0
    assert block.captured_at is None


def test_a_stop_is_heard_in_every_state(make: Callable[..., MicSource], cards: FakeCards) -> None:
    stop = threading.Event()
    with make() as source:
        blocks = source.blocks(stop)
        next(blocks)
        stop.set()
        assert list(blocks) == []
    cards.openings = [refusal()]
    with make(wait=True) as source:
        assert list(source.blocks(stop)) == []


@pytest.mark.parametrize("reason", ["library", "missing", "ambiguous", "busy", "format", "failed"])
def test_a_card_that_cannot_be_opened_is_an_error_at_once(
    make: Callable[..., MicSource], cards: FakeCards, reason: SoundCardFault
) -> None:
    cards.openings = [refusal(reason)]
    with pytest.raises(SoundCardError, match="Desk") as caught:
        make().__enter__()
    assert caught.value.exit_code == 74


def test_a_card_that_opens_but_does_not_start_is_an_error(make: Callable[..., MicSource], cards: FakeCards) -> None:
    with make() as source:
        cards.streams[0].refusal = refusal("busy", "The sound card Desk is in use")
        with pytest.raises(SoundCardError, match="in use"):
            next(source.blocks(threading.Event()))
    assert cards.streams[0].closed == 1


@pytest.mark.parametrize("reason", ["library", "ambiguous", "format"])
def test_what_waiting_does_not_mend_is_an_error_with_wait_too(
    make: Callable[..., MicSource], cards: FakeCards, reason: SoundCardFault
) -> None:
    cards.openings = [refusal(reason)]
    with pytest.raises(SoundCardError):
        make(wait=True).__enter__()


def test_a_missing_card_is_waited_for_and_each_reason_said_once(
    make: Callable[..., MicSource], cards: FakeCards, caplog: pytest.LogCaptureFixture
) -> None:
    cards.openings = [*[refusal()] * 20, *[refusal("busy", "Desk is in use")] * 20, ("Desk", RATE)]
    with caplog.at_level(logging.WARNING), make(wait=True) as source:
        blocks = source.blocks(threading.Event())
        while not cards.streams:
            assert next(blocks).samples.size == 0
        next(blocks)
        cards.streams[0].callback(filled(320), 0.02, False)
        block = sound(blocks)
    assert block.lost_samples == 0  # the stream begins with it: nothing was lost
    assert caplog.messages == ["No sound card is called Desk; waiting for it", "Desk is in use; waiting for it"]
    assert cards.refreshed >= 39  # PortAudio has to look anew each time
    assert source.counters == {"input_device_losses": 0, "input_device_returns": 0}


def lose(cards: FakeCards, blocks: Iterator[AudioBlock], clock: Any, *, silently: bool) -> None:
    """The open card goes: PortAudio says so, or just calls no more."""
    stream = cards.streams[-1]
    if silently:
        clock.now += 2.5
    else:
        stream.active = False
    while not stream.closed:
        next(blocks)


@pytest.mark.parametrize("silently", [False, True])
@pytest.mark.parametrize("rate", [RATE, 48000])
def test_a_card_that_vanishes_and_comes_back_goes_on_at_the_right_time(
    make: Callable[..., MicSource],
    cards: FakeCards,
    clock: Any,
    caplog: pytest.LogCaptureFixture,
    silently: bool,
    rate: int,
) -> None:
    cards.openings = [("Desk", RATE), refusal(), refusal(), ("Desk", rate)]
    with caplog.at_level(logging.WARNING), make(wait=silently) as source:
        blocks = source.blocks(threading.Event())
        clock.now += 0.02
        cards.streams[0].callback(filled(320), 0.02, False)
        last = sound(blocks)
        assert last.captured_at is not None
        lose(cards, blocks, clock, silently=silently)
        while len(cards.streams) < 2:
            next(blocks)
        clock.now += 3.0
        cards.streams[1].callback(filled(rate // 50), 0.02, False)
        back = sound(blocks)
        away_s = clock() - 0.02 - (last.captured_at + 0.02)
        assert back.lost_samples == pytest.approx(away_s * RATE, abs=2)
        cards.streams[1].callback(filled(rate // 50), 0.02, False)
        assert sound(blocks).lost_samples == 0
    assert source.counters == {"input_device_losses": 1, "input_device_returns": 1}
    assert [message.split(";")[0].split(":")[0] for message in caplog.messages] == [
        "the microphone Desk went away",
        f"the microphone Desk is back after {away_s:.1f} s, at {rate} Hz",
    ]


def test_what_the_resampler_held_before_the_loss_is_not_lost(
    make: Callable[..., MicSource], cards: FakeCards, clock: Any
) -> None:
    cards.openings = [("Desk", 48000)]
    with make() as source:
        blocks = source.blocks(threading.Event())
        count = 0
        for _ in range(10):
            clock.now += 0.02
            cards.streams[0].callback(filled(960), 0.02, False)
            count += len(next(blocks).samples)
        assert count < 3200
        cards.streams[0].active = False
        count += len(next(blocks).samples)
    assert count == 3200


def test_the_default_card_may_be_another_one_afterwards(
    make: Callable[..., MicSource], cards: FakeCards, caplog: pytest.LogCaptureFixture, clock: Any
) -> None:
    cards.openings = [("Desk", RATE), ("Headset", 48000)]
    with caplog.at_level(logging.WARNING), make() as source:
        blocks = source.blocks(threading.Event())
        next(blocks)
        lose(cards, blocks, clock, silently=False)
        next(blocks)
        cards.streams[1].callback(filled(960), 0.02, False)
        next(blocks)
        assert source.description == "microphone Headset"
    assert "the microphone is another one now: Headset; it was Desk" in caplog.messages


def test_without_wait_a_lost_card_is_looked_for_ten_seconds(
    make: Callable[..., MicSource], cards: FakeCards, clock: Any
) -> None:
    cards.openings = [("Desk", RATE), refusal()]
    with make() as source:
        blocks = source.blocks(threading.Event())
        next(blocks)
        lose(cards, blocks, clock, silently=False)
        clock.now += 9.0
        for _ in range(5):
            next(blocks)
        clock.now += 1.5
        with pytest.raises(MicrophoneError, match=r"did not come back within 10 s.*--wait.*No sound card is called"):
            next(blocks)


def test_a_card_that_opens_but_never_delivers_is_not_tried_for_ever(
    make: Callable[..., MicSource], cards: FakeCards, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def listen(source: MicSource) -> None:
        for _ in source.blocks(threading.Event()):
            clock.now += 0.5

    with caplog.at_level(logging.WARNING), make() as source, pytest.raises(MicrophoneError, match="no sound comes"):
        listen(source)
    assert source.counters == {"input_device_losses": 1, "input_device_returns": 0}
    assert len(caplog.messages) == 1
    assert len(cards.streams) > 1


def test_with_wait_a_lost_card_is_waited_for_whatever_it_says(
    make: Callable[..., MicSource], cards: FakeCards, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """At its return a card may be claimed by another program first, or run at another rate."""
    cards.openings = [
        ("Desk", RATE),
        *[refusal("busy", "in use")] * 5,
        *[refusal("format", "refuses")] * 5,
        ("Desk", 1),
    ]
    with caplog.at_level(logging.WARNING), make(wait=True) as source:
        blocks = source.blocks(threading.Event())
        next(blocks)
        lose(cards, blocks, clock, silently=False)
        clock.now += 3600.0
        while len(cards.streams) < 2:
            next(blocks)
    assert caplog.messages[1:] == ["in use; waiting for it", "refuses; waiting for it"]


def test_overflows_of_a_card_that_went_are_not_forgotten(
    make: Callable[..., MicSource], cards: FakeCards, clock: Any
) -> None:
    with make() as source:
        blocks = source.blocks(threading.Event())
        cards.streams[0].callback(filled(320), 0.02, True)
        sound(blocks)
        lose(cards, blocks, clock, silently=False)
        next(blocks)
        cards.streams[1].callback(filled(320), 0.02, True)
        sound(blocks)
        assert source.overflows == 2
    assert source.overflows == 2
