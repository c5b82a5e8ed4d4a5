"""Hold and fade for 200 ms, then silence, then fade in."""

from __future__ import annotations

import numpy as np
import pytest

from edge_player.render.concealment import Concealer

RATE, FRAME = 16000, 1280
CODES = np.array([3, 4, 5, -1])


@pytest.fixture
def concealer() -> Concealer:
    return Concealer(frame_size=FRAME, sample_rate=RATE)


def test_nothing_is_made_up_before_the_first_frame(concealer: Concealer) -> None:
    concealed = concealer.conceal()
    assert not concealed.audible
    assert concealed.codes is None


def test_a_loss_holds_the_last_codes_and_fades_to_silence_within_200_ms(concealer: Concealer) -> None:
    concealer.resume(CODES)
    gains = []
    for _ in range(3):
        concealed = concealer.conceal()
        assert concealed.audible
        assert concealed.codes is not None
        assert concealed.codes.tolist() == CODES.tolist()
        assert concealed.gain is not None
        gains.append(concealed.gain)
    gain = np.concatenate(gains)
    assert (np.diff(gain) <= 0).all()
    assert gain[: RATE * 40 // 1000].min() == 1.0
    assert not gain[RATE * 200 // 1000 :].any()
    assert gain.max() <= 1.0
    assert np.abs(np.diff(gain)).max() < 0.001  # no click anywhere


def test_after_200_ms_the_decoder_is_fed_unheard_and_after_a_second_no_more(concealer: Concealer) -> None:
    concealer.resume(CODES)
    results = [concealer.conceal() for _ in range(20)]
    assert [result.audible for result in results] == [True] * 3 + [False] * 17
    assert [result.codes is not None for result in results] == [True] * 13 + [False] * 7


def test_sound_comes_back_from_where_the_fade_had_left_it(concealer: Concealer) -> None:
    concealer.start_at_full_level()
    assert concealer.resume(CODES) is None
    concealed = concealer.conceal()
    assert concealed.gain is not None
    gain = concealer.resume(CODES)
    assert gain is not None
    assert gain[0] == pytest.approx(concealed.gain[-1])
    assert (np.diff(gain) >= 0).all()
    assert gain[160:].min() == 1.0
    assert concealer.resume(CODES) is None


def test_after_a_reset_nothing_is_held_and_the_sound_fades_in(concealer: Concealer) -> None:
    concealer.resume(CODES)
    concealer.reset()
    assert concealer.conceal().codes is None
    gain = concealer.resume(CODES)
    assert gain is not None
    assert gain[0] == 0.0


def test_the_true_beginning_of_a_stream_is_not_faded(concealer: Concealer) -> None:
    concealer.reset()
    concealer.start_at_full_level()
    assert concealer.resume(CODES) is None
