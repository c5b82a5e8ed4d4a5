"""Which frames were never sent, from packets, heartbeats and their order."""

from __future__ import annotations

from edge_player.buffer.silent_spans import KEPT_SPANS, SilentSpan, SilentSpans
from protocol.event import HEARTBEAT_PATIENCE_S


def note(
    spans: SilentSpans, index: int, count: int = 1, *, pause: int = 0, at: float = 0.0, after: int | None = None
) -> None:
    spans.note_packet(index, count, pause_after=pause, received_at=at, next_after=after)


def test_without_a_word_nothing_is_silent() -> None:
    spans = SilentSpans()
    note(spans, 0, 5)
    assert spans.find(5, 0.0) is None
    assert spans.open_since is None


def test_a_pause_holds_every_frame_after_its_packet() -> None:
    spans = SilentSpans()
    note(spans, 0, 5, pause=3)
    assert spans.open_since == 5
    assert spans.find(4, 1.0) is None
    assert spans.find(5, 1.0) == spans.find(10**6, 1.0) == SilentSpan(5, None, 3)


def test_the_first_packet_after_it_ends_it() -> None:
    spans = SilentSpans()
    note(spans, 0, 5, pause=3)
    note(spans, 20, 5)
    assert spans.find(19, 1.0) == SilentSpan(5, 20, 3)
    assert spans.find(20, 1.0) is None
    assert spans.open_since is None


def test_speech_that_comes_at_once_leaves_no_pause() -> None:
    spans = SilentSpans()
    note(spans, 0, 5, pause=3)
    note(spans, 5, 5)
    assert spans.find(5, 0.0) is None


def test_a_packet_of_before_the_pause_does_not_end_it() -> None:
    spans = SilentSpans()
    note(spans, 5, 5, pause=3)
    note(spans, 0, 5)
    assert spans.find(10, 0.0) == SilentSpan(10, None, 3)


def test_a_packet_that_comes_twice_does_not_begin_its_pause_again() -> None:
    spans = SilentSpans()
    note(spans, 0, 5, pause=3)
    note(spans, 20, 5)
    note(spans, 0, 5, pause=3)
    assert spans.open_since is None
    assert spans.find(30, 0.0) is None


def test_one_that_was_overtaken_says_where_the_silence_was() -> None:
    spans = SilentSpans()
    note(spans, 0, 5)
    note(spans, 20, 5)
    note(spans, 5, 5, pause=3, after=20)
    assert spans.find(19, 0.0) == SilentSpan(10, 20, 3)
    assert spans.find(25, 0.0) is None


def test_a_heartbeat_tells_of_a_pause_whose_packet_was_lost() -> None:
    spans = SilentSpans()
    note(spans, 0, 5)
    spans.note_heartbeat(10.0)
    assert spans.find(5, 10.0) == SilentSpan(5, None)
    note(spans, 20, 1)
    assert spans.find(19, 10.0) == SilentSpan(5, 20)


def test_a_heartbeat_before_any_packet_means_nothing() -> None:
    spans = SilentSpans()
    spans.note_heartbeat(10.0)
    assert spans.find(0, 10.0) is None


def test_a_pause_without_a_heartbeat_is_believed_for_45_seconds() -> None:
    spans = SilentSpans()
    note(spans, 0, 5, pause=3, at=100.0)
    assert spans.find(5, 100.0 + HEARTBEAT_PATIENCE_S - 0.1) is not None
    assert spans.find(5, 100.0 + HEARTBEAT_PATIENCE_S) is None
    spans.note_heartbeat(150.0)
    assert spans.find(5, 150.0) is not None


def test_who_is_gone_has_no_pause() -> None:
    spans = SilentSpans()
    note(spans, 0, 5, pause=3)
    spans.forget_open()
    assert spans.find(5, 0.0) is None


def test_only_so_many_pauses_are_kept() -> None:
    spans = SilentSpans()
    for number in range(2 * KEPT_SPANS):
        note(spans, 10 * number, 5, pause=1)
    assert spans.find(5, 0.0) is None
    assert spans.find(10 * (2 * KEPT_SPANS - 2) + 5, 0.0) is not None
