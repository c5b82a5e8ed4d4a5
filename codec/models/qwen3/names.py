"""Which tensors of the released weights each of ours is made of.

The names on the right are those of the safetensors file; they follow the official modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from codec.models.qwen3.config import Qwen3Config
from codec.models.qwen3.decoder import DILATIONS

USAGE_FLOOR = 1e-5
"""Least use of an entry that its sum is divided by (`epsilon` of the official codebooks)."""
SNAKE_FLOOR = 1e-9
"""What the official SnakeBeta adds to a magnitude before it divides by it."""

Pair = tuple[str, str]


class Origin(NamedTuple):
    """`make` turns the tensors called `names` into one of ours."""

    names: tuple[str, ...]
    make: Callable[..., Tensor]


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _frequency(alpha: Tensor) -> Tensor:
    return alpha.exp()[:, None]


def _gain(beta: Tensor) -> Tensor:
    return (1.0 / (beta.exp() + SNAKE_FLOOR))[:, None]


def _codebooks(*sums_and_usages: Tensor) -> Tensor:
    """[num_layers, codebook_size, dim] of pairs: the sum of what each entry stood for, and how often it did."""
    pairs = zip(sums_and_usages[::2], sums_and_usages[1::2], strict=True)
    return torch.stack([total / usage.clamp(min=USAGE_FLOOR)[:, None] for total, usage in pairs])


def origins(config: Qwen3Config) -> dict[str, Origin]:
    """Every tensor of `Qwen3Tokenizer.state_dict()` and what it is made of."""
    table = {ours: Origin((theirs,), _as_it_is) for ours, theirs in (*_encoder(config), *_decoder(config))}
    for ours, theirs in _snakes(config):
        table[f"{ours}.frequency"] = Origin((f"{theirs}.alpha",), _frequency)
        table[f"{ours}.gain"] = Origin((f"{theirs}.beta",), _gain)
    for side, stacks, codebook, total in (
        ("encoder", _ENCODER_STACKS, "layers.{}.codebook", "embed_sum"),
        ("decoder", _DECODER_STACKS, "vq.layers.{}._codebook", "embedding_sum"),
    ):
        for index, (stack, layers) in enumerate(zip(stacks, (1, config.num_layers - 1), strict=True)):
            ours, theirs = f"{side}_quantizer.stacks.{index}", f"{side}.quantizer.{stack}"
            for projection in ("input", "output"):
                table[f"{ours}.{projection}_projection.weight"] = Origin(
                    (f"{theirs}.{projection}_proj.weight",), _as_it_is
                )
            names = [
                f"{theirs}.{codebook.format(layer)}.{part}"
                for layer in range(layers)
                for part in (total, "cluster_usage")
            ]
            table[f"{ours}.codebooks"] = Origin(tuple(names), _codebooks)
    return table


def unused(config: Qwen3Config) -> set[str]:
    """Tensors that the release has and nothing uses: the encoder's layers beyond those that travel, and flags."""
    names = set()
    for stack, used, stored in zip(
        _ENCODER_STACKS, (1, config.num_layers - 1), (1, config.encoder.num_quantizers - 1), strict=True
    ):
        for layer in range(stored):
            codebook = f"encoder.quantizer.{stack}.layers.{layer}.codebook"
            names.add(f"{codebook}.initialized")
            if layer >= used:
                names |= {f"{codebook}.embed_sum", f"{codebook}.cluster_usage"}
    return names


_ENCODER_STACKS = ("semantic_residual_vector_quantizer", "acoustic_residual_vector_quantizer")
_DECODER_STACKS = ("rvq_first", "rvq_rest")

_ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj"}


def _encoder(config: Qwen3Config) -> Iterator[Pair]:
    shape = config.encoder
    index = 0

    def convolution(place: int) -> Iterator[Pair]:
        yield from _weight_and_bias(f"encoder.convolutions.{place}", f"encoder.encoder.layers.{place}.conv")

    yield from convolution(0)
    for _ in shape.upsampling_ratios:
        for _ in range(shape.num_residual_layers):
            index += 1
            ours, theirs = f"encoder.convolutions.{index}", f"encoder.encoder.layers.{index}.block"
            yield from _weight_and_bias(f"{ours}.narrow", f"{theirs}.1.conv")
            yield from _weight_and_bias(f"{ours}.widen", f"{theirs}.3.conv")
        index += 2  # an ELU stands between
        yield from convolution(index)
    yield from convolution(index + 2)
    for layer in range(shape.num_hidden_layers):
        ours, theirs = f"encoder.transformer.{layer}", f"encoder.encoder_transformer.layers.{layer}"
        yield from _attention(ours, theirs)
        yield f"{ours}.attention_norm.bias", f"{theirs}.input_layernorm.bias"
        yield f"{ours}.network_norm.bias", f"{theirs}.post_attention_layernorm.bias"
        yield f"{ours}.network.expand.weight", f"{theirs}.mlp.fc1.weight"
        yield f"{ours}.network.project.weight", f"{theirs}.mlp.fc2.weight"
    yield "encoder.downsample.weight", "encoder.downsample.conv.weight"


