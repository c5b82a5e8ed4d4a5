"""Random weights that are worth a proof: every tensor is heard, and nothing is lost in clipping or in silence.

The released weights are not everywhere to be had, and freshly made ones prove nothing: scales of 0.01, a gamma of 1e-6
and empty codebooks leave most of the network out of the result. These have the released names and shapes, so that any
implementation loads them; with them a decoder's samples have an RMS near `LEVEL`, hardly any are clipped, and a change
of any single tensor is seen in the output. What they make is noise: they say nothing about quality.
"""

from __future__ import annotations

import json
from importlib.resources import files
from math import prod, sqrt
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor

from codec.models.layers import ResidualQuantizer
from codec.models.qwen3.config import CONFIG_NAME, Qwen3Config
from codec.models.qwen3.model import Qwen3Tokenizer
from codec.models.qwen3.names import origins, unused
from codec.models.qwen3.weights import WEIGHTS_NAME, build

LEVEL = 0.15
"""RMS of the decoder's samples before they are clipped at ±1."""
BRANCH = 0.3
"""Gain of residual branches: a deep stack neither explodes nor hides them."""
SPREAD = 0.7
"""Deviation of a layer's entries around their mean, in deviations of the residuals they stand for."""
INPUT_GAIN = 20.0
"""Of the encoder's first convolution: speech reaches the level of the biases. Below it all latents are nearly the same,
codes hang on their last bits, and near-ties are without end."""
FRAMES = 50
"""Frames of noise, or of codes, that levels are set on."""


def released_document() -> dict[str, Any]:
    """The configuration of the release, as its config.json has it."""
    document: dict[str, Any] = json.loads(files("codec.models.qwen3").joinpath("released_config.json").read_text())
    return document


def small_document() -> dict[str, Any]:
    """The same architecture, strides, windows and layers of codes, but narrow and shallow, for tests."""
    document = released_document()
    document["encoder_config"] |= {
        "num_filters": 4, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 16, "codebook_dim": 16, "vector_quantization_hidden_dimension": 16,
        "num_quantizers": 18, "upsample_groups": 32,
    }  # fmt: skip
    document["decoder_config"] |= {
        "codebook_dim": 32, "latent_dim": 48, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 24, "decoder_dim": 64,
    }  # fmt: skip
    return document


def save_lively(document: dict[str, Any], folder: Path, *, seed: int = 0) -> Path:
    """Make `folder` a release: `document` as its config.json, and weights for it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(lively_weights(Qwen3Config.from_dict(document), seed=seed), folder / WEIGHTS_NAME)
    (folder / CONFIG_NAME).write_text(json.dumps(document, indent=1) + "\n")
    return folder


@torch.inference_mode()
def lively_weights(config: Qwen3Config, *, seed: int = 0) -> dict[str, Tensor]:
    """Tensors by the names of a release; the same for the same `config` and `seed` on the same machine."""
    generator = torch.Generator().manual_seed(seed)
    weights = {name: _draw(name, shape, generator) for name, shape in released_shapes(config).items()}
    _fill_codebooks(weights, config, generator)
    _set_level(weights, config, generator)
    return weights


def released_shapes(config: Qwen3Config) -> dict[str, tuple[int, ...]]:
    """Every tensor of a release with this configuration, those that nothing uses included."""
    with torch.device("meta"):
        ours = Qwen3Tokenizer(config).state_dict()
    shapes: dict[str, tuple[int, ...]] = {}
    entries = (config.encoder.codebook_size, config.encoder.codebook_dim)
    for name, origin in origins(config).items():
        shape = tuple(ours[name].shape)
        if name.endswith(".codebooks"):
            for total, usage in zip(origin.names[::2], origin.names[1::2], strict=True):
                shapes[total], shapes[usage] = shape[1:], shape[1:2]
        else:
            # The file has a snake's parameters as [C], ours are [C, 1].
            shapes[origin.names[0]] = shape[:1] if name.endswith((".frequency", ".gain")) else shape
    for name in unused(config):
        shapes[name] = (1,) if name.endswith("initialized") else entries[: 1 if name.endswith("cluster_usage") else 2]
    return dict(sorted(shapes.items()))


def _draw(name: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Values of a kind that the tensor's name tells."""
    noise = torch.randn(shape, generator=generator)
    if name.endswith("initialized"):
        return torch.ones(shape)
    if name.endswith("cluster_usage"):
        return 1.0 + 9.0 * torch.rand(shape, generator=generator)
    if name.endswith((".scale", ".gamma")):
        return BRANCH * (1.0 + 0.2 * noise)
    if name.endswith((".alpha", ".beta")):
        return 0.3 * noise
    if name.endswith(".bias"):
        return 0.1 * noise
    if len(shape) == 1:  # the weight of a norm
        return 1.0 + 0.2 * noise
    inputs = prod(shape[1:])
    if _is_transposed(name):  # [in, out, kernel = 2 * stride], or [in, out, stride] without overlap
        inputs = shape[0] * (1 if name.startswith("decoder.upsample") else 2)
    gain = BRANCH if name.endswith(("conv2.conv.weight", "block.3.conv.weight")) else 1.0
    if name == "encoder.encoder.layers.0.conv.weight":
        gain = INPUT_GAIN
    return gain / sqrt(inputs) * noise


