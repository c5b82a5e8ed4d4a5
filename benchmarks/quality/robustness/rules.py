"""What a codec must keep to, whatever it is given. Each rule sends sounds down a line and says what came back.

A rule's figures have one limit each, and more than that is a fault. They were set for the ear, not for any weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.robustness import sounds
from benchmarks.quality.robustness.figures import (
    band_difference_db,
    frame_rhythm,
    level_dbfs,
    loudest_dbfs,
    peak_dbfs,
)
from benchmarks.quality.robustness.line import RATE_HZ, Line, Samples, lined_up
from benchmarks.quality.robustness.scores import intelligibility

SPEECH_S = 8
IDLE_DBFS = -60.0
"""Loudest idle noise: in a quiet room with speech at a comfortable level nobody hears it."""
HISS_DBFS = -70.0
"""Of a good microphone in a quiet room."""
PEAK_RISE_DB = 6.0
TONES_HZ = (100, 200, 440, 1000, 2000, 4000, 7000)
LEVELS_DBFS = (-40, -30, -20, -10, 0)
LEVEL_ERROR_DB = 2.0
GAP_S = 1.0
GAP_DBFS = -50.0
GAP_FALL_S = 0.2
"""How long a room may ring on when the line goes dead."""
STOI_LOSS = 0.03
"""Of intelligibility, 0 to 1: less is not noticed in listening tests."""
OFFSET = 0.1
IDLE_OFFSET = 0.02
"""Of full scale, beside speech and alone. Sound cards of the cheapest kind have one of some hundredths."""
START_S = 0.2
COLD_LOSS_DB = 2.0
RHYTHM_RISE = {1: 0.25, 16: 0.1}
"""By how much `frame_rhythm` may be above that of the original, for a width of one sample and of a millisecond. Twenty
seconds of speech that have 1.26 and 1.12 come out of Opus at 6 kbit/s with 1.31 and 1.11, of Codec2 3200 with 1.39 and
1.25."""

_NEXT_SOUND_S = 0.02
"""The encoder looks ahead: the last of a gap belongs to the sound that follows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of one sound. More than `limit` is a fault; None: it is told, and no limit is set."""

    sound: str
    what: str
    value: float
    limit: float | None

    @property
    def kept(self) -> bool:
        """Whether the rule is. What is no number keeps nothing."""
        return self.limit is None or self.value <= self.limit

    def __str__(self) -> str:
        return f"{self.sound}: {self.what} {self.value:.2f}, at most {self.limit}"


Rule = Callable[[Line, Samples, int], list[Finding]]
"""Takes a line, speech of SPEECH_S or more, and the samples in a frame."""


def silence_stays_silent(line: Line, speech: Samples, frame_size: int) -> list[Finding]:
    """Digital silence, before and after speech, and the hiss of a microphone."""
    after = lined_up(line(padded := np.concatenate([_shortened(speech, 2), sounds.silence(1)])), padded)
    heard = {
        "digital silence": line(sounds.silence(2)),
        "silence after speech": after[-round((GAP_S - GAP_FALL_S) * RATE_HZ) :],
        f"hiss of {HISS_DBFS:g} dBFS": line(sounds.hiss(2, HISS_DBFS)),
    }
    return [Finding(name, "noise, dBFS", level_dbfs(samples), IDLE_DBFS) for name, samples in heard.items()]


def tones_do_not_explode(line: Line, speech: Samples, frame_size: int) -> list[Finding]:
    """Sines, a chord, a sweep, loud and soft: none comes back much higher than it was."""
    given = {f"{hertz} Hz": sounds.tone(hertz, 0.5) for hertz in TONES_HZ}
    given |= {"chord": sounds.chord(0.5), "sweep": sounds.sweep(1.5)}
    findings = []
    for name, sound in given.items():
        for dbfs in (-6, -20):
            sent = sounds.at_peak(sound, dbfs)
            heard = line(sent)
            rise = peak_dbfs(heard) - dbfs
            findings.append(Finding(f"{name} at {dbfs} dBFS", "rise of the peak, dB", rise, PEAK_RISE_DB))
        lost = level_dbfs(sent) - level_dbfs(lined_up(heard, sent))
        findings.append(Finding(f"{name} at {dbfs} dBFS", "loss of level, dB", lost, None))
    return findings


def level_follows_the_speaker(line: Line, speech: Samples, frame_size: int) -> list[Finding]:
    """From a whisper far away to full scale: as loud as it was, and as well understood."""
    speech = _pieces(speech)
    findings = []
    for dbfs in LEVELS_DBFS:
        sent = sounds.at_peak(speech, dbfs)
        heard = lined_up(line(sent), sent)
        error = abs(level_dbfs(heard) - level_dbfs(sent))
        findings.append(Finding(f"speech at {dbfs} dBFS", "error of level, dB", error, LEVEL_ERROR_DB))
        findings.append(Finding(f"speech at {dbfs} dBFS", "loss of STOI", 1 - intelligibility(sent, heard), None))
        findings.append(Finding(f"speech at {dbfs} dBFS", "rise of the peak, dB", _rise(heard, sent), PEAK_RISE_DB))
    losses = [finding.value for finding in findings if finding.what == "loss of STOI"]
    findings.append(Finding("speech of all levels", "STOI between best and worst", float(np.ptp(losses)), STOI_LOSS))
    return findings


def bad_input_is_survived(line: Line, speech: Samples, frame_size: int) -> list[Finding]:
    """Clipped by 12 dB, and shifted by a tenth of full scale."""
    speech = sounds.at_peak(_pieces(speech), -6)
    plain = intelligibility(speech, lined_up(line(speech), speech))
    clipped = sounds.overdriven(speech, 12)
    heard = lined_up(line(clipped), clipped)
    findings = [
        Finding("clipped speech", "samples at full scale, %", _at_full_scale(heard), _at_full_scale(clipped)),
        Finding("clipped speech", "loss of STOI beside plain", plain - intelligibility(clipped, heard), 2 * STOI_LOSS),
    ]
    shifted = (speech + OFFSET).astype(np.float32)
    heard = lined_up(line(shifted), shifted)
    return [
        *findings,
        Finding(
            "speech with an offset", "loss of STOI beside plain", plain - intelligibility(speech, heard), STOI_LOSS
        ),
        Finding("speech with an offset", "rise of the peak, dB", _rise(heard, shifted), PEAK_RISE_DB),
        Finding("offset alone", "noise, dBFS", level_dbfs(_settled(line(sounds.silence(2) + IDLE_OFFSET))), IDLE_DBFS),
    ]


def gap_is_a_gap(line: Line, speech: Samples, frame_size: int) -> list[Finding]:
    """A second of digital zero in mid-sentence: soon silent, and the speech behind it as if there had been none."""
    speech = _shortened(speech, 5)
    middle = _loud_place(speech)
    sent = sounds.with_gap(speech, middle, GAP_S)
    heard = lined_up(line(sent), sent)
    end = middle + round(GAP_S * RATE_HZ)
    quiet = heard[middle + round(GAP_FALL_S * RATE_HZ) : end - round(_NEXT_SOUND_S * RATE_HZ)]
    rest, whole = speech[middle:], lined_up(line(speech), speech)
    loss = intelligibility(rest, whole[middle:]) - intelligibility(rest, heard[end:])
    return [
        Finding("gap in a sentence", f"loudest after {1000 * GAP_FALL_S:g} ms, dBFS", loudest_dbfs(quiet), GAP_DBFS),
        Finding("speech behind the gap", "loss of STOI", loss, STOI_LOSS),
        Finding("speech behind the gap", "rise of the peak, dB", _rise(heard[end:], rest), PEAK_RISE_DB),
    ]


def start_is_clean(line: Line, speech: Samples, frame_size: int) -> list[Finding]:
    """The first 200 ms of a stream: no thump before silence, and speech that starts at once as later in a stream."""
    start = round(START_S * RATE_HZ)
    findings = [Finding("silence first", "peak, dBFS", peak_dbfs(line(sounds.silence(START_S))), IDLE_DBFS)]
    cold, warm, rises = [], [], []
    for place in _loud_places(speech, count=4):
        before, sent = speech[place - RATE_HZ : place], speech[place : place + 2 * start]
        at_once = line(sent)
        later = lined_up(line(run := np.concatenate([before, sent])), run)[before.size :]
        cold.append(band_difference_db(sent[:start], lined_up(at_once, sent)[:start]))
        warm.append(band_difference_db(sent[:start], later[:start]))
        rises.append(_rise(at_once[: at_once.size - start], sent))
    loss = float(np.mean(cold) - np.mean(warm))
    return [
        *findings,
        Finding("speech at once", "spectrum worse than later, dB", loss, COLD_LOSS_DB),
        Finding("speech at once", "rise of the peak, dB", float(np.max(rises)), PEAK_RISE_DB),
    ]


def frames_are_not_heard(line: Line, speech: Samples, frame_size: int) -> list[Finding]:
    """No clicks where frames meet, and no noise that is the same in each: it would buzz as often as they come."""
    findings = []
    for name, sent in {"speech": speech, "noise": sounds.hiss(5, -30)}.items():
        heard = lined_up(line(sent), sent)
        for width, rise in RHYTHM_RISE.items():
            limit = frame_rhythm(sent, frame_size, width=width) + rise
            value = frame_rhythm(heard, frame_size, width=width)
            what = f"rhythm of frames, {width} sample{'s' if width > 1 else ''}"
            findings.append(Finding(name, what, value, limit))
    return findings


RULES: tuple[Rule, ...] = (
    silence_stays_silent,
    tones_do_not_explode,
    level_follows_the_speaker,
    bad_input_is_survived,
    gap_is_a_gap,
    start_is_clean,
    frames_are_not_heard,
)


def _shortened(speech: Samples, seconds: float) -> Samples:
    return speech[: round(seconds * RATE_HZ)]


def _pieces(speech: Samples, *, count: int = 4) -> Samples:
    """A second of each of so many equal parts, joined: of all speakers where there are several, and soon sent."""
    part = speech.size // count
    return np.concatenate([speech[start : start + RATE_HZ] for start in range(0, count * part, part)])


def _settled(samples: Samples) -> Samples:
    """Without the step at the beginning, and without its mean: nobody hears an offset."""
    rest: Samples = samples[round(GAP_FALL_S * RATE_HZ) :]
    return np.asarray(rest - rest.mean(), dtype=np.float32)


def _at_full_scale(samples: Samples) -> float:
    return 100 * float(np.mean(np.abs(samples) > 0.99))


def _rise(heard: Samples, sent: Samples) -> float:
    return peak_dbfs(heard) - peak_dbfs(sent)


def _loud_place(speech: Samples) -> int:
    """A sample near the middle of `speech` in the loudest tenth of a second there: in a vowel."""
    third = speech.size // 3
    return third + _loudest_tenth(speech[third : 2 * third])


def _loud_places(speech: Samples, *, count: int) -> list[int]:
    """One such sample in each of `count` stretches, the first of which begins a second after the beginning."""
    stretch = (speech.size - 2 * RATE_HZ) // count
    starts = [RATE_HZ + index * stretch for index in range(count)]
    return [start + _loudest_tenth(speech[start : start + stretch]) for start in starts]


def _loudest_tenth(samples: Samples) -> int:
    size = RATE_HZ // 10
    power = np.square(samples[: samples.size // size * size].reshape(-1, size)).sum(axis=1)
    return int(power.argmax()) * size


def broken(findings: Sequence[Finding]) -> list[str]:
    """In words, what is more than its limit."""
    return [str(finding) for finding in findings if not finding.kept]