def _decoder(config: Qwen3Config) -> Iterator[Pair]:
    shape = config.decoder
    yield from _weight_and_bias("decoder.enter", "decoder.pre_conv.conv")
    yield from _weight_and_bias("decoder.transformer.enter", "decoder.pre_transformer.input_proj")
    yield from _weight_and_bias("decoder.transformer.leave", "decoder.pre_transformer.output_proj")
    yield "decoder.transformer.norm.weight", "decoder.pre_transformer.norm.weight"
    for layer in range(shape.num_hidden_layers):
        ours, theirs = f"decoder.transformer.blocks.{layer}", f"decoder.pre_transformer.layers.{layer}"
        yield from _attention(ours, theirs)
        for part, name in (("gate", "gate_proj"), ("expand", "up_proj"), ("project", "down_proj")):
            yield f"{ours}.network.{part}.weight", f"{theirs}.mlp.{name}.weight"
    for index in range(len(shape.upsampling_ratios)):
        ours, theirs = f"decoder.upsample.{index}", f"decoder.upsample.{index}"
        yield from _weight_and_bias(f"{ours}.upsample", f"{theirs}.0.conv")
        yield from _weight_and_bias(f"{ours}.mix", f"{theirs}.1.dwconv.conv")
        yield from _weight_and_bias(f"{ours}.norm", f"{theirs}.1.norm")
        yield from _weight_and_bias(f"{ours}.expand", f"{theirs}.1.pwconv1")
        yield from _weight_and_bias(f"{ours}.project", f"{theirs}.1.pwconv2")
        yield f"{ours}.gamma", f"{theirs}.1.gamma"
    blocks = len(shape.upsample_rates)
    yield from _weight_and_bias("decoder.waveform.0", "decoder.decoder.0.conv")
    for block in range(blocks):
        first, theirs = _first_of_block(block), f"decoder.decoder.{block + 1}.block"
        yield from _weight_and_bias(f"decoder.waveform.{first + 1}", f"{theirs}.1.conv")
        for unit in range(len(DILATIONS)):
            ours = f"decoder.waveform.{first + 2 + unit}"
            yield from _weight_and_bias(f"{ours}.first", f"{theirs}.{2 + unit}.conv1.conv")
            yield from _weight_and_bias(f"{ours}.second", f"{theirs}.{2 + unit}.conv2.conv")
    last = _first_of_block(blocks) + 1
    yield from _weight_and_bias(f"decoder.waveform.{last}", f"decoder.decoder.{blocks + 2}.conv")


def _snakes(config: Qwen3Config) -> Iterator[Pair]:
    blocks = len(config.decoder.upsample_rates)
    for block in range(blocks):
        first, theirs = _first_of_block(block), f"decoder.decoder.{block + 1}.block"
        yield f"decoder.waveform.{first}", f"{theirs}.0"
        for unit in range(len(DILATIONS)):
            for ours_name, theirs_name in (("first_snake", "act1"), ("second_snake", "act2")):
                yield f"decoder.waveform.{first + 2 + unit}.{ours_name}", f"{theirs}.{2 + unit}.{theirs_name}"
    yield f"decoder.waveform.{_first_of_block(blocks)}", f"decoder.decoder.{blocks + 1}"


def _first_of_block(block: int) -> int:
    """Where the layers of a waveform block begin: after the first convolution; snake, upsampling, residual units."""
    return 1 + block * (2 + len(DILATIONS))


def _attention(ours: str, theirs: str) -> Iterator[Pair]:
    for part, name in _ATTENTION.items():
        yield f"{ours}.attention.{part}.weight", f"{theirs}.self_attn.{name}.weight"
    yield f"{ours}.attention_scale.scale", f"{theirs}.self_attn_layer_scale.scale"
    yield f"{ours}.network_scale.scale", f"{theirs}.mlp_layer_scale.scale"
    yield f"{ours}.attention_norm.weight", f"{theirs}.input_layernorm.weight"
    yield f"{ours}.network_norm.weight", f"{theirs}.post_attention_layernorm.weight"


def _weight_and_bias(ours: str, theirs: str) -> Iterator[Pair]:
    yield f"{ours}.weight", f"{theirs}.weight"
    yield f"{ours}.bias", f"{theirs}.bias"
