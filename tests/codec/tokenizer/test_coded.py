"""Codes in whatever form they come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.errors import CodesError, ModelError, TokenFileError
from codec.formats.npz import NpzWriter
from codec.formats.vwt import TokenWriter
from codec.spec import CodecSpec
from codec.tokenizer import Tokens
from codec.tokenizer.coded import coded_recordings

Recordings = list[tuple[NDArray[np.int64], int | None]]


def _read(value: Any, spec: CodecSpec) -> Recordings:
    found: Recordings = []
    for recording in coded_recordings(value, spec):
        with recording.open() as parts:
            found.append((np.concatenate([np.asarray(part) for part in parts], axis=1), recording.num_samples))
    return found


@pytest.fixture
def codes() -> NDArray[np.int64]:
    """60 frames of four layers: three parts."""
    return np.random.default_rng(0).integers(0, 16, (4, 60))


def _check(found: Recordings, codes: NDArray[np.int64], *lengths: int | None) -> None:
    assert [length for _, length in found] == list(lengths)
    for each, _ in found:
        np.testing.assert_array_equal(each, codes)


def test_every_form_of_one_recording_gives_its_codes(codes: NDArray[np.int64], toy_spec: CodecSpec) -> None:
    torch = pytest.importorskip("torch")
    for value in (codes, codes.astype(np.uint16), torch.from_numpy(codes), codes[np.newaxis], [codes]):
        _check(_read(value, toy_spec), codes, None)
    _check(_read(Tokens.of([codes], toy_spec, num_samples=[400]), toy_spec), codes, 400)
    for value in (codes.T, torch.from_numpy(codes.T), codes.T[np.newaxis], [codes.T]):
        _check(_read({"audio_codes": value}, toy_spec), codes, None)
        _check(_read(SimpleNamespace(audio_codes=value), toy_spec), codes, None)
        _check(_read([{"audio_codes": value, "num_samples": 400}], toy_spec), codes, 400)


def test_a_batch_is_taken_apart_and_its_padding_is_left_out(codes: NDArray[np.int64], toy_spec: CodecSpec) -> None:
    batch = np.full((2, 70, 4), -1)
    batch[0, :60], batch[1, :5] = codes.T, codes[:, :5].T
    (first, _), (second, _) = _read({"audio_codes": batch}, toy_spec)
    np.testing.assert_array_equal(first, codes)
    np.testing.assert_array_equal(second, codes[:, :5])


def test_several_forms_may_stand_in_one_list(codes: NDArray[np.int64], toy_spec: CodecSpec) -> None:
    found = _read([codes, {"audio_codes": [codes.T, codes.T]}, Tokens.of([codes] * 2, toy_spec)], toy_spec)
    _check(found, codes, None, None, None, 477, 477)


def test_token_files_are_read_and_their_weights_checked(
    tmp_path: Path, codes: NDArray[np.int64], toy_spec: CodecSpec
) -> None:
    with TokenWriter(tmp_path / "a.vwt", toy_spec) as writer:
        writer.write(codes)
        writer.finish(400)
    with NpzWriter(tmp_path / "a.npz", toy_spec) as arrays:
        arrays.write(codes)
        arrays.finish(400)
    _check(_read([tmp_path / "a.vwt", str(tmp_path / "a.npz")], toy_spec), codes, 400, 400)
    with pytest.raises(ModelError, match=r"a\.vwt was made by other weights of toy"):
        _read(tmp_path / "a.vwt", replace(toy_spec, weights_sha256="0" * 64))
    with pytest.raises(TokenFileError, match="File not found"):
        _read(tmp_path / "none.vwt", toy_spec)


def test_tokens_of_another_codec_are_refused(codes: NDArray[np.int64], toy_spec: CodecSpec) -> None:
    other = replace(toy_spec, name="other", weights_sha256="0" * 64)
    with pytest.raises(ModelError, match="These tokens were made by the codec other, this decoder is of toy"):
        _read(Tokens.of([codes], other), toy_spec)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((60, 4), np.int64), r"Is \[60, 4\] layers by frames, or frames by layers\?"),
        (np.zeros((3, 4), np.int64), r"Is \[3, 4\] layers by frames, or frames by layers\?"),
        (np.zeros((4, 0), np.int64), r"are \[K, T\], not \[4, 0\]"),
        (np.zeros(4, np.int64), r"are \[K, T\], not \[4\]"),
        (np.zeros((4, 9), np.float32), "integers, not float32"),
        ({"codes": 1}, "holds no 'audio_codes'"),
        ({"audio_codes": np.zeros((5, 4), np.int64), "num_samples": [1, 2]}, "as many lengths, not 2"),
        ({"audio_codes": np.zeros((5, 4), np.int64), "num_samples": 99}, "5 frames hold up to 37 samples, not 99"),
        ({"audio_codes": np.full((5, 4), -1)}, "holds no frames"),
        (None, "Not codes: NoneType"),
        ([None], "Not codes: NoneType"),
        (7, "Not codes: int"),
    ],
)
def test_what_are_no_codes_is_refused_in_one_sentence(value: Any, words: str, toy_spec: CodecSpec) -> None:
    with pytest.raises(CodesError, match=words) as caught:
        _read(value, toy_spec)
    assert caught.value.exit_code == 76


def test_a_square_of_codes_is_layers_first(toy_spec: CodecSpec) -> None:
    square = np.arange(16).reshape(4, 4)
    _check(_read(square, toy_spec), square, None)
