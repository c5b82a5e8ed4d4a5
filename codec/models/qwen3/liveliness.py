"""Is every tensor of a release heard? `python -m codec.models.qwen3.liveliness DIR` says by how much each one is.

A proof with weights of which half is silent proves half. So each tensor is perturbed alone — every value is moved by
half of the tensor's RMS, up or down at random — and the largest change that this makes is measured: of an encoder's
projected latents, of a decoder's samples. A codebook of the encoder changes no latent; there the largest change of a
code counts. Two projections do nothing by construction and are in `silent`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Generator, Tensor

from codec.errors import EXIT_USAGE, CodecError
from codec.models.qwen3.config import Qwen3Config
from codec.models.qwen3.model import Qwen3Tokenizer
from codec.models.qwen3.names import Origin, origins, unused
from codec.models.qwen3.weights import build, read_tensors

ENOUGH = 1e-3
"""A tensor that moves the output by less is not heard."""
FRAMES = 6


def silent(config: Qwen3Config) -> set[str]:
    """Tensors that are loaded, and take no part: the encoder only searches, the decoder only looks up."""
    names = set()
    for index in range(2):
        for ours in (f"encoder_quantizer.stacks.{index}.output", f"decoder_quantizer.stacks.{index}.input"):
            names |= set(origins(config)[f"{ours}_projection.weight"].names)
    return names


@torch.inference_mode()
def movements(
    config: Qwen3Config, released: Mapping[str, Tensor], *, frames: int = FRAMES
) -> Iterator[tuple[str, float]]:
    """Each tensor that the codec is built from, and how far a perturbation of it moves the output."""
    tokenizer = build(config, {name: tensor.clone() for name, tensor in released.items()})
    weights = tokenizer.state_dict()
    generator = torch.Generator().manual_seed(1)
    pcm = 0.2 * torch.randn(1, frames * config.frame_size, generator=generator)
    codes = torch.randint(config.decoder.codebook_size, (1, config.num_layers, frames), generator=generator)
    before = {half: _output(tokenizer, half, pcm, codes) for half in ("encoder", "codes", "decoder")}
    for ours, origin in origins(config).items():
        kept = weights[ours].clone()
        half = _heard_in(ours)
        for name in origin.names:
            weights[ours].copy_(_perturbed(origin, name, released, generator))
            moved = (_output(tokenizer, half, pcm, codes) - before[half]).abs().max()
            weights[ours].copy_(kept)
            yield name, float(moved)


def _heard_in(ours: str) -> str:
    if ours.startswith("encoder_quantizer") and ours.endswith("codebooks"):
        return "codes"
    return "encoder" if ours.startswith("encoder") else "decoder"


def _output(tokenizer: Qwen3Tokenizer, half: str, pcm: Tensor, codes: Tensor) -> Tensor:
    if half == "decoder":
        return tokenizer.decode(codes)
    latent = tokenizer.encoder.offline(pcm)
    if half == "codes":
        return tokenizer.encoder_quantizer.encode(latent).double()
    return tokenizer.encoder_quantizer.project(latent)


def _perturbed(origin: Origin, name: str, released: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """What becomes of one of our tensors when the released tensor `name` is perturbed."""
    tensor = released[name].float()
    sign = 2.0 * torch.randint(2, tensor.shape, generator=generator) - 1.0
    moved = tensor + 0.5 * tensor.square().mean().sqrt() * sign
    return origin.make(*(moved if other == name else released[other].float() for other in origin.names))


def main(folder: Path) -> int:
    """Print the least heard tensors of the release in `folder`; 1 where one is not heard that should be."""
    try:
        config, released = Qwen3Config.read(folder), read_tensors(folder)
        found = dict(movements(config, released))
    except CodecError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    expected = silent(config)
    quiet = {name for name, moved in found.items() if moved <= ENOUGH and name not in expected}
    loud = sorted((moved, name) for name, moved in found.items() if name not in expected)
    for moved, name in loud[:10]:
        print(f"{moved:10.3g}  {name}")
    print(
        f"{len(loud)} tensors perturbed, {len(quiet)} not heard; {len(expected)} silent by construction, "
        f"{len(unused(config))} of the file unused; smallest movement {loud[0][0]:.3g}"
    )
    return 1 if quiet else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: python -m codec.models.qwen3.liveliness DIR", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    sys.exit(main(Path(sys.argv[1])))
