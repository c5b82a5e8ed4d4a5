"""Arrays taken for what they are, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.audio.arrays import BLOCK_SAMPLES, ArrayDecoder
from codec.audio.inputs import open_input
from codec.errors import AudioInputError


def _read(array: object, rate: object = 16000) -> NDArray[np.float32]:
    """As the codec hears it: mono."""
    with open_input((array, rate), 16000) as reader:
        return np.concatenate(list(reader))


def _noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def test_mono_is_taken_as_it_is() -> None:
    sound = _noise(1000)
    np.testing.assert_array_equal(_read(sound), sound)
    np.testing.assert_array_equal(_read(sound[np.newaxis]), sound)
    np.testing.assert_array_equal(_read(sound[:, np.newaxis]), sound)


@pytest.mark.parametrize("channels", [2, 6, 8])
def test_the_long_axis_is_time(channels: int) -> None:
    sound = _noise(1000, channels)
    expected = sound.mean(axis=1, dtype=np.float32)
    np.testing.assert_array_equal(_read(sound), expected)
    np.testing.assert_array_equal(_read(sound.T), expected)


@pytest.mark.parametrize("shape", [(9, 24000), (2, 2), (2, 64), (100, 100), (24000, 9), (1, 3)])
def test_an_axis_that_may_be_either_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(AudioInputError, match=r"Which axis of .* is time\?.*as a list") as caught:
        _read(np.zeros(shape, dtype=np.float32))
    assert caught.value.exit_code == 66


def test_a_batch_belongs_into_a_list() -> None:
    with pytest.raises(AudioInputError, match=r"not \[4, 1, 24000\]: give several as a list"):
        _read(np.zeros((4, 1, 24000), dtype=np.float32))


@pytest.mark.parametrize(
    ("dtype", "values", "scaled"),
    [
        (np.int16, [-32768, 0, 16384], [-1, 0, 0.5]),
        (np.int32, [-(2**31), 0, 2**30], [-1, 0, 0.5]),
        (np.uint8, [0, 128, 192], [-1, 0, 0.5]),
        (np.float64, [-1, 0, 0.5], [-1, 0, 0.5]),
        (np.float16, [-1, 0, 0.5], [-1, 0, 0.5]),
        (np.dtype(">i2"), [-32768, 0, 16384], [-1, 0, 0.5]),
    ],
)
def test_integers_are_scaled_to_full_scale(dtype: Any, values: list[float], scaled: list[float]) -> None:
    np.testing.assert_array_equal(_read(np.array(values, dtype=dtype)), np.array(scaled, dtype=np.float32))


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.bool_, np.complex64, np.int8])
def test_a_type_whose_full_scale_nobody_knows_is_refused(dtype: Any) -> None:
    with pytest.raises(AudioInputError, match=r"not (int64|uint16|bool|complex64|int8): which value is full scale"):
        _read(np.zeros(100, dtype=dtype))


def test_integers_kept_as_floats_are_refused_and_not_cut_to_noise() -> None:
    with pytest.raises(AudioInputError, match=r"Samples up to 3\d+\.\d+ are .* divide by full scale first, by 32768"):
        _read(_noise(1000) * 32768)


def test_single_absurd_samples_are_replaced_and_counted() -> None:
    sound = _noise(1000)
    sound[10], sound[20], sound[30] = np.nan, np.inf, 1e30
    with open_input((sound, 16000), 16000) as reader:
        heard = np.concatenate(list(reader))
    assert reader.nonfinite_samples == 3
    assert (heard[10], heard[20], heard[30]) == (0, 0, 8)


def test_what_is_beyond_full_scale_is_counted_before_it_is_resampled() -> None:
    sound = _noise(5000) * np.float32(0.5)
    sound[100:103] = 1.5, -1.25, 1.0
    with open_input((sound, 44100), 16000) as reader:
        heard = np.concatenate(list(reader))
    assert (reader.loud_samples, reader.peak) == (2, 1.5)
    assert abs(heard.size - 5000 * 16000 / 44100) < 2


@pytest.mark.parametrize("array", [np.zeros(0, np.float32), np.zeros((0, 2), np.int16), np.zeros((2, 0), np.float32)])
def test_nothing_is_refused(array: NDArray[Any]) -> None:
    with pytest.raises(AudioInputError, match="it is empty"):
        _read(array)


@pytest.mark.parametrize("rate", [0, -1, 999, 10**6, 16000.5, float("nan")])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(AudioInputError, match="whole number of 1000 to 768000 Hz"):
        _read(np.zeros(100, np.float32), rate)


@pytest.mark.parametrize(("array", "rate"), [(np.zeros(9), "16000"), (np.zeros(9), True), ([0.0, 0.1], 16000)])
def test_what_is_neither_array_nor_rate_is_refused(array: Any, rate: Any) -> None:
    with pytest.raises(AudioInputError, match=r"not (str|bool|list)"):
        _read(array, rate)


def test_either_order_of_array_and_rate_is_understood() -> None:
    sound = _noise(100)
    with open_input((np.int64(16000), sound), 16000) as reader:
        np.testing.assert_array_equal(np.concatenate(list(reader)), sound)


def test_a_long_array_is_converted_in_blocks() -> None:
    decoder = ArrayDecoder(np.ones(BLOCK_SAMPLES + 5, dtype=np.int16), 48000)
    blocks = [decoder.read(), decoder.read(), decoder.read()]
    assert [None if block is None else block.shape for block in blocks] == [(BLOCK_SAMPLES, 1), (5, 1), None]
    decoder.close()
    assert decoder.read() is None


def test_tensors_are_taken_even_from_the_middle_of_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    sound = torch.linspace(-0.5, 0.5, 200, requires_grad=True)
    np.testing.assert_array_equal(_read(sound), sound.detach().numpy())
    assert _read(sound.to(torch.bfloat16)).dtype == np.float32
    np.testing.assert_array_equal(_read(torch.full((100,), -32768, dtype=torch.int16)), -np.ones(100))
