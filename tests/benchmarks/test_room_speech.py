"""Where speech is in a recording: the ruler of the virtual room, itself measured."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.room.speech import PAUSE_S, UTTERANCE_S, find, intelligibility, load_speech, speak, utterances

RATE = 16000


@pytest.fixture(scope="module")
def pieces() -> list[NDArray[np.float32]]:
    return utterances(RATE, count=6)


def test_each_utterance_is_found_where_it_was_said(pieces: list[NDArray[np.float32]]) -> None:
    speech = speak(pieces, RATE)
    for number, piece in enumerate(pieces):
        place = find(piece, speech, RATE)
        assert place.found
        assert place.at_s == pytest.approx(number * (UTTERANCE_S + PAUSE_S), abs=0.001)


@pytest.mark.parametrize("delay_s", [0.0, 0.123, 0.4, 1.6])
def test_a_delay_is_measured_to_the_millisecond_in_noise_and_at_another_level(
    pieces: list[NDArray[np.float32]], delay_s: float
) -> None:
    noise = np.random.default_rng(3).normal(scale=0.002, size=5 * RATE).astype(np.float32)
    recording = noise.copy()
    at = round(delay_s * RATE)
    recording[at : at + len(pieces[0])] += 0.3 * pieces[0]
    assert find(pieces[0], recording, RATE).at_s == pytest.approx(delay_s, abs=0.0015)


def test_other_words_noise_and_silence_are_not_taken_for_it(pieces: list[NDArray[np.float32]]) -> None:
    noise = np.random.default_rng(3).normal(scale=0.1, size=5 * RATE).astype(np.float32)
    assert not find(pieces[0], speak(pieces[1:], RATE), RATE).found
    assert not find(pieces[0], noise, RATE).found
    assert not find(pieces[0], np.zeros(5 * RATE, dtype=np.float32), RATE).found
    assert not find(pieces[0], np.zeros(10, dtype=np.float32), RATE).found


def test_intelligibility_is_high_for_the_same_speech_and_low_for_noise() -> None:
    speech = load_speech(RATE)[: 4 * RATE]
    noise = np.random.default_rng(3).normal(scale=0.1, size=len(speech)).astype(np.float32)
    assert intelligibility(speech, 0.5 * speech, RATE) > 0.99
    assert intelligibility(speech, noise, RATE) < 0.4
