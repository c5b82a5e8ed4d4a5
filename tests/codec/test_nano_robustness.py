"""The shipped codec where life is hard: the rules of benchmarks/quality/robustness, through ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.quality.robustness.line import RATE_HZ, codec_line, lined_up
from benchmarks.quality.robustness.rules import RULES, Rule, silence_stays_silent
from codec import Tokenizer, read_audio

KNOWN_FAULTS: dict[str, set[str]] = {}
"""What the weights in the package do not keep to, by rule. A fault that is gone must go from here too."""

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def nano() -> Tokenizer:
    return Tokenizer.load("nano", device="cpu")


@pytest.fixture(scope="module")
def speech(nano: Tokenizer, repository: Path) -> Samples:
    """Twelve seconds of a voice."""
    return read_audio(repository / "codec/assets/speech_cc0.flac", RATE_HZ)[: 12 * RATE_HZ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_shipped_codec_keeps_the_rule(rule: Rule, nano: Tokenizer, speech: Samples) -> None:
    findings = rule(codec_line(nano.encoder, nano.decoder), speech, nano.spec.frame_size)
    faults = {f"{found.sound}: {found.what}": str(found) for found in findings if not found.kept}
    known = KNOWN_FAULTS.get(rule.__name__, set())
    assert set(faults) == known, f"new: {[faults[name] for name in set(faults) - known]}, gone: {known - set(faults)}"


@pytest.mark.parametrize("layers", [1, 4])
def test_few_layers_are_silent_too(layers: int, nano: Tokenizer, speech: Samples) -> None:
    line = codec_line(nano.encoder, nano.decoder, layers=layers)
    findings = silence_stays_silent(line, speech, nano.spec.frame_size)
    assert [str(found) for found in findings if not found.kept] == []


def test_the_rules_hear_what_the_tokenizer_gives(nano: Tokenizer, speech: Samples) -> None:
    sent = speech[: 2 * RATE_HZ + 77]
    heard = codec_line(nano.encoder, nano.decoder, layers=4)(sent)
    (rebuilt,), _ = nano.decode(nano.encode((sent, RATE_HZ)), layers=4)
    assert heard.size == nano.spec.delay_samples + sent.size
    np.testing.assert_allclose(lined_up(heard, sent), rebuilt, atol=1e-5)
