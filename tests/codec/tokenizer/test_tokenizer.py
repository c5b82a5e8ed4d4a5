"""The codec as a Python object: the toy codec where results are counted, the real ones where it is loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from codec import Tokenizer
from codec.errors import (
    AudioFileError,
    AudioInputError,
    CheckpointError,
    CodecError,
    CodesError,
    DeviceError,
    ModelError,
    ModelMissingError,
)
from codec.spec import CodecSpec

ReferenceDecode = Callable[[NDArray[Any]], NDArray[np.float32]]
ReferenceEncode = Callable[[NDArray[np.float32]], NDArray[np.int64]]

RATE = 16000
LENGTHS = (4001, 1, 800, 8, 5000, 797)


@pytest.fixture(scope="module")
def tokenizer(model_folder: Path) -> Tokenizer:
    return Tokenizer.load(model_folder, device="cpu")


@pytest.fixture(scope="module")
def sounds() -> list[NDArray[np.float32]]:
    """Eighths, so that any order of adding is exact."""
    random = np.random.default_rng(0)
    return [(random.integers(-8, 9, length) / 8).astype(np.float32) for length in LENGTHS]


def _padded(sound: NDArray[np.float32], spec: CodecSpec) -> NDArray[np.float32]:
    frames = -(-(sound.size + spec.delay_samples) // spec.frame_size)
    return np.concatenate([sound, np.zeros(frames * spec.frame_size - sound.size, dtype=np.float32)])


@pytest.mark.parametrize("batch_size", [None, 1, 2, 6, 20])
def test_each_of_a_list_gets_the_codes_it_has_alone(
    tokenizer: Tokenizer,
    sounds: list[NDArray[np.float32]],
    reference_encode: ReferenceEncode,
    batch_size: int | None,
) -> None:
    tokens = tokenizer.encode([(sound, RATE) for sound in sounds], batch_size=batch_size)
    assert tokens.num_samples == LENGTHS
    for codes, sound in zip(tokens.codes, sounds, strict=True):
        assert codes.dtype == np.int64
        np.testing.assert_array_equal(codes, reference_encode(_padded(sound, tokenizer.spec)))


@pytest.mark.parametrize("batch_size", [None, 1, 2, 6, 20])
@pytest.mark.parametrize("layers", [None, 2])
def test_decoding_gives_the_true_lengths_without_delay_and_padding(
    tokenizer: Tokenizer,
    sounds: list[NDArray[np.float32]],
    reference_decode: ReferenceDecode,
    batch_size: int | None,
    layers: int | None,
) -> None:
    tokens = tokenizer.encode([(sound, RATE) for sound in sounds])
    waves, rate = tokenizer.decode(tokens, layers=layers, batch_size=batch_size)
    assert rate == RATE
    assert tuple(wave.size for wave in waves) == LENGTHS
    for wave, codes in zip(waves, tokens.codes, strict=True):
        assert wave.dtype == np.float32
        expected = reference_decode(codes[:layers])[tokenizer.spec.delay_samples :][: wave.size]
        np.testing.assert_allclose(wave, expected, atol=1e-6)


def test_what_the_official_package_takes_and_gives_is_taken(
    tokenizer: Tokenizer, sounds: list[NDArray[np.float32]]
) -> None:
    tokens = tokenizer.encode((sounds[0], RATE))
    (whole,), _ = tokenizer.decode(tokens.codes[0])
    (same,), _ = tokenizer.decode({"audio_codes": tokens.audio_codes})
    assert whole.size == tokens.codes[0].shape[1] * 8 - 3
    np.testing.assert_array_equal(whole, same)
    np.testing.assert_array_equal(whole[: LENGTHS[0]], tokenizer.decode(tokens)[0][0])


def test_fewer_layers_are_kept_and_decoded(tokenizer: Tokenizer, sounds: list[NDArray[np.float32]]) -> None:
    all_layers = tokenizer.encode((sounds[0], RATE))
    two = tokenizer.encode((sounds[0], RATE), layers=2)
    np.testing.assert_array_equal(two.codes[0], all_layers.codes[0][:2])
    np.testing.assert_array_equal(tokenizer.decode(two)[0][0], tokenizer.decode(all_layers, layers=2)[0][0])
    for layers in (0, 5):
        with pytest.raises(CodesError, match="has 1 to 4 layers"):
            tokenizer.encode((sounds[0], RATE), layers=layers)
        with pytest.raises(CodesError, match="has 1 to 4 layers"):
            tokenizer.decode(two, layers=layers)


def test_files_and_arrays_of_any_rate_go_together(
    tokenizer: Tokenizer, tmp_path: Path, sounds: list[NDArray[np.float32]]
) -> None:
    path = tmp_path / "sound.wav"
    soundfile.write(path, sounds[0], RATE, subtype="FLOAT")
    stereo = np.stack([sounds[0], sounds[0]])
    tokens = tokenizer.encode([path, str(path), (stereo, RATE), (np.zeros(4410, np.int16), 44100)])
    assert tokens.num_samples == (*LENGTHS[:1] * 3, 1600)
    for other in (1, 2):
        np.testing.assert_array_equal(tokens.codes[0], tokens.codes[other])


def test_the_rate_may_stand_beside_the_arrays(tokenizer: Tokenizer, sounds: list[NDArray[np.float32]]) -> None:
    expected = tokenizer.encode((sounds[2], RATE)).codes[0]
    np.testing.assert_array_equal(tokenizer.encode(sounds[2], RATE).codes[0], expected)
    np.testing.assert_array_equal(tokenizer.encode([sounds[2]], sr=RATE).codes[0], expected)
    with pytest.raises(AudioInputError, match="was given twice"):
        tokenizer.encode((sounds[2], RATE), sr=RATE)


def test_the_log_says_in_how_many_chunks_it_went(
    tokenizer: Tokenizer, sounds: list[NDArray[np.float32]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "codec.tokenizer")
    tokens = tokenizer.encode([(sounds[0], RATE), (sounds[1], RATE)])
    tokenizer.decode(tokens)
    assert caplog.messages == [
        "encoded 2 recordings, 0.3 s of sound, processed in 22 chunks",
        "decoded 2 recordings, 0.3 s of sound, processed in 22 chunks",
    ]


def test_odd_sound_is_warned_of_once(
    tokenizer: Tokenizer, sounds: list[NDArray[np.float32]], caplog: pytest.LogCaptureFixture
) -> None:
    odd = sounds[0].copy()
    odd[:4] = 1.5, -2.0, np.nan, np.inf
    tokenizer.encode([(odd, RATE), (odd, RATE)])
    assert caplog.messages == [
        "4 samples are beyond full scale, up to 2: what is rebuilt of them is clipped at 1, scale them down",
        "4 samples were not finite or beyond 8 and were replaced",
    ]


@pytest.mark.parametrize(
    ("audio", "error", "words"),
    [
        ([], AudioInputError, "the list is empty"),
        ([0.1, 0.2], AudioInputError, "A list is one of recordings"),
        (np.zeros(9, np.float32), AudioInputError, "needs its sample rate"),
        ((np.zeros(0, np.float32), RATE), AudioInputError, "it is empty"),
        ("none.wav", AudioFileError, "File not found at none.wav"),
        ([(np.zeros(80, np.float32), RATE), "none.wav"], AudioFileError, "File not found at none.wav"),
    ],
)
def test_what_cannot_be_encoded_is_an_error(
    tokenizer: Tokenizer, audio: Any, error: type[CodecError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        tokenizer.encode(audio)
    assert caught.value.exit_code == 66


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ([], "nothing to decode"),
        (np.full((4, 9), 16), "lie between 0 and 15, not 16"),
        (np.array([[1], [-1], [1], [1]]), "may only be followed by missing layers"),
        (np.array([[-1, 1], [1, 1], [1, 1], [1, 1]]), "A frame without layer 0"),
        ({"audio_codes": np.zeros((9, 5), np.int64)}, "has 1 to 4 layers of codes, not 5"),
    ],
)
def test_what_cannot_be_decoded_is_an_error(tokenizer: Tokenizer, tokens: Any, words: str) -> None:
    with pytest.raises(CodesError, match=words):
        tokenizer.decode(tokens)


def test_a_batch_of_none_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(CodecError, match="at least one recording, not 0"):
        tokenizer.encode((np.zeros(80, np.float32), RATE), batch_size=0)


def test_the_device_is_said_and_never_another_than_was_asked_for(
    model_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "codec.tokenizer")
    found = Tokenizer.load(model_folder)  # auto
    assert any(f"toy runs on {found.device} (device auto)" in message for message in caplog.messages)
    for device, words in (("cuda:1", "first GPU only"), ("tpu", "Unknown device 'tpu'")):
        with pytest.raises(DeviceError, match=words) as caught:
            Tokenizer.load(model_folder, device=device)
        assert caught.value.exit_code == 78


def test_cuda_that_is_not_there_is_an_error(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    for device in ("cuda", "cuda:0"):
        with pytest.raises(DeviceError, match="CUDA was asked for"):
            Tokenizer.load(model_folder, device=device)


def test_nano_works_out_of_the_box(repository: Path) -> None:
    tokenizer = Tokenizer.load()
    speech, rate = soundfile.read(repository / "codec/assets/speech_cc0.flac", dtype="float32", frames=48000)
    tokens = tokenizer.encode([(speech, rate), (speech[:20000], rate)])
    (first, second), rate = tokenizer.decode(tokens)
    assert (first.size, second.size, rate) == (48000, 20000, 16000)
    assert tokenizer.spec.name == "nano-1"
    assert 0.2 < float(np.std(first) / np.std(speech)) < 2


def test_halves_of_two_codecs_are_no_codec(tokenizer: Tokenizer) -> None:
    nano = Tokenizer.load("nano")
    with pytest.raises(ModelError, match="are no codec"):
        Tokenizer(tokenizer.encoder, nano.decoder)


def test_a_folder_without_a_codec_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"File not found at .*encoder\.onnx"):
        Tokenizer.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises((CheckpointError, CodecError)):
        Tokenizer.load(tmp_path)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder in the form of the released weights."""
    pytest.importorskip("torch")
    from codec.models.qwen3.lively import save_lively, small_document

    folder = tmp_path_factory.mktemp("released")
    save_lively(small_document(), folder)
    return folder


