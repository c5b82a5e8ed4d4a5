"""Every codec in the comparison gives speech back, and its bits are counted as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pystoi import stoi

from benchmarks.quality.contenders import RATE_HZ, Codec2, Contender, ContenderError, Nano, Opus, Speex
from benchmarks.quality.lining_up import find_delay, line_up
from codec import Tokenizer, Tokens

Sound = NDArray[np.float32]


@pytest.mark.parametrize(
    ("contender", "kbps"),
    [
        (Opus(((6, 20), (6, 60), (8, 20))), [6, 6, 8]),
        (Codec2(("3200", "2400", "1600", "1200", "700C")), [3.2, 2.4, 1.6, 1.2, 0.7]),
        (Speex((0, 2)), [4, 8]),
    ],
    ids=["opus", "codec2", "speex"],
)
def test_other_codecs_give_intelligible_speech_at_the_rate_of_their_frames(
    other_codecs: None, speech: Sound, contender: Contender, kbps: list[float]
) -> None:
    rebuilt = list(contender.rebuild(speech))
    assert [each.variant for each in rebuilt] == list(contender.variants)
    assert [each.kbps for each in rebuilt] == pytest.approx(kbps)
    for each in rebuilt:
        assert each.codec == contender.codec
        assert 0 <= find_delay(speech, each.samples) + 5 < 0.06 * RATE_HZ
        assert stoi(speech, line_up(speech, each.samples), RATE_HZ) > 0.6
        # Nothing of the end is lost in a codec's delay.
        assert each.samples.size >= speech.size


def test_nano_is_encoded_once_and_decoded_from_its_first_layers(
    nano_tokenizer: Tokenizer, speech: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, tokens = nano_tokenizer.encode, []

    def noted(sound: tuple[Sound, int]) -> Tokens:
        tokens.append(encode(sound))
        return tokens[-1]

    monkeypatch.setattr(nano_tokenizer, "encode", noted)
    few, all_of_them = Nano(nano_tokenizer, (4, 16)).rebuild(speech)
    assert len(tokens) == 1
    assert (few.variant, all_of_them.variant) == ("4 layers", "16 layers")
    assert (few.kbps, all_of_them.kbps) == pytest.approx((0.55, 2.2))
    assert few.payload_bits == tokens[0].codes[0].shape[1] * 4 * 11
    for rebuilt, layers in ((few, 4), (all_of_them, 16)):
        (expected,), _ = nano_tokenizer.decode(tokens[0], layers=layers)
        np.testing.assert_array_equal(rebuilt.samples, expected)
        assert rebuilt.samples.size == speech.size
    assert not np.array_equal(few.samples, all_of_them.samples)


def test_layers_that_nano_does_not_have_are_refused(nano_tokenizer: Tokenizer) -> None:
    with pytest.raises(ContenderError, match="nano-1 has 1 to 16 layers, not"):
        Nano(nano_tokenizer, (4, 17))


@pytest.mark.parametrize(
    ("contender", "words"),
    [
        (Opus(), "no opusenc on this machine: apt-get install opus-tools"),
        (Codec2(), "no c2enc on this machine: apt-get install codec2"),
        (Speex(), "no speexenc on this machine: apt-get install speex"),
    ],
)
def test_a_missing_program_is_named_with_its_package(
    contender: Contender, words: str, speech: Sound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContenderError, match=words):
        next(iter(contender.rebuild(speech)))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo no such mode >&2; exit 3", "c2enc ended with code 3: no such mode"),
        ("cat >/dev/null; echo 12345", "c2enc 3200 gave 6 bytes for 102 frames of 64 bits"),
    ],
)
def test_a_program_that_fails_or_gives_less_than_it_should_is_told_on(
    body: str, words: str, speech: Sound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("c2enc", "c2dec"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ContenderError, match=words):
        list(Codec2(("3200",)).rebuild(speech))