def _is_transposed(name: str) -> bool:
    part, end = ("decoder.upsample", ".0.conv.weight"), ("decoder.decoder", ".block.1.conv.weight")
    return any(name.startswith(first) and name.endswith(last) for first, last in (part, end))


def _fill_codebooks(weights: dict[str, Tensor], config: Qwen3Config, generator: Generator) -> None:
    """Entries where the latents of noise lie, and of each next layer where the residuals lie."""
    tokenizer = build(config, weights)
    swell = 0.1 + torch.rand(FRAMES, 1, generator=generator)
    pcm = 0.2 * swell * torch.randn(FRAMES, config.frame_size, generator=generator)
    latent = tokenizer.encoder.offline(pcm.reshape(1, -1))
    names = origins(config)
    for index, stack in enumerate(tokenizer.encoder_quantizer.stacks):
        assert isinstance(stack, ResidualQuantizer)
        residual = stack.project(latent)[0]
        stored = names[f"encoder_quantizer.stacks.{index}.codebooks"].names
        for layer in range(stack.num_layers):
            middle = residual.mean(dim=0)
            mix = torch.randn(stack.codebook_size, FRAMES, generator=generator) / sqrt(FRAMES)
            entries = middle + SPREAD * (mix @ (residual - middle))
            total, usage = stored[2 * layer : 2 * layer + 2]
            weights[total] = entries * weights[usage][:, None]
            stack.codebooks[layer] = weights[total] / weights[usage][:, None]
            residual = residual - stack.codebooks[layer][stack.nearest(residual, layer)]
    # A decoder's entries come from anywhere; later layers matter less, as trained ones do.
    for index, first in enumerate((0, 1)):
        stored = names[f"decoder_quantizer.stacks.{index}.codebooks"].names
        for layer, (total, usage) in enumerate(zip(stored[::2], stored[1::2], strict=True)):
            shape = weights[total].shape
            level = 0.85 ** (first + layer)
            weights[total] = level * torch.randn(shape, generator=generator) * weights[usage][:, None]


def _set_level(weights: dict[str, Tensor], config: Qwen3Config, generator: Generator) -> None:
    """Scale the decoder's last convolution so that its output has the RMS `LEVEL`."""
    last = origins(config)[f"decoder.waveform.{len(config.decoder.upsample_rates) * 5 + 2}.weight"].names[0]
    small = 1e-3
    weights[last] = small * weights[last]
    bias = last.removesuffix("weight") + "bias"
    weights[bias] = torch.zeros(1)
    codes = torch.randint(config.decoder.codebook_size, (1, config.num_layers, FRAMES // 2), generator=generator)
    rms = float(build(config, weights).decode(codes).square().mean().sqrt())
    weights[last] = LEVEL / rms * weights[last]
    weights[bias] = torch.full((1,), 0.01)
