"""Streaming layers, shared by every codec: state goes in, state comes out.

A layer never remembers anything between calls. `initial_state(batch_size)` makes the state of a stream that has not
begun; `forward(x, state)` returns the output and the state after it. One pass over a whole recording and any chunking
of it therefore take the same path through the same code.
"""

from codec.models.layers.attention import WindowedAttention, attend_to_everything
from codec.models.layers.conv import CausalConv1d, CausalConvTranspose1d
from codec.models.layers.norm import ChannelNorm, LayerScale, RootMeanSquareNorm
from codec.models.layers.overlap_add import OverlapAdd
from codec.models.layers.rvq import BandedResidualQuantizer, ResidualQuantizer, SplitResidualQuantizer
from codec.models.layers.streaming import (
    State,
    StreamingModule,
    StreamingSequential,
    child_state,
    prefixed,
    select_rows,
)

__all__ = [
    "BandedResidualQuantizer",
    "CausalConv1d",
    "CausalConvTranspose1d",
    "ChannelNorm",
    "LayerScale",
    "OverlapAdd",
    "ResidualQuantizer",
    "RootMeanSquareNorm",
    "SplitResidualQuantizer",
    "State",
    "StreamingModule",
    "StreamingSequential",
    "WindowedAttention",
    "attend_to_everything",
    "child_state",
    "prefixed",
    "select_rows",
]
