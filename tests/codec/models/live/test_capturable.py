"""What would break a CUDA graph, found without a GPU: the step runs on another device that is not the CPU."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from codec.models.factory import TorchCodec
from codec.models.half import CodecHalf
from codec.models.live.arena import StateArena
from codec.models.live.ring import with_rings
from tests.codec.models.recorder import WAITING, Recorder

ROWS = 3
DEVICE = "meta"
"""Shapes without values, so that a result which the processor wants to see is an error. What a step makes elsewhere
would be missing on a GPU, or be copied there."""


def elsewhere(half: CodecHalf) -> CodecHalf:
    """A copy of `half` on `DEVICE`; constants that are no tensors of the module stay where they are made."""
    twin = deepcopy(half, {id(tensor): tensor for tensor in (*half.parameters(), *half.buffers())})
    for module in twin.modules():
        for name, weight in module.named_parameters(recurse=False):
            empty = torch.empty(weight.shape, dtype=weight.dtype, device=DEVICE)
            setattr(module, name, nn.Parameter(empty, requires_grad=False))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype, device=DEVICE))
    return twin


@pytest.mark.parametrize("which", ["encoder", "decoder"])
def test_a_step_stays_on_its_device_and_waits_for_nothing(live_codec: TorchCodec, which: str) -> None:
    spec = live_codec.spec
    with torch.inference_mode():
        half = with_rings(elsewhere(getattr(live_codec, which)))
        arena = StateArena(half, ROWS)
        rows = torch.zeros(ROWS, dtype=torch.int64, device=DEVICE)
        if which == "encoder":
            data = torch.zeros(ROWS, spec.frame_size, device=DEVICE)
        else:
            data = torch.zeros(ROWS, spec.num_layers, 1, dtype=torch.int64, device=DEVICE)
        with Recorder() as recorder:
            outputs, after = half(data, arena.take(rows))
            arena.put(rows, after)
    assert outputs[0].device.type == DEVICE
    assert recorder.names.isdisjoint(WAITING), recorder.names & set(WAITING)
    assert recorder.devices == {DEVICE}
    assert recorder.masks == 0, "indexing by a mask counts it first, and waits for the count"


def test_what_would_break_a_graph_is_noticed() -> None:
    numbers = torch.zeros(3)
    with Recorder() as recorder:
        numbers[numbers > 0]
        numbers[0].item()
    assert recorder.masks == 1
    assert recorder.names & set(WAITING)
    assert recorder.devices == {"cpu"}
