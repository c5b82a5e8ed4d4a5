"""One frame of many rows at once: eagerly, compiled, or as a CUDA graph."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.denormals import denormals_flushed
from codec.errors import CodecError
from codec.models.device import exact_float32
from codec.models.half import CodecHalf
from codec.models.layers import State
from codec.models.live.arena import StateArena
from codec.models.live.graph import GraphCapture
from codec.models.live.ring import with_rings

logger = logging.getLogger(__name__)

Mode = Literal["auto", "eager", "graph", "compile"]
"""How a step runs. auto: a graph on a GPU, eager on a CPU; compile: compiled, and on a GPU captured as well."""
ActiveMode = Literal["eager", "graph", "compile"]

FAILURES = (RuntimeError, OSError, ImportError)
"""What a capture or a compiler throws: an operation it does not know, no memory, no compiler on this machine."""


def chosen_mode(mode: Mode, device: torch.device) -> ActiveMode:
    """What `mode` means on `device`. Raises CodecError where it cannot be had."""
    if mode == "auto":
        return "graph" if device.type == "cuda" else "eager"
    if mode == "graph" and device.type != "cuda":
        raise CodecError(f"A CUDA graph needs a GPU, not {device}: use the mode eager or compile, or a device cuda")
    return mode


def widths(capacity: int) -> list[int]:
    """The numbers of rows that steps of fixed width have: powers of two, and `capacity`, the widest first."""
    powers = [1 << exponent for exponent in range(capacity.bit_length()) if 1 << exponent < capacity]
    return [capacity, *reversed(powers)]


class StepEngine:
    """A half, the states of its rows, and a way to run it. For one thread at a time.

    `frame` [1, ...] is a row's input of one step, zeros. An eager step computes the rows it is given; a compiled or
    captured one the next width of `widths`. All of these are made ready at once, so that no stream ever waits because
    another one joined.
    """

    def __init__(self, half: CodecHalf, frame: Tensor, capacity: int, mode: ActiveMode) -> None:
        self.device = next(half.parameters()).device
        self.mode: ActiveMode = mode
        self.fallbacks = 0
        half = with_rings(half)
        self.arena = StateArena(half, capacity)
        self._run_half: Callable[[Tensor, State], tuple[tuple[Tensor, ...], State]] = half
        pinned = self.device.type == "cuda"
        shape = (capacity, *frame.shape[1:])
        # Pinned, so that the copy to the device is a plain transfer; every step ends by waiting for its result, so
        # the next one may write here again.
        self._host_data = torch.zeros(shape, dtype=frame.dtype, pin_memory=pinned)
        self._host_rows = torch.zeros(capacity, dtype=torch.int64, pin_memory=pinned)
        self._data = torch.zeros(shape, dtype=frame.dtype, device=self.device)
        self._rows = torch.full((capacity,), self.arena.spare, device=self.device)
        self._result = self._first_result(half)
        self._steps: dict[int, Callable[[], None]] = {}
        self._prepare(half)

    @torch.inference_mode()
    def _first_result(self, half: CodecHalf) -> Tensor:
        """Room for a step's results, [capacity, ...]."""
        with exact_float32(self.device):
            outputs, _ = half(self._data[:1], self.arena.take(self._rows[:1]))
        with torch.inference_mode(mode=False):
            return torch.zeros((len(self._data), *outputs[0].shape[1:]), dtype=outputs[0].dtype, device=self.device)

    def _prepare(self, half: CodecHalf) -> None:
        if self.mode == "compile" and not self._try("compiling", lambda: self._compile(half)):
            self._run_half = half
            self.mode = "graph" if self.device.type == "cuda" else "eager"
        captured = self.mode == "graph" or (self.mode == "compile" and self.device.type == "cuda")
        if captured and not self._try("a CUDA graph", self._capture):
            self._steps.clear()
            self._run_half, self.mode = half, "eager"

    def _try(self, what: str, make: Callable[[], None]) -> bool:
        """Whether `make` worked; if not, that is said and counted."""
        try:
            with torch.inference_mode(), exact_float32(self.device):
                make()
        except FAILURES as error:
            self.fallbacks += 1
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            logger.warning("live step: %s failed, it goes on without, slower: %s", what, reason)
            return False
        return True

    def _compile(self, half: CodecHalf) -> None:
        self._run_half = torch.compile(half)
        for width in widths(self.arena.capacity):
            self._compute(width)

    def _capture(self) -> None:
        self._rows.fill_(self.arena.spare)  # nobody's state is touched
        capturing = GraphCapture(self.device)
        # The widest first: the narrower ones fit into the memory it took.
        for width in widths(self.arena.capacity):
            self._steps[width] = capturing.capture(partial(self._compute, width))

    def _compute(self, width: int) -> None:
        """One step of the first `width` rows that the buffers name; all of it happens on the device."""
        rows = self._rows[:width]
        outputs, after = self._run_half(self._data[:width], self.arena.take(rows))
        self.arena.put(rows, after)
        self._result[:width].copy_(outputs[0])

    @torch.inference_mode()
    def step(self, frames: Sequence[NDArray[Any]], rows: Sequence[int], *, begin: list[int]) -> NDArray[Any]:
        """Results [n, ...] of one frame for each of the n `rows`; those in `begin` start afresh before it."""
        count = len(rows)
        width = count
        if self.mode != "eager":
            width = min(width for width in widths(self.arena.capacity) if width >= count)
        np.stack(frames, out=self._host_data[:count].numpy())
        self._host_rows[:count] = torch.tensor(rows)
        self._host_rows[count:width] = self.arena.spare
        with exact_float32(self.device), denormals_flushed():
            if begin:
                self.arena.begin(torch.tensor(begin).to(self.device))
            self._data[:count].copy_(self._host_data[:count], non_blocking=True)
            self._rows[:width].copy_(self._host_rows[:width], non_blocking=True)
            if width in self._steps:
                self._steps[width]()
            else:
                self._compute(width)
        # Waits for the device. A copy: the buffer is the next step's.
        result: NDArray[Any] = self._result[:count].cpu().clone().numpy()
        return result
