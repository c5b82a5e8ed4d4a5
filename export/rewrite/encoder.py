"""Qwen's encoder over rows: from samples to codes without a transposition on the way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.half import EncoderHalf
from codec.models.layers import (
    CausalConv1d,
    ResidualQuantizer,
    SplitResidualQuantizer,
    State,
    StreamingModule,
    child_state,
    prefixed,
)
from codec.models.qwen3.encoder import EncoderResidualUnit, Qwen3Encoder
from codec.models.samples import within_bounds
from export.rewrite.masked import MaskedHalf
from export.rewrite.rows import RowConv
from export.rewrite.search import StackSearch
from export.rewrite.select import select
from export.rewrite.strided import RowStridedConv
from export.rewrite.window import TransformerRows


class QuickElu(nn.Module):
    """ELU as max(x, exp(min(x, 0)) - 1): ONNX Runtime takes half the time for these four as for its own Elu."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(x, torch.exp(x.clamp(max=0.0)) - 1.0)


class ResidualUnitRows(StreamingModule):
    """An `EncoderResidualUnit` over rows."""

    def __init__(self, unit: EncoderResidualUnit) -> None:
        super().__init__()
        self.narrow, self.widen, self.elu = RowConv(unit.narrow), RowConv(unit.widen), QuickElu()

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, after = self.narrow(self.elu(x), child_state(state, "narrow"))
        y, _ = self.widen(self.elu(y), {})
        return x + y, prefixed("narrow", after)


class ConvolutionRows(StreamingModule):
    """The convolutions of `Qwen3Encoder`, [B, T, 1] -> [B, T / stride, width]; children are numbered as there."""

    def __init__(self, layers: list[tuple[str, nn.Module]]) -> None:
        super().__init__()
        for number, layer in layers:
            self.add_module(number, _over_rows(layer))

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        after: State = {}
        for number, layer in self.named_children():
            if isinstance(layer, StreamingModule):
                x, changed = layer(x, child_state(state, number))
                after |= prefixed(number, changed)
            else:
                x = layer(x)
        return x, after


class EncoderRows(MaskedHalf):
    """An `EncoderHalf` of Qwen's."""

    outputs = EncoderHalf.outputs

    def __init__(self, encoder: Qwen3Encoder, quantizer: SplitResidualQuantizer) -> None:
        super().__init__()
        self.convolutions = ConvolutionRows(list(encoder.convolutions.named_children()))
        self.transformer = TransformerRows(encoder.transformer)
        self.downsample = RowStridedConv(encoder.downsample)
        self.stacks = nn.ModuleList(
            StackSearch(stack) for stack in quantizer.stacks if isinstance(stack, ResidualQuantizer)
        )

    def initial_state(self, batch_size: int) -> State:
        state: State = {}
        for name, part in self.named_children():
            if isinstance(part, StreamingModule):
                state |= prefixed(name, part.initial_state(batch_size))
        return state

    def masked(self, data: Tensor, state: State, *, active: Tensor, reset: Tensor) -> tuple[tuple[Tensor, ...], State]:
        fresh = self.initial_state(1)
        held = {name: value for name, value in state.items() if not name.startswith("transformer.")}
        begun = select(~reset, held, {name: fresh[name].expand_as(value) for name, value in held.items()})
        x, convolutions = self.convolutions(within_bounds(data)[..., None], child_state(begun, "convolutions"))
        x, transformer = self.transformer.step(x, child_state(state, "transformer"), active=active, reset=reset)
        x, downsample = self.downsample(x, child_state(begun, "downsample"))
        after = prefixed("convolutions", convolutions) | prefixed("downsample", downsample)
        return self._search(x), select(active, after, begun) | prefixed("transformer", transformer)

    def _search(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes [B, K, N] and latents [B, N, dims of all stacks] of x [B, N, width]."""
        found = [stack(x) for stack in self.stacks]
        return torch.cat([codes for codes, _ in found], dim=1), torch.cat([latent for _, latent in found], dim=-1)


def _over_rows(layer: nn.Module) -> nn.Module:
    if isinstance(layer, EncoderResidualUnit):
        return ResidualUnitRows(layer)
    if isinstance(layer, CausalConv1d):
        return RowConv(layer) if layer.stride == 1 else RowStridedConv(layer)
    return QuickElu() if isinstance(layer, nn.ELU) else layer
