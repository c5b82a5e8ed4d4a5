"""The transformers of both halves: the same frame, other norms and feed-forward networks. Signals are [B, T, C]."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import (
    LayerScale,
    State,
    StreamingModule,
    WindowedAttention,
    child_state,
    prefixed,
)

LAYER_SCALE = 0.01
"""What training began with; the weights hold what came of it."""


class GeluNetwork(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, inner, bias=False)
        self.project = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(functional.gelu(self.expand(x)))  # type: ignore[no-any-return]


class GatedNetwork(nn.Module):
    """SwiGLU (Shazeer, 2020)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, inner, bias=False)
        self.expand = nn.Linear(width, inner, bias=False)
        self.project = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(functional.silu(self.gate(x)) * self.expand(x))  # type: ignore[no-any-return]


class TransformerBlock(StreamingModule):
    """Attention, then a network per step; each normalised before, scaled, and added to what came in."""

    def __init__(
        self,
        width: int,
        *,
        num_heads: int,
        head_dim: int,
        window: int,
        theta: float,
        attention_norm: nn.Module,
        network_norm: nn.Module,
        network: nn.Module,
    ) -> None:
        super().__init__()
        self.attention_norm = attention_norm
        self.attention = WindowedAttention(width, num_heads=num_heads, head_dim=head_dim, window=window, theta=theta)
        self.attention_scale = LayerScale(width, initial=LAYER_SCALE)
        self.network_norm = network_norm
        self.network = network
        self.network_scale = LayerScale(width, initial=LAYER_SCALE)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, after = self.attention(self.attention_norm(x), child_state(state, "attention"))
        x = x + self.attention_scale(y)
        return x + self.network_scale(self.network(self.network_norm(x))), prefixed("attention", after)
