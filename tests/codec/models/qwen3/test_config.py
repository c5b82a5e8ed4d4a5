"""config.json: what the release says, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codec.errors import CheckpointError
from codec.models.qwen3 import Qwen3Config
from codec.models.qwen3.lively import released_document, small_document


def test_the_released_configuration_is_read_as_it_stands() -> None:
    config = Qwen3Config.from_dict(released_document())
    assert (config.sample_rate, config.frame_size, config.num_layers) == (24_000, 1920, 16)
    assert (config.decoder.hidden_size, config.decoder.codebook_dim, config.decoder.sliding_window) == (512, 512, 72)
    assert (config.encoder.sliding_window, config.encoder.hop) == (250, 960)


def test_what_the_release_leaves_to_the_encoders_defaults_may_be_missing() -> None:
    document = released_document()
    document["encoder_config"] = {"model_type": "mimi"}
    assert Qwen3Config.from_dict(document).encoder == Qwen3Config.from_dict(released_document()).encoder


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("qwen3_tts_tokenizer_25hz", "the 25 Hz tokenizer, another architecture"),
        ("mimi", "Mimi, whose decoder is another"),
        ("encodec", "another codec"),
        ("qwen3_tts", "its folder speech_tokenizer holds the codec"),
        ("whisper", "another model"),
        (None, "unknown"),
        (["mimi"], "unknown"),
    ],
)
def test_another_model_is_named(kind: object, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        Qwen3Config.from_dict(released_document() | {"model_type": kind})


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("", "input_sample_rate", "24000", "input_sample_rate is '24000', expected a whole number"),
        ("", "input_sample_rate", True, "expected a whole number"),
        ("", "output_sample_rate", 48_000, "output_sample_rate is 48000, expected 24000"),
        ("", "encode_downsample_rate", 10**9, "expected a whole number from 1 to"),
        ("", "decode_upsample_rate", 960, "decode_upsample_rate is 960, expected 1920"),
        ("", "encoder_valid_num_quantizers", 33, "num_quantizers is 16, expected 33"),
        ("", "decoder_config", [], "decoder_config is missing or no JSON object"),
        ("", "encoder_config", None, "encoder_config is missing or no JSON object"),
        ("decoder_config", "hidden_size", 512.0, "decoder_config.hidden_size is 512.0, expected a whole number above"),
        ("decoder_config", "hidden_size", -1, "expected a whole number above 0"),
        ("decoder_config", "rope_theta", float("nan"), "rope_theta is nan, expected a number above 0"),
        ("decoder_config", "upsample_rates", [8, 5, 4, 2], "upsample_rates times upsampling_ratios is 1280"),
        ("decoder_config", "upsample_rates", [8, "5", 4, 3], "expected a list of whole numbers"),
        ("decoder_config", "upsample_rates", 480, "expected a list of whole numbers"),
        ("decoder_config", "attention_bias", 0, "expected true or false"),
        ("decoder_config", "attention_bias", True, "attention_bias is True, expected False"),
        ("decoder_config", "hidden_act", "gelu", "hidden_act is 'gelu', expected 'silu'"),
        ("decoder_config", "hidden_act", None, "expected a text"),
        ("decoder_config", "num_key_value_heads", 4, "num_key_value_heads is 4, expected 16"),
        ("decoder_config", "num_quantizers", 8, "num_quantizers is 8, expected 16"),
        ("decoder_config", "head_dim", 63, "head_dim is 63, expected a multiple of 2"),
        ("decoder_config", "decoder_dim", 1528, "decoder_dim is 1528, expected a multiple of 16"),
        ("decoder_config", "sliding_window", 1, "sliding_window is 1, expected at least 2"),
        ("encoder_config", "upsampling_ratios", [8, 6, 5, 2], "upsampling_ratios times 2 is 960, expected 1920"),
        ("encoder_config", "codebook_size", 1024, "codebook_size is 1024, expected 2048"),
        ("encoder_config", "use_causal_conv", False, "use_causal_conv is False, expected True"),
        ("encoder_config", "num_quantizers", 8, "encoder_valid_num_quantizers is 16, expected 2 to 8"),
    ],
)
def test_a_value_that_cannot_be_is_refused(section: str, key: str, value: object, words: str) -> None:
    document = released_document()
    (document[section] if section else document)[key] = value
    with pytest.raises(CheckpointError, match=words) as caught:
        Qwen3Config.from_dict(document)
    assert caught.value.exit_code == 76


@pytest.mark.parametrize("key", ["codebook_dim", "hidden_size", "upsample_rates", "sliding_window"])
def test_no_default_stands_in_for_what_the_decoder_must_state(key: str) -> None:
    document = small_document()
    del document["decoder_config"][key]
    with pytest.raises(CheckpointError, match=f"decoder_config.{key} is missing"):
        Qwen3Config.from_dict(document)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b'"text"'])
def test_a_damaged_file_is_an_error_of_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Qwen3Config.read(tmp_path)


def test_a_folder_without_the_file_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"No config\.json in .*model\.safetensors"):
        Qwen3Config.read(tmp_path)


def test_every_key_of_the_file_with_another_value_is_used_or_refused_or_known_to_be_idle() -> None:
    """A key that is read by nobody would let another architecture through."""
    idle = {
        "attention_dropout", "layer_scale_initial_scale", "max_position_embeddings", "model_type",
        "num_semantic_quantizers", "semantic_codebook_size", "vector_quantization_hidden_dimension", "_frame_rate",
        "initializer_range", "sampling_rate", "trim_right_ratio", "upsample_groups", "use_cache", "use_streaming",
    }  # fmt: skip
    document: dict[str, Any] = released_document()
    config = Qwen3Config.from_dict(document)
    for section, part in (("encoder_config", config.encoder), ("decoder_config", config.decoder)):
        unread = {key for key in document[section] if not hasattr(part, key)}
        assert unread <= idle, json.dumps(sorted(unread - idle))
