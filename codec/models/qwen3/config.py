"""The shape of the codec, as the config.json beside the weights gives it.

Nothing is assumed where the released file speaks: the defaults in the official package's code are not those of the
release (hidden_size 1024 instead of 512, no codebook_dim at all). Keys have the file's own names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from math import prod
from pathlib import Path
from typing import Any, Self, TypeVar

from codec.errors import CheckpointError

MODEL_TYPE = "qwen3_tts_tokenizer_12hz"
CONFIG_NAME = "config.json"
MAX_LENGTH = 100_000
"""No rate, width, depth or window comes near: a bound for numbers from outside."""
MAX_STAGES = 16
"""The same for lists of strides."""

_FOREIGN = {
    "qwen3_tts_tokenizer_25hz": "the 25 Hz tokenizer, another architecture",
    "mimi": "Mimi, whose decoder is another",
    "encodec": "EnCodec, another codec",
    "qwen3_tts": "the speech model; its folder speech_tokenizer holds the codec",
}

_WANTED = {"int": "a whole number above 0", "float": "a number above 0", "str": "a text", "bool": "true or false"}

Value = int | float | str | bool | tuple[int, ...]
Section = TypeVar("Section", bound="Qwen3EncoderConfig | Qwen3DecoderConfig")


@dataclass(frozen=True, slots=True)
class Qwen3EncoderConfig:
    """`encoder_config`: the encoder half of Mimi. Defaults are those of its published configuration class, which the
    release relies on where its file is silent."""

    num_filters: int = 64
    """Channels after the first convolution; doubled at each stage."""
    upsampling_ratios: tuple[int, ...] = (8, 6, 5, 4)
    """Strides of the stages, the decoder's order: the encoder takes them from the last to the first."""
    kernel_size: int = 7
    last_kernel_size: int = 3
    residual_kernel_size: int = 3
    num_residual_layers: int = 1
    dilation_growth_rate: int = 2
    compress: int = 2
    """A residual unit narrows its channels by this."""
    hidden_size: int = 512
    intermediate_size: int = 2048
    num_hidden_layers: int = 8
    num_attention_heads: int = 8
    num_key_value_heads: int = 8
    head_dim: int = 64
    sliding_window: int = 250
    """Steps of 40 ms that the attention sees, the current one included."""
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    codebook_size: int = 2048
    codebook_dim: int = 256
    vector_quantization_hidden_dimension: int = 256
    num_quantizers: int = 32
    """Layers in the file; `encoder_valid_num_quantizers` of them are used."""
    num_semantic_quantizers: int = 1
    hidden_act: str = "gelu"
    pad_mode: str = "constant"
    audio_channels: int = 1
    attention_bias: bool = False
    use_causal_conv: bool = True
    use_conv_shortcut: bool = False

    @property
    def hop(self) -> int:
        """Samples per step of the transformer."""
        return prod(self.upsampling_ratios)


@dataclass(frozen=True, slots=True)
class Qwen3DecoderConfig:
    """`decoder_config`. Every key without a default here must be in the file."""

    codebook_size: int
    codebook_dim: int
    """Width of the quantiser's output; its entries have half of it."""
    latent_dim: int
    hidden_size: int
    intermediate_size: int
    head_dim: int
    num_attention_heads: int
    num_key_value_heads: int
    num_hidden_layers: int
    sliding_window: int
    """Frames of 80 ms that the attention sees, the current one included."""
    rope_theta: float
    rms_norm_eps: float
    num_quantizers: int
    decoder_dim: int
    """Channels of the first convolution of the waveform part; halved by each block."""
    upsample_rates: tuple[int, ...]
    upsampling_ratios: tuple[int, ...]
    hidden_act: str = "silu"
    attention_bias: bool = False

    @property
    def frame_size(self) -> int:
        """Samples per frame of codes."""
        return prod(self.upsample_rates) * prod(self.upsampling_ratios)


