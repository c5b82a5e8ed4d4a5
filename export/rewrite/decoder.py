"""Qwen's decoder over rows: from latents to samples without a transposition on the way."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import CausalConv1d, CausalConvTranspose1d, State, StreamingModule, child_state, prefixed
from codec.models.qwen3.decoder import DecoderResidualUnit, Qwen3Decoder, SnakeBeta, UpsampleBlock
from export.rewrite.rows import RowConv, RowConvToOne, RowConvTranspose, RowProduct, layer_norm
from export.rewrite.transformer import PreTransformerRows


class RowSnake(nn.Module):
    """A snake over rows, less a constant: x - gain / 2 * cos(2 * frequency * x), which is one pass fewer.

    sin^2(a) is (1 - cos(2a)) / 2; what is left out, gain / 2 in each channel, is `offset` for the layer behind it.
    """

    def __init__(self, snake: SnakeBeta) -> None:
        super().__init__()
        self.speed = nn.Parameter(2.0 * snake.frequency.detach()[:, 0], requires_grad=False)
        self.depth = nn.Parameter(0.5 * snake.gain.detach()[:, 0], requires_grad=False)

    @property
    def offset(self) -> Tensor:
        """[C]: the constant that is missing."""
        return self.depth

    def forward(self, x: Tensor) -> Tensor:
        return x - torch.cos(x * self.speed) * self.depth


class ResidualUnitRows(StreamingModule):
    """A `DecoderResidualUnit` over rows."""

    def __init__(self, unit: DecoderResidualUnit) -> None:
        super().__init__()
        self.first_snake = RowSnake(unit.first_snake)
        self.first = RowConv(unit.first, offset=self.first_snake.offset)
        self.second_snake = RowSnake(unit.second_snake)
        self.second = RowConv(unit.second, offset=self.second_snake.offset)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, after = self.first(self.first_snake(x), child_state(state, "first"))
        y, _ = self.second(self.second_snake(y), {})
        return x + y, prefixed("first", after)


class UpsampleRows(StreamingModule):
    """An `UpsampleBlock` over rows, its gamma folded into the projection before it."""

    def __init__(self, block: UpsampleBlock) -> None:
        super().__init__()
        self.upsample = RowConvTranspose(block.upsample)
        self.mix, self.norm = block.mix, block.norm
        self.expand = RowProduct(block.expand.weight.t(), block.expand.bias)
        gamma = block.gamma.detach()
        self.project = RowProduct(block.project.weight.t() * gamma, block.project.bias * gamma)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x, _ = self.upsample(x, {})
        # One channel at a time, over a few steps: nothing to gain from a product here.
        y, after = self.mix(x.transpose(1, 2), child_state(state, "mix"))
        y = layer_norm(self.norm, y.transpose(1, 2))
        return x + self.project(functional.gelu(self.expand(y))), prefixed("mix", after)


class WaveformRows(StreamingModule):
    """The last part of `Qwen3Decoder`; children have the numbers that they have there."""

    def __init__(self, layers: list[tuple[str, nn.Module]]) -> None:
        super().__init__()
        offset: Tensor | None = None
        for number, layer in layers:
            row, offset = _over_rows(layer, offset)
            self.add_module(number, row)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        after: State = {}
        for number, layer in self.named_children():
            if isinstance(layer, StreamingModule):
                x, changed = layer(x, child_state(state, number))
                after |= prefixed(number, changed)
            else:
                x = layer(x)
        return x, after


def _over_rows(layer: nn.Module, offset: Tensor | None) -> tuple[nn.Module, Tensor | None]:
    """`layer` over rows, given what its input lacks, and what its output lacks."""
    if isinstance(layer, SnakeBeta):
        snake = RowSnake(layer)
        return snake, snake.offset
    if isinstance(layer, DecoderResidualUnit):
        return ResidualUnitRows(layer), None
    if isinstance(layer, CausalConvTranspose1d):
        return RowConvTranspose(layer, offset=offset), None
    if isinstance(layer, CausalConv1d):
        if layer.weight.shape[0] == 1 and offset is not None:
            return RowConvToOne(layer, offset=offset), None
        return RowConv(layer, offset=offset), None
    raise TypeError(f"no form over rows for {type(layer).__name__}")


class DecoderRows(StreamingModule):
    """`Qwen3Decoder` over rows: the same states under the same names."""

    def __init__(self, decoder: Qwen3Decoder) -> None:
        super().__init__()
        self.enter = RowConv(decoder.enter)
        self.transformer = PreTransformerRows(decoder.transformer)
        self.upsample = WaveformRows([])
        for number, block in decoder.upsample.named_children():
            assert isinstance(block, UpsampleBlock)
            self.upsample.add_module(number, UpsampleRows(block))
        self.waveform = WaveformRows(list(decoder.waveform.named_children()))

    def forward(self, x: Tensor, state: State, active: Tensor | None = None) -> tuple[Tensor, State]:
        """`active` [B]: rows not in it keep their keys and values; the rest of the state is the caller's to keep."""
        x, entered = self.enter(x.transpose(1, 2), child_state(state, "enter"))
        x, seen = self.transformer(x, child_state(state, "transformer"), active)
        after = prefixed("enter", entered) | prefixed("transformer", seen)
        for name, part in (("upsample", self.upsample), ("waveform", self.waveform)):
            x, changed = part(x, child_state(state, name))
            after |= prefixed(name, changed)
        return x.squeeze(2).clamp(-1.0, 1.0), after
