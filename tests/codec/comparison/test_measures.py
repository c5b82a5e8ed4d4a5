"""Measures whose packages may be missing, broken, or at a loss."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.audio.reader import read_audio
from codec.comparison.alignment import SCORE_RATE_HZ, align
from codec.comparison.measures import measure

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """install(pesq=module, …): these packages and pystoi are here, and no others of these."""
    find = importlib.util.find_spec

    def do(**modules: Any) -> None:
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)

        def found(name: str) -> Any:
            if name in ("pesq", "resemblyzer", "utmos", "utmosv2"):
                return modules.get(name)
            return find(name)

        monkeypatch.setattr("codec.comparison.measures.importlib.util.find_spec", found)

    return do


@pytest.fixture(scope="module")
def speech(repository: Path) -> NDArray[np.float32]:
    """Six seconds of it."""
    return read_audio(repository / "codec/assets/speech_cc0.flac", SCORE_RATE_HZ)[: 6 * SCORE_RATE_HZ]


def test_pesq_is_the_mean_over_stretches_of_at_most_twenty_seconds(install: Install) -> None:
    asked: list[tuple[int, int, str]] = []

    def pesq(rate: int, one: NDArray[np.float32], other: NDArray[np.float32], mode: str) -> float:
        asked.append((rate, one.size, mode))
        return float(len(asked))

    install(pesq=SimpleNamespace(pesq=pesq))
    sound = np.random.default_rng(0).standard_normal(50 * SCORE_RATE_HZ).astype(np.float32)
    values = measure(sound, sound).values
    assert [rate for rate, _, mode in asked if mode == "wb"] == [16000] * 3
    assert [rate for rate, _, mode in asked if mode == "nb"] == [8000] * 3
    assert max(size / rate for rate, size, _ in asked) <= 20
    assert (values["pesq_wb"], values["pesq_nb"]) == (2, 5)


def test_stretches_without_speech_are_left_out(install: Install) -> None:
    def pesq(rate: int, one: NDArray[np.float32], other: NDArray[np.float32], mode: str) -> float:
        if not one.any():
            raise RuntimeError("no utterances")
        return 3.0

    install(pesq=SimpleNamespace(pesq=pesq))
    sound = np.zeros(40 * SCORE_RATE_HZ, dtype=np.float32)
    assert measure(sound, sound).missing["pesq_wb"] == "no speech was found in it"
    sound[:1000] = 0.1
    assert measure(sound, sound).values["pesq_wb"] == 3


def test_a_package_that_does_not_start_is_no_figure(install: Install) -> None:
    def start(*arguments: Any, **options: Any) -> Any:
        raise OSError("no weights\nand a long story")

    broken = SimpleNamespace(VoiceEncoder=start, Score=start)
    install(resemblyzer=broken, utmos=broken)
    sound = np.ones(2 * SCORE_RATE_HZ, dtype=np.float32)
    missing = measure(sound, sound).missing
    assert missing["speaker_similarity"] == "no voice was found in it: no weights"
    assert missing["utmos_degraded"] == "utmos failed: no weights"


@pytest.mark.parametrize("generation", ["utmos", "utmosv2"])
def test_utmos_hears_a_file(install: Install, generation: str) -> None:
    heard: list[Path] = []

    def score(path: str | None = None, input_path: str | None = None) -> float:
        place = Path(str(path or input_path))
        assert place.stat().st_size == 44 + 2 * SCORE_RATE_HZ
        heard.append(place)
        return 3.25

    first = SimpleNamespace(Score=lambda: SimpleNamespace(calculate_wav_file=score))
    second = SimpleNamespace(create_model=lambda pretrained: SimpleNamespace(predict=score))
    install(**{generation: first if generation == "utmos" else second})
    sound = np.ones(SCORE_RATE_HZ, dtype=np.float32)
    values = measure(sound, sound).values
    assert (values["utmos_reference"], values["utmos_degraded"]) == (3.25, 3.25)
    assert not any(path.exists() for path in heard)


def test_the_voices_of_two_recordings_are_compared(install: Install) -> None:
    voices = iter([np.array([1.0, 0.0]), np.array([0.6, 0.8])])
    encoder = SimpleNamespace(embed_utterance=lambda wave: next(voices))
    install(
        resemblyzer=SimpleNamespace(VoiceEncoder=lambda *_, **__: encoder, preprocess_wav=lambda wave, source_sr: wave)
    )
    sound = np.ones(SCORE_RATE_HZ, dtype=np.float32)
    assert measure(sound, sound).values["speaker_similarity"] == pytest.approx(0.6)


def test_real_pesq_likes_a_copy_better_than_noise(install: Install, speech: NDArray[np.float32]) -> None:
    pesq = pytest.importorskip("pesq")
    install(pesq=pesq)
    noisy = speech + 0.05 * np.random.default_rng(0).standard_normal(speech.size).astype(np.float32)
    copy, worse = measure(speech, speech).values, measure(speech, noisy).values
    assert copy["pesq_wb"] is not None
    assert worse["pesq_wb"] is not None
    assert copy["pesq_wb"] > 4.5
    assert worse["pesq_wb"] < 3


def test_a_long_recording_is_aligned_by_its_loudest_minute(speech: NDArray[np.float32]) -> None:
    long = np.concatenate([np.zeros(70 * SCORE_RATE_HZ, dtype=np.float32), speech])
    late = np.concatenate([np.zeros(777, dtype=np.float32), long])
    aligned = align(long, late)
    assert aligned.delay == 777
    assert aligned.reference.size == long.size
