"""Which halves have a faster form."""

from __future__ import annotations

import torch
from torch import Tensor

from codec.models.half import CodecHalf, DecoderHalf, EncoderHalf, Quantizer
from codec.models.layers import SplitResidualQuantizer, State, select_rows
from codec.models.qwen3.decoder import Qwen3Decoder
from codec.models.qwen3.encoder import Qwen3Encoder
from export.rewrite.decoder import DecoderRows
from export.rewrite.encoder import EncoderRows
from export.rewrite.masked import MaskedHalf


def rewritten(half: CodecHalf) -> CodecHalf:
    """`half` in its faster form, or `half` itself where it has none. Weights are copied: `half` is left as it is."""
    if isinstance(half, DecoderHalf) and isinstance(half.decoder, Qwen3Decoder):
        return DecoderHalfRows(DecoderRows(half.decoder), half.quantizer).eval()
    if isinstance(half, EncoderHalf) and isinstance(half.encoder, Qwen3Encoder):
        assert isinstance(half.quantizer, SplitResidualQuantizer)
        return EncoderRows(half.encoder, half.quantizer).eval()
    return half


class DecoderHalfRows(MaskedHalf):
    """A `DecoderHalf` around `DecoderRows`."""

    outputs = DecoderHalf.outputs

    def __init__(self, decoder: DecoderRows, quantizer: Quantizer) -> None:
        super().__init__()
        self.decoder, self.quantizer = decoder, quantizer

    def initial_state(self, batch_size: int) -> State:
        return self.decoder.initial_state(batch_size)

    def forward(self, data: Tensor, state: State) -> tuple[tuple[Tensor, ...], State]:
        pcm, after = self.decoder(self.quantizer.decode(data), state)
        return (pcm,), after

    def masked(self, data: Tensor, state: State, *, active: Tensor, reset: Tensor) -> tuple[tuple[Tensor, ...], State]:
        # Past keys and values, nearly all of the state, need no reset: without a count of valid ones they are not seen.
        cached = {name: value for name, value in state.items() if name.endswith((".keys", ".values"))}
        rest = {name: value for name, value in state.items() if name not in cached}
        rest = select_rows(~reset, rest, {name: torch.zeros_like(value) for name, value in rest.items()})
        pcm, after = self.decoder(self.quantizer.decode(data), cached | rest, active)
        chosen = select_rows(active, {name: after[name] for name in rest}, rest)
        return (pcm,), after | chosen