@dataclass(frozen=True, slots=True)
class Qwen3Config:
    """The whole file. `read` and `from_dict` raise CheckpointError for another architecture, or one we cannot build."""

    encoder: Qwen3EncoderConfig
    decoder: Qwen3DecoderConfig
    sample_rate: int
    """Hertz, in and out."""
    frame_size: int
    """Samples per frame of codes, in and out."""
    num_layers: int
    """Quantiser layers that travel."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The configuration in `folder`."""
        path = folder / CONFIG_NAME
        try:
            document = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise CheckpointError(
                f"No {CONFIG_NAME} in {folder}: expected the folder of Qwen3-TTS-Tokenizer-12Hz, with {CONFIG_NAME} "
                "and model.safetensors"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError(f"Cannot read {path}: {error}") from error
        try:
            return cls.from_dict(document)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, document: object) -> Self:
        """The configuration in the parsed JSON `document`."""
        if not isinstance(document, dict):
            raise CheckpointError("a configuration is a JSON object")
        kind = document.get("model_type")
        if kind != MODEL_TYPE:
            what = _FOREIGN.get(kind, "another model") if isinstance(kind, str) else "unknown"
            raise CheckpointError(f"model_type is {kind!r} ({what}), expected {MODEL_TYPE!r}")
        numbers = {
            key: _number(document, key)
            for key in (
                "input_sample_rate", "output_sample_rate", "encode_downsample_rate", "decode_upsample_rate",
                "encoder_valid_num_quantizers",
            )
        }  # fmt: skip
        result = cls(
            encoder=_section(Qwen3EncoderConfig, document, "encoder_config"),
            decoder=_section(Qwen3DecoderConfig, document, "decoder_config"),
            sample_rate=numbers["input_sample_rate"],
            frame_size=numbers["encode_downsample_rate"],
            num_layers=numbers["encoder_valid_num_quantizers"],
        )
        result._require_buildable(numbers)
        return result

    def _require_buildable(self, numbers: Mapping[str, int]) -> None:
        """What our layers, and the shape of a codec, rest on."""
        encoder, decoder = self.encoder, self.decoder
        demands: tuple[tuple[str, object, object], ...] = (
            ("output_sample_rate", numbers["output_sample_rate"], self.sample_rate),
            ("decode_upsample_rate", numbers["decode_upsample_rate"], self.frame_size),
            ("upsample_rates times upsampling_ratios", decoder.frame_size, self.frame_size),
            ("encoder_config.upsampling_ratios times 2", 2 * encoder.hop, self.frame_size),
            ("decoder_config.num_quantizers", decoder.num_quantizers, self.num_layers),
            ("encoder_config.codebook_size", encoder.codebook_size, decoder.codebook_size),
            ("encoder_config.vector_quantization_hidden_dimension", encoder.vector_quantization_hidden_dimension,
             encoder.codebook_dim),
            ("encoder_config.num_key_value_heads", encoder.num_key_value_heads, encoder.num_attention_heads),
            ("decoder_config.num_key_value_heads", decoder.num_key_value_heads, decoder.num_attention_heads),
            ("encoder_config.num_semantic_quantizers", encoder.num_semantic_quantizers, 1),
            ("encoder_config.hidden_act", encoder.hidden_act, "gelu"),
            ("decoder_config.hidden_act", decoder.hidden_act, "silu"),
            ("encoder_config.pad_mode", encoder.pad_mode, "constant"),
            ("encoder_config.audio_channels", encoder.audio_channels, 1),
            ("encoder_config.use_causal_conv", encoder.use_causal_conv, True),
            ("encoder_config.use_conv_shortcut", encoder.use_conv_shortcut, False),
            ("encoder_config.attention_bias", encoder.attention_bias, False),
            ("decoder_config.attention_bias", decoder.attention_bias, False),
        )  # fmt: skip
        for name, found, expected in demands:
            if found != expected:
                raise CheckpointError(f"{name} is {found!r}, expected {expected!r}: not a codec this version can build")
        halved = 2 ** len(decoder.upsample_rates)
        for name, value, divisor in (
            ("encoder_config.head_dim", encoder.head_dim, 2),
            ("decoder_config.head_dim", decoder.head_dim, 2),
            ("encoder_config.num_filters", encoder.num_filters, encoder.compress),
            ("decoder_config.codebook_dim", decoder.codebook_dim, 2),
            ("decoder_config.decoder_dim", decoder.decoder_dim, halved),
        ):
            if value % divisor:
                raise CheckpointError(f"{name} is {value}, expected a multiple of {divisor}")
        for name, window in (("encoder_config", encoder.sliding_window), ("decoder_config", decoder.sliding_window)):
            if window < 2:
                raise CheckpointError(f"{name}.sliding_window is {window}, expected at least 2: attention needs a past")
        if not 2 <= self.num_layers <= encoder.num_quantizers:
            raise CheckpointError(
                f"encoder_valid_num_quantizers is {self.num_layers}, expected 2 to {encoder.num_quantizers}"
            )


def _number(document: Mapping[str, object], key: str) -> int:
    value = document.get(key)
    if type(value) is not int or not 1 <= value <= MAX_LENGTH:
        raise CheckpointError(f"{key} is {value!r}, expected a whole number from 1 to {MAX_LENGTH}")
    return value


def _section(kind: type[Section], document: Mapping[str, object], name: str) -> Section:
    given = document.get(name)
    if not isinstance(given, dict):
        raise CheckpointError(f"{name} is missing or no JSON object")
    values: dict[str, Any] = {}
    for field in fields(kind):
        key = f"{name}.{field.name}"
        if field.name in given:
            values[field.name] = _checked(key, given[field.name], str(field.type))
        elif field.default is MISSING:
            raise CheckpointError(f"{key} is missing: the release states it, and no default would be right")
    return kind(**values)


def _checked(key: str, value: object, kind: str) -> Value:
    """`value` if it is what the field's annotation `kind` wants."""
    if kind == "int" and type(value) is int and 1 <= value <= MAX_LENGTH:
        return value
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9:
        return float(value)
    if kind == "str" and isinstance(value, str):
        return value
    if kind == "bool" and isinstance(value, bool):
        return value
    if (
        kind.startswith("tuple")
        and isinstance(value, list)
        and 1 <= len(value) <= MAX_STAGES
        and all(type(item) is int and 1 <= item <= MAX_LENGTH for item in value)
    ):
        return tuple(value)
    raise CheckpointError(f"{key} is {value!r}, expected {_WANTED.get(kind, 'a list of whole numbers above 0')}")
