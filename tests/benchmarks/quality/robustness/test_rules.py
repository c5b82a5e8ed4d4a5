"""Rules against lines whose faults are known: nothing is said of one that has none, and each fault is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.quality.robustness import rules, sounds
from benchmarks.quality.robustness.figures import level_dbfs
from benchmarks.quality.robustness.line import RATE_HZ, Line
from benchmarks.quality.robustness.rules import RULES, Rule, broken
from codec import read_audio

Samples = NDArray[np.float32]
FRAME = 1280
DELAY = 480


@pytest.fixture(scope="module")
def speech(repository: Path) -> Samples:
    """Twelve seconds of it."""
    return read_audio(repository / "codec/assets/speech_cc0.flac", RATE_HZ)[: 12 * RATE_HZ]


def _delayed(samples: Samples) -> Samples:
    return np.pad(samples, (DELAY, 0))


def _hissing(samples: Samples) -> Samples:
    return _delayed(samples) + sounds.hiss((samples.size + DELAY) / RATE_HZ, -55)


def _never_silent_again(samples: Samples) -> Samples:
    heard = _delayed(samples)
    loud = np.maximum.accumulate(np.abs(heard)) > 0.1
    return np.where(loud & (heard == 0), np.float32(0.01) * (-1) ** np.arange(heard.size), heard).astype(np.float32)


def _resonant(samples: Samples) -> Samples:
    """2 kHz and around come back thrice as loud."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(samples.size, 1 / RATE_HZ)
    gain = 1 + 2 * (np.abs(hertz - 2000) < 100)
    return _delayed(np.fft.irfft(gain * spectrum, samples.size).astype(np.float32))


def _levelling(samples: Samples) -> Samples:
    return _delayed(sounds.at_peak(samples, -10) if samples.any() else samples)


def _cutting(samples: Samples) -> Samples:
    """Understood when loud, and not when soft."""
    return _delayed(np.where(np.abs(samples) < 0.005, 0, samples).astype(np.float32))


def _disturbed_by_offset(samples: Samples) -> Samples:
    noise = sounds.hiss((samples.size + DELAY) / RATE_HZ, 0) * np.float32(abs(samples.mean()))
    return np.asarray(_delayed(samples) + noise, dtype=np.float32)


def _echoing(samples: Samples) -> Samples:
    late = round(0.6 * RATE_HZ)
    echo = np.pad(samples, (late, 0))[: samples.size] * np.float32(0.1)
    return _delayed(samples + echo)


def _lost_after_a_gap(samples: Samples) -> Samples:
    """Zeros of half a second, and noise is all that follows."""
    zeros = np.convolve(samples == 0, np.ones(RATE_HZ // 2), mode="full")[: samples.size] > RATE_HZ // 2 - 1
    lost = np.logical_or.accumulate(zeros) & (samples != 0)
    noise = sounds.hiss(samples.size / RATE_HZ, -20)
    return _delayed(np.where(lost, noise, samples).astype(np.float32))


def _thumping(samples: Samples) -> Samples:
    heard = _delayed(samples)
    heard[:DELAY] += 0.01
    return heard


def _fading_in(samples: Samples) -> Samples:
    ramp = np.minimum(np.arange(samples.size) / (0.4 * RATE_HZ), 1) ** 2
    return _delayed((samples * ramp).astype(np.float32))


def _clicking(samples: Samples) -> Samples:
    heard = _delayed(samples)
    heard[::FRAME] += 0.01
    return heard


def test_a_line_that_only_delays_keeps_all_rules(speech: Samples) -> None:
    for rule in RULES:
        assert broken(rule(_delayed, speech, FRAME)) == []


@pytest.mark.parametrize(
    ("line", "rule", "said"),
    [
        (_hissing, rules.silence_stays_silent, "digital silence: noise, dBFS -55"),
        (_never_silent_again, rules.silence_stays_silent, "silence after speech"),
        (_resonant, rules.tones_do_not_explode, "2000 Hz at -6 dBFS: rise of the peak, dB 9.6"),
        (_levelling, rules.level_follows_the_speaker, "speech at -40 dBFS: error of level, dB 30"),
        (_cutting, rules.level_follows_the_speaker, "speech of all levels: STOI between best and worst"),
        (_disturbed_by_offset, rules.bad_input_is_survived, "offset alone: noise, dBFS -3"),
        (_disturbed_by_offset, rules.bad_input_is_survived, "speech with an offset: loss of STOI"),
        (_echoing, rules.gap_is_a_gap, "gap in a sentence: loudest after 200 ms"),
        (_lost_after_a_gap, rules.gap_is_a_gap, "speech behind the gap: loss of STOI"),
        (_thumping, rules.start_is_clean, "silence first: peak, dBFS -40"),
        (_fading_in, rules.start_is_clean, "speech at once: spectrum worse than later"),
        (_clicking, rules.frames_are_not_heard, "speech: rhythm of frames, 1 sample"),
    ],
)
def test_a_fault_breaks_the_rule_against_it(line: Line, rule: Rule, said: str, speech: Samples) -> None:
    assert any(words.startswith(said) for words in broken(rule(line, speech, FRAME)))


def test_what_is_no_number_breaks_every_rule(speech: Samples) -> None:
    def poisoned(samples: Samples) -> Samples:
        return np.full(DELAY + samples.size, np.nan, dtype=np.float32)

    assert np.isnan(level_dbfs(poisoned(speech)))
    assert broken(rules.silence_stays_silent(poisoned, speech, FRAME))
    assert broken(rules.frames_are_not_heard(poisoned, speech, FRAME))
