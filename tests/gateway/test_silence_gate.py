"""Which frames are sent: nothing of the voice is ever missing, and every frame is counted once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.encoder_worker import FrameMark
from gateway.silence_gate import GateStep, SilenceGate, preroll_frames

CODES = np.zeros(4, dtype=np.int64)


def push(gate: SilenceGate, speech: str, *, first: int = 0) -> list[GateStep]:
    """One frame a character: `#` somebody speaks, `.` nobody does."""
    return [gate.push(FrameMark(first + i, 0.0, said == "#"), CODES) for i, said in enumerate(speech)]


def sent(steps: list[GateStep]) -> list[int]:
    return [mark.index for step in steps for mark, _ in step.frames]


def test_speech_is_sent_as_it_comes() -> None:
    steps = push(SilenceGate(), "#####")
    assert [[mark.index for mark, _ in step.frames] for step in steps] == [[0], [1], [2], [3], [4]]
    assert not any(step.pausing or step.pause_after for step in steps)


def test_a_pause_begins_after_the_hangover_and_says_how_much_of_it_is_background() -> None:
    gate = SilenceGate(hangover_frames=5, preroll_frames=2)
    steps = push(gate, "##......")
    assert sent(steps) == [0, 1, 2, 3, 4, 5, 6]
    assert [step.pause_after for step in steps] == [0, 0, 0, 0, 0, 0, 3, 0]
    assert [step.pausing for step in steps] == [False] * 7 + [True]
    assert gate.pauses == 1


def test_a_breath_between_two_words_is_no_pause() -> None:
    gate = SilenceGate(hangover_frames=5, preroll_frames=2)
    assert sent(push(gate, "#....#....#")) == list(range(11))
    assert gate.pauses == gate.silent_frames == 0


def test_what_comes_shortly_before_the_voice_goes_out_first() -> None:
    gate = SilenceGate(hangover_frames=3, preroll_frames=2)
    steps = push(gate, "#..." + "....." + "##")
    assert [mark.index for mark, _ in steps[9].frames] == [7, 8, 9]
    assert [mark.index for mark, _ in steps[10].frames] == [10]
    assert gate.silent_frames == 3


def test_a_stream_that_begins_in_silence_sends_how_that_sounds() -> None:
    gate = SilenceGate(hangover_frames=4, preroll_frames=1)
    steps = push(gate, "......")
    assert sent(steps) == [0, 1, 2, 3]
    assert steps[3].pause_after == 2


def test_what_is_held_back_is_given_up_where_a_gap_follows() -> None:
    gate = SilenceGate(hangover_frames=3, preroll_frames=2)
    push(gate, "#......")
    gate.drop_held()
    assert gate.silent_frames == 3
    assert sent(push(gate, "#", first=100)) == [100]


@given(speech=st.text("#.", max_size=200), hangover=st.integers(3, 12), preroll=st.integers(0, 5))
def test_no_frame_of_speech_is_kept_back_and_each_frame_is_counted_once(
    speech: str, hangover: int, preroll: int
) -> None:
    gate = SilenceGate(hangover_frames=hangover, preroll_frames=preroll)
    steps = push(gate, speech)
    gate.drop_held()
    indices = sent(steps)
    assert indices == sorted(set(indices))
    assert len(indices) + gate.silent_frames == len(speech)
    for index, said in enumerate(speech):
        if said == "#":
            around = range(max(0, index - preroll), min(len(speech), index + hangover + 1))
            assert set(around) <= set(indices)


@pytest.mark.parametrize(("frames_per_packet", "expected"), [(1, 1), (2, 1), (3, 2), (5, 4), (10, 4), (25, 4)])
def test_the_preroll_is_what_a_packet_waits_for_anyway(frames_per_packet: int, expected: int) -> None:
    assert preroll_frames(frames_per_packet) == expected


@pytest.mark.parametrize(("hangover", "preroll"), [(2, 4), (10, -1)])
def test_a_gate_that_would_know_no_background_is_refused(hangover: int, preroll: int) -> None:
    with pytest.raises(ValueError, match="expected a hangover above 2 frames"):
        SilenceGate(hangover_frames=hangover, preroll_frames=preroll)
