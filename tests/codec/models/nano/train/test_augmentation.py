"""Each effect, measured in what comes out: how strong it is, where it sits, and that it leaves the rest alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.models.nano.train.augmentation import (
    Augmentation,
    biquad_response,
    peaking_biquad,
    pink_noise,
    room_response,
    shelf_biquad,
)

RATE = 16_000
LENGTH = 24_576
"""A fast size for a Fourier transform: no slack behind it that would hide a wrap-around."""

Samples = NDArray[np.float32]


def every_effect(probability: float) -> Augmentation:
    """All of them as often, at full scale."""
    return Augmentation(
        speed=probability,
        voice=probability,
        equaliser=probability,
        reverberation=probability,
        noise=probability,
        peak_dbfs=(0.0, 0.0),
        usual_peak_dbfs=0.0,
        hiss=probability,
        offset=probability,
        clipping=probability,
        gap=probability,
    )


NONE = every_effect(0.0)


def sine(hz: float, length: int = LENGTH, amplitude: float = 0.5) -> Samples:
    wave: Samples = (amplitude * np.sin(2 * np.pi * hz / RATE * np.arange(length))).astype(np.float32)
    return wave


def noise(seed: int = 5, length: int = LENGTH) -> Samples:
    return np.float32(0.1) * np.random.default_rng(seed).standard_normal(length, np.float32)


def apply(augmentation: Augmentation, pcm: Samples, seed: int = 0) -> Samples:
    return augmentation.apply(pcm, np.random.default_rng(seed), length=LENGTH)


def decibel(ratio: float) -> float:
    return float(20 * np.log10(ratio))


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.square(samples.astype(np.float64)).mean()))


def other_voices(rng: np.random.Generator, length: int) -> Samples:
    return sine(rng.uniform(100, 300), length, rng.uniform(0.01, 0.9))


def test_without_effects_only_the_level_changes() -> None:
    source = noise()
    expected = source / np.abs(source).max()
    assert np.allclose(apply(NONE, source), expected, atol=1e-6)
    assert np.array_equal(source, noise())  # what was handed over is as it was


def test_equal_seeds_give_equal_samples_and_another_seed_others() -> None:
    every = every_effect(1.0)
    source = noise(length=every.source_length(LENGTH))
    first, again, other = (
        every.apply(source, np.random.default_rng(seed), length=LENGTH, noise=other_voices) for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("source", [noise(), np.zeros(LENGTH, np.float32), noise(length=700), noise(length=0)])
def test_everything_at_once_stays_finite_and_inside_full_scale(source: Samples) -> None:
    every = every_effect(1.0)
    for seed in range(12):
        samples = every.apply(source, np.random.default_rng(seed), length=LENGTH, noise=other_voices)
        assert samples.shape == (LENGTH,)
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() <= 1.0


def test_most_samples_of_the_default_have_neither_noise_nor_room_nor_fault() -> None:
    mild = replace(Augmentation(), speed=0.0, voice=0.0)
    source = noise()
    clean = 0
    for seed in range(200):
        samples = apply(mild, source, seed)
        clean += np.allclose(samples / np.abs(samples).max(), source / np.abs(source).max(), atol=1e-4)
    assert 100 < clean < 150


@pytest.mark.parametrize("factor", [0.9, 1.25])
def test_speed_moves_the_pitch_and_the_tempo(factor: float) -> None:
    faster = replace(NONE, voice=1.0, voice_factor=(factor, factor))
    assert faster.source_length(LENGTH) == int(np.ceil(LENGTH * max(1.0, factor)))
    samples = apply(faster, sine(400, int(LENGTH * 1.25)))
    assert np.abs(np.fft.rfft(samples)).argmax() * RATE / LENGTH == pytest.approx(400 * factor, abs=1.0)
    click = np.zeros(LENGTH, np.float32)
    click[8000] = 1.0
    assert np.abs(apply(faster, click)).argmax() == pytest.approx(8000 / factor, abs=1)


def test_a_factor_that_was_drawn_beforehand_is_the_one_that_is_used() -> None:
    every = every_effect(1.0)
    source = noise(length=every.source_length(LENGTH))
    factor = every.draw_factor(np.random.default_rng(7))
    assert every.voice_factor[0] < factor < every.voice_factor[1]
    rng = np.random.default_rng(7)
    assert every.draw_factor(rng) == factor
    beforehand = every.apply(source, rng, length=LENGTH, factor=factor)
    assert np.array_equal(beforehand, apply(every, source, seed=7))
    assert NONE.draw_factor(rng) == 1.0


def test_a_piece_that_is_too_short_ends_in_silence() -> None:
    samples = apply(replace(NONE, speed=1.0), noise(length=4000))
    assert np.abs(samples[:3000]).max() > 0.5
    assert not samples[5000:].any()


@pytest.mark.parametrize(
    ("biquad", "expected_db"),
    [
        (peaking_biquad(1000 / RATE, 8.0, q=1.0), {50: 0.0, 1000: 8.0, 7500: 0.0}),
        (peaking_biquad(1000 / RATE, -8.0, q=1.0), {50: 0.0, 1000: -8.0, 7500: 0.0}),
        (shelf_biquad(200 / RATE, 6.0, low=True), {10: 6.0, 200: 3.0, 4000: 0.0}),
        (shelf_biquad(2000 / RATE, -6.0, low=False), {50: 0.0, 2000: -3.0, 7900: -6.0}),
    ],
)
def test_peaks_and_shelves_have_their_gain_where_it_belongs(
    biquad: tuple[NDArray[np.float64], NDArray[np.float64]], expected_db: dict[int, float]
) -> None:
    response = np.abs(biquad_response(biquad, RATE))  # a bin a hertz
    for hz, gain_db in expected_db.items():
        assert decibel(response[hz]) == pytest.approx(gain_db, abs=0.25)


def test_filtering_by_spectra_is_the_recursive_filter() -> None:
    above, below = shelf_biquad(300 / RATE, 8.0, low=True)
    source = noise(length=600)
    recursive = np.zeros(600)
    for t in range(600):
        for delay in range(min(t + 1, 3)):
            recursive[t] += (
                above[delay] * source[t - delay] - (delay > 0) * below[delay] * recursive[t - delay]
            ) / below[0]
    spectrum = np.fft.rfft(source, 4096) * biquad_response((above, below), 4096)
    assert np.allclose(np.fft.irfft(spectrum, 4096)[:600], recursive, atol=1e-5)


def test_the_equaliser_stays_within_its_gain_and_does_not_wrap_around() -> None:
    equalised = replace(NONE, equaliser=1.0, equaliser_db=(8.0, 8.0))
    source = np.zeros(LENGTH, np.float32)
    source[-200:] = noise(length=200)
    colours = set()
    for seed in range(20):
        samples = apply(equalised, source, seed)
        assert np.abs(samples[: LENGTH - 2000]).max() < 1e-3
        click = np.zeros(LENGTH, np.float32)
        click[100] = 1.0
        response = np.abs(np.fft.rfft(apply(equalised, click, seed)))
        spread_db = decibel(response.max() / response.min())
        assert 3.0 < spread_db < 3 * 8.0 + 1.0
        colours.add(round(spread_db, 3))
    assert len(colours) > 5


@pytest.mark.parametrize("falls_in_s", [0.1, 0.5])
def test_a_room_falls_by_60_db_in_its_time_and_keeps_its_ratio(falls_in_s: float) -> None:
    room = room_response(np.random.default_rng(1), falls_in=falls_in_s * RATE, direct_to_reverberant_db=5.0)
    tail = room[1:].astype(np.float64)
    assert decibel(room[0] / np.linalg.norm(tail)) == pytest.approx(5.0, abs=0.01)
    # Schroeder: the energy still to come; its fall from 5 to 25 dB below the start, three times.
    left_db = 10 * np.log10(np.cumsum(np.square(tail)[::-1])[::-1] / np.square(tail).sum())
    fall = 3 * (np.argmax(left_db < -25) - np.argmax(left_db < -5)) / RATE
    assert fall == pytest.approx(falls_in_s, rel=0.2)


def test_reverberation_lasts_longer_than_the_sound_and_starts_with_it() -> None:
    source = np.zeros(LENGTH, np.float32)
    source[5000:5400] = noise(length=400)
    reverberant = replace(NONE, reverberation=1.0, reverberation_s=(0.3, 0.3), direct_to_reverberant_db=(0.0, 0.0))
    samples = apply(reverberant, source)
    assert np.abs(samples[:5000]).max() < 1e-5
    assert rms(samples[5400:6000]) > 0.1 * rms(samples[5000:5400])
    assert np.abs(samples[5400 + 4800 + 1 :]).max() < 1e-5
    at_the_end = np.roll(source, LENGTH - 5400)
    assert np.abs(apply(reverberant, at_the_end)[: LENGTH - 400]).max() < 1e-5  # its echo does not come round


@pytest.mark.parametrize("snr_db", [5.0, 30.0])
def test_noise_of_every_kind_has_the_ratio_to_the_speech_that_was_asked_for(snr_db: float) -> None:
    noisy = replace(NONE, noise=1.0, noise_snr_db=(snr_db, snr_db))
    source = sine(1000)
    source[LENGTH // 2 :] = 0.0  # a pause: it must not make the noise quieter
    kinds = set()
    for seed in range(12):
        samples = noisy.apply(source, np.random.default_rng(seed), length=LENGTH, noise=other_voices)
        speech = source * (samples @ source) / (source @ source)  # as loud as the level that came last made it
        added = samples - speech
        assert decibel(rms(speech[: LENGTH // 2]) / rms(added)) == pytest.approx(snr_db, abs=0.2)
        power = np.square(np.abs(np.fft.rfft(added)))
        share = power[: len(power) // 16].sum() / power.sum()  # below 500 Hz
        kinds.add("white" if share < 0.2 else "pink" if share < 0.9 else "babble")
    assert kinds == {"white", "pink", "babble"}


def test_pink_noise_loses_3_db_an_octave_above_its_lowest_frequency() -> None:
    lowest = 256 / 65_536
    power = np.square(np.abs(np.fft.rfft(pink_noise(np.random.default_rng(0), 65_536, lowest=lowest))))
    octaves = [10 * np.log10(power[256 * 2**i : 512 * 2**i].mean()) for i in range(7)]
    assert np.diff(octaves) == pytest.approx(-3.0, abs=0.7)
    assert power[:256].sum() < 1e-6 * power.sum()


def test_silence_gets_no_noise_and_is_not_raised() -> None:
    faint = 1e-5 * sine(200)
    assert np.array_equal(apply(replace(NONE, noise=1.0), faint), faint)


def test_levels_fill_their_range_with_most_near_the_usual_one() -> None:
    levels = replace(NONE, peak_dbfs=(-40.0, 0.0), usual_peak_dbfs=-6.0)
    source = sine(300)
    peaks = [decibel(np.abs(apply(levels, source, seed)).max()) for seed in range(200)]
    assert -40.0 <= min(peaks) < -33.0
    assert -3.0 < max(peaks) <= 0.0
    assert -20.0 < np.mean(peaks) < -10.0


def test_near_silence_is_raised_by_30_db_and_no_more() -> None:
    assert np.abs(apply(NONE, sine(300, amplitude=0.001))).max() == pytest.approx(0.001 * 10**1.5, rel=0.01)


def test_hiss_has_its_own_level_however_quiet_the_sound() -> None:
    hissing = replace(NONE, hiss=1.0, hiss_dbfs=(-60.0, -60.0))
    assert decibel(rms(apply(hissing, np.zeros(LENGTH, np.float32)))) == pytest.approx(-60.0, abs=0.3)


def test_an_offset_moves_the_mean_either_way() -> None:
    offset = replace(NONE, offset=1.0, offset_size=(0.01, 0.01), peak_dbfs=(-6.0, -6.0), usual_peak_dbfs=-6.0)
    means = [float(apply(offset, sine(500), seed).mean()) for seed in range(10)]
    assert np.abs(means) == pytest.approx(0.01, abs=1e-3)
    assert min(means) < 0 < max(means)


def test_clipping_cuts_the_tops_off() -> None:
    clipped = apply(replace(NONE, clipping=1.0, clipping_db=(6.0, 6.0)), sine(500))
    top = np.abs(clipped).max()
    assert decibel(top) == pytest.approx(-6.0, abs=0.05)
    assert 0.6 < np.mean(np.abs(clipped) == top) < 0.72  # of a sine, two thirds lie above half its height


def test_a_gap_is_digital_zero_and_the_rest_is_untouched() -> None:
    gapped = replace(NONE, gap=1.0, gap_s=(0.25, 0.25))
    whole = apply(NONE, noise())
    for seed in range(5):
        samples = apply(gapped, noise(), seed)
        missing = np.flatnonzero(samples == 0.0)
        assert len(missing) == 4000
        assert missing[-1] - missing[0] == 3999
        kept = samples != 0.0
        assert np.array_equal(samples[kept], whole[kept])


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"noise is 1\.5, expected a probability"):
        Augmentation(noise=1.5)
    with pytest.raises(ValueError, match=r"gap is -0\.1, expected a probability"):
        Augmentation(gap=-0.1)
    with pytest.raises(ValueError, match=r"noise_snr_db is .*, expected lowest and highest"):
        Augmentation(noise_snr_db=(30.0, 5.0))
    with pytest.raises(ValueError, match=r"speed_factor is .*, expected values above 0"):
        Augmentation(speed_factor=(0.0, 1.0))
    with pytest.raises(ValueError, match=r"usual_peak_dbfs is 3\.0"):
        Augmentation(usual_peak_dbfs=3.0)
