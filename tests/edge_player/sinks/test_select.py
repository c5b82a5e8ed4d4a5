"""Which sink the settings mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from codec.audio.cards import CardOptions
from codec.audio.cards import listing as listing_module
from codec.errors import SoundCardError
from edge_player.config import SinkConfig
from edge_player.errors import SinkError
from edge_player.sinks import NullSink, PipeSink, WavSink, open_sink
from edge_player.sinks.select import card_options

RATE = 16000


def test_out_chooses_the_sink(tmp_path: Path) -> None:
    assert isinstance(open_sink(SinkConfig("null"), sample_rate=RATE), NullSink)
    assert isinstance(open_sink(SinkConfig("-"), sample_rate=RATE), PipeSink)
    assert isinstance(open_sink(SinkConfig(str(tmp_path / "a.wav")), sample_rate=RATE), WavSink)


def test_the_settings_of_a_card_reach_it() -> None:
    config = SinkConfig(device="usb", rate=96000, channels="3, 4", exclusive=True)
    assert card_options(config) == CardOptions("usb", sample_rate=96000, channels=(3, 4), exclusive=True)
    assert card_options(SinkConfig()) == CardOptions()


@pytest.mark.parametrize(
    ("reason", "retryable"),
    [("missing", True), ("busy", True), ("failed", True), ("library", False), ("ambiguous", False), ("format", False)],
)
def test_a_card_that_cannot_be_had_is_a_sink_error_that_says_whether_waiting_helps(
    reason: str, retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(direction: str, *, probe_rates: bool = False) -> None:
        raise SoundCardError("no card", reason=reason)  # type: ignore[arg-type]

    monkeypatch.setattr(listing_module, "list_cards", refuse)
    with pytest.raises(SinkError, match="no card") as caught:
        open_sink(SinkConfig("speaker"), sample_rate=RATE)
    assert caught.value.retryable is retryable
    assert caught.value.exit_code == 74