def test_released_weights_run_in_torch_at_24_khz(released: Path) -> None:
    tokenizer = Tokenizer.load(released, device="cpu")
    assert (tokenizer.spec.name, tokenizer.device) == ("qwen3-12hz", "cpu")
    noise = 0.1 * np.random.default_rng(0).standard_normal(60000).astype(np.float32)
    tokens = tokenizer.encode([(noise, 24000), (noise[:1921], 24000), (noise[:1920], 24000)], batch_size=3)
    assert [codes.shape for codes in tokens.codes] == [(16, 32), (16, 2), (16, 1)]
    waves, rate = tokenizer.decode(tokens)
    assert ([wave.size for wave in waves], rate) == ([60000, 1921, 1920], 24000)
    assert tokenizer.decode({"audio_codes": tokens.audio_codes[1]})[0][0].size == 2 * 1920
    assert np.abs(waves[0]).max() <= 1


def test_released_weights_ask_for_a_device_that_is_there(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("cuda", "cuda:1"):
        with pytest.raises(DeviceError, match=f"{device} was asked for but torch finds no GPU"):
            Tokenizer.load(released, device=device)
    assert Tokenizer.load(released).device == "cpu"


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives(released: Path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    cpu, gpu = (Tokenizer.load(released, device=device) for device in ("cpu", "cuda:0"))
    assert (cpu.device, gpu.device) == ("cpu", "cuda:0")
    noise = 0.1 * np.random.default_rng(0).standard_normal((10, 60000)).astype(np.float32)
    recordings = [(sound, 24000) for sound in noise]
    slow, fast = cpu.encode(recordings), gpu.encode(recordings)
    equal = np.mean([one[0] == other[0] for one, other in zip(slow.codes, fast.codes, strict=True)])
    assert equal > 0.99  # the first layer; a near tie in it changes all the others
    for one, other in zip(cpu.decode(slow)[0], gpu.decode(slow)[0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
