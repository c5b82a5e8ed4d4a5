"""The value that `encode` gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codec.errors import CodesError
from codec.spec import CodecSpec
from codec.tokenizer import Tokens


@pytest.fixture
def two(toy_spec: CodecSpec) -> Tokens:
    """Two recordings, of 5 and of 2 frames."""
    random = np.random.default_rng(0)
    return Tokens.of([random.integers(0, 16, (4, 5)), random.integers(0, 16, (4, 2))], toy_spec, num_samples=[33, 9])


def test_frames_stand_first_in_the_view_for_training(two: Tokens) -> None:
    assert [codes.shape for codes in two.audio_codes] == [(5, 4), (2, 4)]
    np.testing.assert_array_equal(two.audio_codes[0], two.codes[0].T)
    assert np.shares_memory(two.audio_codes[0], two.codes[0])


def test_recordings_are_taken_out_one_by_one(two: Tokens) -> None:
    assert len(two) == 2
    assert [each.num_samples for each in two] == [(33,), (9,)]
    assert two[-1].codes[0] is two.codes[1]
    assert len(two[0:2]) == 2
    with pytest.raises(IndexError, match="recording 2 of 2"):
        two[2]
    assert two.seconds == (33 / 16000, 9 / 16000)
    assert repr(two) == "Tokens(toy, 4 layers, 2 recordings: 0.00 s, 0.00 s)"


def test_fewer_layers_are_a_prefix(two: Tokens) -> None:
    first = two.first_layers(2)
    assert (first.layers, first.num_samples) == (2, two.num_samples)
    np.testing.assert_array_equal(first.codes[0], two.codes[0][:2])
    with pytest.raises(CodesError, match="hold 2 layers, not 3"):
        first.first_layers(3)
    with pytest.raises(CodesError, match="has 1 to 4 layers of codes, not 5"):
        two.first_layers(5)


def test_without_lengths_a_recording_is_as_long_as_its_frames_less_the_delay(toy_spec: CodecSpec) -> None:
    assert Tokens.of([np.zeros((4, 3), dtype=np.uint16)], toy_spec).num_samples == (3 * 8 - 3,)


def test_codes_and_lengths_that_cannot_be_are_refused(toy_spec: CodecSpec) -> None:
    codes = np.zeros((4, 3), dtype=np.int64)
    with pytest.raises(CodesError, match="3 frames hold up to 21 samples, not 22"):
        Tokens.of([codes], toy_spec, num_samples=[22])
    with pytest.raises(CodesError, match="1 recordings have as many lengths, not 2"):
        Tokens.of([codes], toy_spec, num_samples=[1, 2])
    with pytest.raises(CodesError, match="is a number of samples, not -1"):
        Tokens.of([codes], toy_spec, num_samples=[-1])
    with pytest.raises(CodesError, match="lie between 0 and 15, not 16"):
        Tokens.of([codes + 16], toy_spec)
    with pytest.raises(CodesError, match="Codes are integers, not float64"):
        Tokens.of([codes * 1.0], toy_spec)  # type: ignore[list-item]  # what is tested
    with pytest.raises(CodesError, match=r"the same K for all, not \[3, 3\]"):
        Tokens.of([codes, codes[:3]], toy_spec)
    Tokens.of([codes[:2]], replace(toy_spec, num_layers=2))


@pytest.mark.parametrize("ending", ["vwt", "npz", "pt"])
def test_one_recording_is_saved_and_loaded_again(two: Tokens, tmp_path: Path, ending: str) -> None:
    if ending == "pt":
        pytest.importorskip("torch")
    path = tmp_path / f"talk.{ending}"
    assert two[0].first_layers(2).save(path) == path.stat().st_size
    again = Tokens.load(path)
    np.testing.assert_array_equal(again.codes[0], two.codes[0][:2])
    assert (again.num_samples, again.spec) == ((33,), two.spec)


def test_files_hold_one_recording_and_caches_are_for_the_command(two: Tokens, tmp_path: Path) -> None:
    with pytest.raises(CodesError, match="holds one recording, not 2: save each"):
        two.save(tmp_path / "talk.vwt")
    with pytest.raises(CodesError, match="would be a cache"):
        two[0].save(tmp_path / "talk.lmdb")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_official_package_does_not_say_which_codec_made_it(two: Tokens, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "batch.pt"
    torch.save({"audio_codes": [torch.from_numpy(codes.copy()) for codes in two.audio_codes]}, path)
    with pytest.raises(CodesError, match="does not say which codec made it"):
        Tokens.load(path)
    again = Tokens.load(path, spec=two.spec)
    assert again.num_samples == (5 * 8 - 3, 2 * 8 - 3)
    for one, other in zip(again.codes, two.codes, strict=True):
        np.testing.assert_array_equal(one, other)
